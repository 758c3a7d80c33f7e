"""What the tests of fastnn.functional share: arguments, results and kinds of input, by name of function."""

import tempfile

import numpy as np
import scipy.sparse

from cases import layer_arguments, normal, optimizer_arguments, targets
from fastnn import functional, reference
from fastnn_kernels.costs import COSTS

SHAPE = (5, 7, 3)
SHAPES = ((1, 1, 1), SHAPE, (33, 17, 16))
OUTPUT_NAMES = {
    "matmul": "C",
    "matmul_at": "C",
    "matmul_bt": "C",
    "transpose": "B",
    "affine_forward": "Z",
    "affine_backward": "dW db dX",
    "column_sum": "db",
    "layer_backward": "dZ dW db dX",
    "activation_forward": "A",
    "activation_backward": "dZ",
    "softmax_forward": "A",
    "softmax_backward": "dZ",
    "cost_backward": "cost dZ",
    **{name: "cost dZ" if cost.from_logits else "cost dA" for name, cost in COSTS.items()},
}
OVERWRITES = {  # output -> the input that it may be
    "layer_backward": {"dZ": "dA"},
    "activation_forward": {"A": "Z"},
    "activation_backward": {"dZ": "dA"},
    "softmax_forward": {"A": "Z"},
    "softmax_backward": {"dZ": "dA"},
}
PRODUCTS = {
    "matmul": lambda A, B: A @ B,
    "matmul_at": lambda A, B: A.T @ B,
    "matmul_bt": lambda A, B: A @ B.T,
    "transpose": lambda A: A.T,
    "column_sum": lambda dZ: dZ.sum(axis=0),
}


def arguments(name, shape=SHAPE, dtype=np.float64):
    """(inputs, options) of `functional.<name>`, both by name."""
    X, W, b, dA = layer_arguments(shape, dtype)
    Z = normal(dtype, dA.shape, "Z")
    A = reference.activation_forward(Z, "softmax" if "softmax" in name else "silu")
    weights = np.abs(normal(dtype, len(Z), "weights"))
    if name in COSTS:
        first = {"Z": Z} if COSTS[name].from_logits else {"A": A}
        return {**first, "Y": targets(name, Z.shape, dtype), "weights": weights}, {}
    return {
        "matmul": ({"A": X, "B": W}, {}),
        "matmul_at": ({"A": X, "B": dA}, {}),
        "matmul_bt": ({"A": dA, "B": W}, {}),
        "transpose": ({"A": X}, {}),
        "affine_forward": ({"X": X, "W": W, "b": b}, {}),
        "affine_backward": ({"X": X, "W": W, "dZ": dA}, {}),
        "column_sum": ({"dZ": dA}, {}),
        "layer_backward": ({"dA": dA, "X": X, "W": W, "Z": Z, "A": A}, {"name": "silu"}),
        "activation_forward": ({"Z": Z}, {"name": "silu"}),
        "activation_backward": ({"dA": dA, "Z": Z, "A": A}, {"name": "silu"}),
        "softmax_forward": ({"Z": Z}, {}),
        "softmax_backward": ({"dA": dA, "A": A}, {}),
        "cost_backward": (
            {"Z": Z, "A": A, "Y": normal(dtype, Z.shape, "Y"), "weights": weights},
            {"cost": "huber", "activation": "silu", "threshold": 0.5},
        ),
    }[name]


def call(name, inputs, options, out=None):
    """The results as a tuple, whether there is one or several."""
    names = OUTPUT_NAMES[name].split()
    result = getattr(functional, name)(
        **inputs, **options, out=out[0] if out is not None and len(names) == 1 else out
    )
    return result if len(names) > 1 else (result,)


def expected(name, inputs, options):
    twin = PRODUCTS.get(name) or getattr(reference, name)
    scale = {"scale": 1 / len(inputs["Y"])} if "Y" in inputs else {}
    result = twin(**inputs, **options, **scale)
    return result if isinstance(result, tuple) else (result,)


def new_outputs(name, inputs, options):
    return tuple(np.full_like(result, 7) for result in call(name, inputs, options))


def csr(shape, dtype, density=0.3, kind=scipy.sparse.csr_array, indices=np.int32):
    X = normal(np.float64, shape, "X")
    X[np.abs(X) > density] = 0
    X = kind(X.astype(dtype))
    X.indices, X.indptr = X.indices.astype(indices), X.indptr.astype(indices)
    return X


def step(name, shape, dtype):
    """Arguments of the functional step: arrays by name, scalars by name."""
    grads, *rest = optimizer_arguments(name, int(np.prod(shape)), dtype)
    names = {"sgd": [], "adam": ["mean", "square"]}.get(name, ["velocity"])
    scalars = {"sgd": ["rate"], "adam": ["rate", "beta1", "beta2", "epsilon"]}.get(name, ["rate", "mu"])
    scalars = [*scalars, "clip", "l2", *(["decay"] if name == "adam" else [])]
    arrays = dict(zip(("grads", *names, "params"), (grads, *rest[len(scalars) :]), strict=True))
    arrays = {key: x.reshape(shape) for key, x in arrays.items()}
    return arrays, dict(zip(scalars, map(float, rest), strict=False))


def unaligned(x):
    copy = np.empty(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


def readonly(x):
    copy = x.copy()
    copy.flags.writeable = False
    return copy


def memmap(x):
    with tempfile.NamedTemporaryFile() as file:
        file.write(x.tobytes())
        file.flush()
        return np.memmap(file.name, x.dtype, "r", shape=x.shape)


FLAVOURS = {
    "list": lambda x: x.astype(np.float64).tolist(),
    "int": lambda x: np.rint(4 * x).astype(np.int16),
    "bool": lambda x: x > 0,
    "float16": lambda x: x.astype(np.float16),
    "longdouble": lambda x: x.astype(np.longdouble),
    "big-endian": lambda x: x.astype(x.dtype.newbyteorder(">")),
    "fortran": lambda x: np.asfortranarray(x),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "reversed": lambda x: x[::-1].copy()[::-1],
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape),
    "unaligned": unaligned,
    "readonly": readonly,
    "memmap": memmap,
    "subclass": lambda x: x.view(type("Subclass", (np.ndarray,), {})),
}
