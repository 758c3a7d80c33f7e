"""The kernels for Python callers: the same names and formulas, arguments checked, results allocated.

Inputs are whatever NumPy takes for arrays of real numbers: any layout, byte order or subclass, read-only or
not; only what a kernel cannot read as it stands is copied. All arrays of a call get one dtype: float32 if
its float32 and float64 inputs are all float32, else float64; integers, booleans and float16 follow.
X (n_samples, n_in), W (n_in, n_out), b (n_out,), Z, A, Y (n_samples, n_out), gradients accordingly.

Results go to new arrays or to `out`: an array, or where there are several results a tuple with an array or
None for each. An output has the result's shape and dtype, is C-contiguous and overlaps nothing; one of which
"may be" is said may be that input, which it overwrites. A call that raises has written nothing.
"""

from typing import Any

from numpy.typing import ArrayLike

from fastnn.call import Call, Outs, Weights, cost_of
from fastnn.checks import Array, Csr, choice, is_sparse
from fastnn_kernels import affine, backward, on_arrays
from fastnn_kernels import matmul as products
from fastnn_kernels.activations import ACTIVATIONS, SOFTMAX
from fastnn_kernels.costs import COSTS
from fastnn_kernels.optimizers import squared_norm as sum_of_squares

Input = ArrayLike
Out = Array | None
Scale = float | None
INPUT, WEIGHTS, OUTPUT = "n_samples n_in", "n_in n_out", "n_samples n_out"


def matmul(A: Input, B: Input, out: Out = None) -> Array:
    """C = A B;  A (m, k), B (k, n), C (m, n)."""
    return _product(products.matmul, Call(A=(A, "m k"), B=(B, "k n")), out)


def matmul_at(A: Input, B: Input, out: Out = None) -> Array:
    """C = A' B;  A (k, m), B (k, n), C (m, n)."""
    return _product(products.matmul_at, Call(A=(A, "k m"), B=(B, "k n")), out)


def matmul_bt(A: Input, B: Input, out: Out = None) -> Array:
    """C = A B';  A (m, k), B (n, k), C (m, n)."""
    return _product(products.matmul_bt, Call(A=(A, "m k"), B=(B, "n k")), out)


def _product(kernel: Any, call: Call, out: Out) -> Array:
    (C,) = call.outputs((out,), C="m n")
    kernel(*call.arrays.values(), C, call.scratch(products.scratch_size, "m k n"))
    return C


def transpose(A: Input, out: Out = None) -> Array:
    """B = A';  A (m, n), B (n, m)."""
    call = Call(A=(A, "m n"))
    (B,) = call.outputs((out,), B="n m")
    products.transpose(call.arrays["A"], B)
    return B


# Layers. X may be a CSR matrix of scipy.sparse where its type is Any.


def affine_forward(X: Any, W: Input, b: Input, out: Out = None) -> Array:
    """Z = X W + b."""
    csr = Csr("X", X) if is_sparse(X) else None
    call = Call(X=(csr or X, INPUT), W=(W, WEIGHTS), b=(b, "n_out"))
    (Z,) = call.outputs((out,), Z=OUTPUT)
    X, W, b = call.arrays.values()
    if csr:
        affine.affine_forward_csr(X, csr.indices, csr.indptr, W, b, Z)
    else:
        affine.affine_forward(X, W, b, Z, _scratch(call))
    return Z


def affine_backward(
    X: Any, W: Input, dZ: Input, with_dX: bool = True, out: Outs = None
) -> tuple[Array, Array, Array | None]:
    """dW = X' dZ, db = sum of dZ over rows, dX = dZ W', or None if X is CSR or not `with_dX`."""
    csr = Csr("X", X) if is_sparse(X) else None
    with_dX = with_dX and csr is None
    call = Call(X=(csr or X, INPUT), W=(W, WEIGHTS), dZ=(dZ, OUTPUT))
    dW, db, dX = call.outputs(out, dW=WEIGHTS, db="n_out", dX=INPUT if with_dX else "")
    X, W, dZ = call.arrays.values()
    if csr:
        affine.affine_backward_csr(X, csr.indices, csr.indptr, dZ, dW, db)
    else:
        affine.affine_backward(X, W, dZ, dW, db, dX, _scratch(call))
    return dW, db, dX if with_dX else None


def column_sum(dZ: Input, out: Out = None) -> Array:
    """db = sum of dZ over rows."""
    call = Call(dZ=(dZ, OUTPUT))
    (db,) = call.outputs((out,), db="n_out")
    affine.column_sum(call.arrays["dZ"], db)
    return db


def layer_backward(
    dA: Input, X: Input, W: Input, Z: Input, A: Input, name: str, with_dX: bool = True, out: Outs = None
) -> tuple[Array, Array, Array, Array | None]:
    """dZ = dA * g'(Z), which may be dA, then dW, db and dX as in affine_backward; g by its name."""
    code = choice("activation", name, ACTIVATIONS).code
    call = Call(dA=(dA, OUTPUT), X=(X, INPUT), W=(W, WEIGHTS), Z=(Z, OUTPUT), A=(A, OUTPUT))
    sizes = {"dZ": OUTPUT, "dW": WEIGHTS, "db": "n_out", "dX": INPUT if with_dX else ""}
    dZ, dW, db, dX = call.outputs(out, {"dZ": "dA"}, **sizes)
    backward.layer_backward(*call.arrays.values(), code, dZ, dW, db, dX, _scratch(call))
    return dZ, dW, db, dX if with_dX else None


def _scratch(call: Call) -> Array:
    return call.scratch(affine.affine_scratch_size, "n_samples n_in n_out")


# Activations, by the names in ACTIVATIONS, of arrays of any shape; softmax is over the last axis.


def activation_forward(Z: Input, name: str, out: Out = None) -> Array:
    """A = g(Z), which may be Z."""
    code = choice("activation", name, ACTIVATIONS).code
    call = Call(Z=(Z, "..."))
    (A,) = call.outputs((out,), {"A": "Z"}, A="...")
    if code == SOFTMAX:
        on_arrays.softmax_forward(_rows(call.arrays["Z"]), _rows(A))
    else:
        on_arrays.activation_forward(_rows(call.arrays["Z"]), code, _rows(A))
    return A


def activation_backward(dA: Input, Z: Input, A: Input, name: str, out: Out = None) -> Array:
    """dZ = dA * g'(Z), which may be dA; for softmax Z is not looked at."""
    code = choice("activation", name, ACTIVATIONS).code
    if code == SOFTMAX:
        return softmax_backward(dA, A, out)
    call = Call(dA=(dA, "..."), Z=(Z, "..."), A=(A, "..."))
    (dZ,) = call.outputs((out,), {"dZ": "dA"}, dZ="...")
    on_arrays.activation_backward(*map(_rows, call.arrays.values()), code, _rows(dZ))
    return dZ


def softmax_forward(Z: Input, out: Out = None) -> Array:
    """A = exp(Z) / sum of exp(Z) over the last axis; A may be Z."""
    return activation_forward(Z, "softmax", out)


def softmax_backward(dA: Input, A: Input, out: Out = None) -> Array:
    """dZ = A * (dA - sum of dA * A over the last axis); dZ may be dA."""
    call = Call(dA=(dA, "..."), A=(A, "..."))
    (dZ,) = call.outputs((out,), {"dZ": "dA"}, dZ="...")
    on_arrays.softmax_backward(*map(_rows, call.arrays.values()), _rows(dZ))
    return dZ


def _rows(array: Array) -> Array:
    return array.reshape(-1, array.shape[-1] if array.ndim else 1)


# Costs. All give (cost, delta): cost (n_samples,) weighted, not scaled, and delta = scale * weights * its
# derivative by Z or A. weights (n_samples,): 1 unless given; scale: 1 / n_samples.


def binary_cross_entropy(
    Z: Input, Y: Input, weights: Weights = None, smoothing: float = 0, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """sum_j log(1 + exp(z)) - z y, with labels y := y (1 - smoothing) + smoothing / 2."""
    options = {"smoothing": smoothing, "scale": scale}
    return cost_of("binary_cross_entropy", {"Z": Z, "Y": Y}, weights, options, out)


def softmax_cross_entropy(
    Z: Input, Y: Input, weights: Weights = None, smoothing: float = 0, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """log sum_j exp(z) - sum_j y z, with y := y (1 - smoothing) + smoothing / n_out.

    Y: (n_samples, n_out), rows that sum to 1, or (n_samples,), the indices of classes.
    """
    options = {"smoothing": smoothing, "scale": scale}
    return cost_of("softmax_cross_entropy", {"Z": Z, "Y": Y}, weights, options, out)


def poisson(
    Z: Input, Y: Input, weights: Weights = None, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """sum_j exp(z) - y z + (y log y - y), for counts y whose means are exp(z)."""
    return cost_of("poisson", {"Z": Z, "Y": Y}, weights, {"scale": scale}, out)


def squared_error(
    A: Input, Y: Input, weights: Weights = None, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """sum_j (a - y)^2 / 2."""
    return cost_of("squared_error", {"A": A, "Y": Y}, weights, {"scale": scale}, out)


def absolute_error(
    A: Input, Y: Input, weights: Weights = None, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """sum_j |a - y|."""
    return cost_of("absolute_error", {"A": A, "Y": Y}, weights, {"scale": scale}, out)


def huber(
    A: Input, Y: Input, weights: Weights = None, threshold: float = 1, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """sum_j d^2 / 2 if |d| <= threshold, else threshold * (|d| - threshold / 2), with d = a - y."""
    return cost_of("huber", {"A": A, "Y": Y}, weights, {"threshold": threshold, "scale": scale}, out)


def quantile(
    A: Input, Y: Input, weights: Weights = None, scale: Scale = None, out: Outs = None
) -> tuple[Array, Array]:
    """sum_j q (y - a) if a < y, else (1 - q) (a - y); Y (n_samples, 2 n_out): y, then the q of each."""
    return cost_of("quantile", {"A": A, "Y": Y}, weights, {"scale": scale}, out)


def cost_backward(
    Z: Input, A: Input, Y: Input, cost: str, activation: str, weights: Weights = None,
    smoothing: float = 0, threshold: float = 1, scale: Scale = None, out: Outs = None,
) -> tuple[Array, Array]:  # fmt: skip
    """(cost, dZ) of an output layer A = g(Z), cost and g by name."""
    outputs = choice("cost", cost, COSTS).outputs
    if choice("activation", activation, ACTIVATIONS).name not in outputs:
        raise ValueError(f"{cost} goes with the activation {' or '.join(outputs)}, not {activation}")
    options = {"smoothing": smoothing, "threshold": threshold, "scale": scale}
    return cost_of(cost, {"Z": Z, "A": A, "Y": Y}, weights, options, out, activation)


# Optimizers. They overwrite the moments and params; all arrays have one shape, whatever it is, and
# g = clip * grads + l2 * params.


def sgd(grads: Input, params: Array, *, rate: float = 0.01, clip: float = 1, l2: float = 0) -> None:
    """params -= rate * g."""
    _step("sgd", grads, dict(rate=rate, clip=clip, l2=l2), params=params)


def momentum(
    grads: Input, velocity: Array, params: Array, *,
    rate: float = 0.01, mu: float = 0.9, clip: float = 1, l2: float = 0,
) -> None:  # fmt: skip
    """velocity = mu * velocity - rate * g; params += velocity."""
    _step("momentum", grads, dict(rate=rate, mu=mu, clip=clip, l2=l2), velocity=velocity, params=params)


def nesterov(
    grads: Input, velocity: Array, params: Array, *,
    rate: float = 0.01, mu: float = 0.9, clip: float = 1, l2: float = 0,
) -> None:  # fmt: skip
    """velocity = mu * velocity - rate * g; params += mu * velocity - rate * g."""
    _step("nesterov", grads, dict(rate=rate, mu=mu, clip=clip, l2=l2), velocity=velocity, params=params)


def adam(
    grads: Input, mean: Array, square: Array, params: Array, *,
    rate: float = 0.001, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8,
    clip: float = 1, l2: float = 0, decay: float = 0,
) -> None:  # fmt: skip
    """mean, square: of g and g^2; params -= decay * params + rate * mean / (sqrt(square) + epsilon).

    Step t of Adam without bias: rate := rate * c / (1 - beta1**t) and epsilon := epsilon * c, where
    c = sqrt(1 - beta2**t). AdamW: decay = rate * weight decay.
    """
    options = dict(rate=rate, beta1=beta1, beta2=beta2, epsilon=epsilon, clip=clip, l2=l2, decay=decay)
    _step("adam", grads, options, mean=mean, square=square, params=params)


def _step(name: str, grads: Input, options: dict[str, float], **state: Array) -> None:
    """One step of the optimizer `name`, which overwrites all of `state`."""
    call = Call(grads=(grads, "..."), **{key: (array, "...") for key, array in state.items()})
    results = call.outputs(tuple(state.values()), {x: x for x in state}, **dict.fromkeys(state, "..."))
    arrays = [array.reshape(-1) for array in (call.arrays["grads"], *results)]
    getattr(on_arrays, name)(arrays[0], *call.numbers(options), *arrays[1:])


def squared_norm(grads: Input) -> float:
    """Sum of the squares, in float64."""
    return float(sum_of_squares(array := Call(grads=(grads, "...")).arrays["grads"], array.size))
