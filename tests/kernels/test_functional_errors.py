"""Whatever is wrong with a call raises, says what, and has touched nothing."""

import re

import numpy as np
import pytest
import scipy.sparse
from numba import config

from cases import DTYPES, normal
from fastnn import functional
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS
from fastnn_kernels.optimizers import OPTIMIZERS
from functional_cases import (
    OUTPUT_NAMES,
    OVERWRITES,
    SHAPE,
    arguments,
    call,
    csr,
    new_outputs,
    readonly,
    step,
    unaligned,
)

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="matrix products exist as machine code only")
both = pytest.mark.parametrize("dtype", DTYPES)
every = pytest.mark.parametrize("name", OUTPUT_NAMES)


def fails(error, match, name, inputs, options, out=None):
    """The call raises, and leaves every array as it was."""
    arrays = [x for x in (*inputs.values(), *(() if out is None else out)) if isinstance(x, np.ndarray)]
    before = [x.copy() for x in arrays]
    with pytest.raises(error, match=match):
        call(name, inputs, options, out)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)


@every
def test_wrong_inputs(name):
    inputs, options = arguments(name)
    sparse = scipy.sparse.csc_array(np.eye(3))
    for key, x in inputs.items():
        for value in (x + 1j, x.astype(object), x.astype(str), x.astype("M8[s]"), "text", {}, sparse):
            fails(TypeError, f"^{key} (has dtype|is a sparse matrix)", name, {**inputs, key: value}, options)
        fails(ValueError, f"^{key} is empty, its shape is", name, {**inputs, key: x[:0]}, options)
        if key != "weights":
            fails(TypeError, f"^{key} has dtype object", name, {**inputs, key: None}, options)
        if "softmax_" not in name and not name.startswith("activation_"):
            wanted = rf"^{key} has shape \(1, .*\): {key} is to be \("
            fails(ValueError, wanted, name, {**inputs, key: x[None]}, options)


@pytest.mark.parametrize(
    "name, key, match",
    [
        ("matmul", "B", r"B has 6 rows, but A has 7 columns: B is to be \(k, n\)"),
        ("matmul_at", "B", r"B has 4 rows, but A has 5 rows: B is to be \(k, n\)"),
        ("affine_forward", "W", r"W has 6 rows, but X has 7 columns: W is to be \(n_in, n_out\)"),
        ("affine_forward", "b", r"b has 2 elements, but W has 3 columns: b is to be \(n_out\)"),
        ("affine_backward", "dZ", "dZ has 4 rows, but X has 5 rows"),
        ("layer_backward", "X", "X has 4 rows, but dA has 5 rows"),
        ("layer_backward", "Z", "Z has 4 rows, but dA has 5 rows"),
        ("activation_backward", "A", r"A has \(4, 3\) as its shape, but dA has \(5, 3\)"),
        ("softmax_backward", "A", r"A has \(4, 3\) as its shape, but dA has \(5, 3\)"),
        ("cost_backward", "Y", "Y has 4 rows, but Z has 5 rows"),
        *((name, "weights", "weights has 4 elements, but [ZA] has 5 rows") for name in COSTS),
        *((name, "Y", "Y has 4 rows, but [ZA] has 5 rows") for name in COSTS),
    ],
)
def test_sizes_that_disagree(name, key, match):
    inputs, options = arguments(name)
    fails(ValueError, match, name, {**inputs, key: inputs[key][:-1]}, options)


def overlapping(first, second):
    """Copies of both in one memory, the last element of one being the first of the other."""
    memory = np.empty(first.size + second.size - 1, first.dtype)
    views = memory[: first.size].reshape(first.shape), memory[first.size - 1 :].reshape(second.shape)
    views[0][...], views[1].flat[1:] = first, second.flat[1:]
    return views


@both
@every
def test_wrong_out(name, dtype):
    inputs, options = arguments(name, SHAPE, dtype)
    names = OUTPUT_NAMES[name].split()
    for index, output in enumerate(names):

        def wrong(error, match, array, index=index, output=output, inputs=inputs, others=None):
            out = list(others or new_outputs(name, inputs, options))
            out[index] = array
            fails(error, f"output {output} {match}", name, inputs, options, tuple(out))

        right = new_outputs(name, inputs, options)[index]
        wanted = rf"expected .* of shape {re.escape(str(right.shape))} and dtype {right.dtype}"
        wrong(TypeError, f"is a list, {wanted}", right.tolist())
        wrong(TypeError, f"has dtype int64, {wanted}", right.astype(np.int64))
        wrong(TypeError, "has dtype >f", right.astype(right.dtype.newbyteorder(">")))
        wrong(TypeError, "has dtype float", right.astype("f4" if dtype == np.float64 else "f8"))
        wrong(ValueError, rf"has shape \({len(right) + 1},", np.concatenate([right, right[:1]]))
        wrong(ValueError, r"has shape \(1, ", right[None])
        wrong(ValueError, "is not C_CONTIGUOUS", np.repeat(right, 2, axis=-1)[..., ::2])
        wrong(ValueError, "is not C_CONTIGUOUS", right[::-1])
        wrong(ValueError, "is not WRITEABLE", readonly(right))
        wrong(ValueError, "is not ALIGNED", unaligned(right))
        for key, x in inputs.items():
            for pair in (overlapping(x, right), overlapping(right, x)[::-1]):
                wrong(
                    ValueError,
                    f"overlaps {key}: give memory of its own",
                    pair[1],
                    inputs={**inputs, key: pair[0]},
                )
        for other in range(index):
            out = list(new_outputs(name, inputs, options))
            out[other], array = overlapping(out[other], right)
            wrong(ValueError, f"overlaps {names[other]}: give memory", array, others=out)
    if len(names) > 1:
        for out in ((), (None,), (None,) * 7, np.zeros(2)):
            fails(TypeError, f"tuple .* {', '.join(names)}", name, inputs, options, out)


@every
def test_out_is_an_input(name):
    inputs, options = arguments(name)
    names = OUTPUT_NAMES[name].split()
    for output, value in zip(names, call(name, inputs, options), strict=True):
        for key, x in inputs.items():
            if x.shape == value.shape and OVERWRITES.get(name, {}).get(output) != key:
                out = tuple(x if other == output else None for other in names)
                fails(ValueError, f"output {output} overlaps {key}: give", name, inputs, options, out)


def test_names():
    Z = np.ones((2, 3))
    for function in (
        lambda name: functional.activation_forward(Z, name),
        lambda name: functional.activation_backward(Z, Z, Z, name),
        lambda name: functional.layer_backward(Z, Z, np.ones((3, 3)), Z, Z, name),
        lambda name: functional.cost_backward(Z, Z, Z, "huber", name),
    ):
        with pytest.raises(
            ValueError, match="unknown activation 'rleu': expected one of identity, sigmoid, .*softmax"
        ):
            function("rleu")
    with pytest.raises(ValueError, match="unknown cost 'mse': expected one of binary_cross_entropy, .*huber"):
        functional.cost_backward(Z, Z, Z, "mse", "relu")


@pytest.mark.parametrize("cost", COSTS)
def test_output_activation(cost):
    Z = np.ones((2, 3))
    for activation in set(ACTIVATIONS) - set(COSTS[cost].outputs):
        with pytest.raises(ValueError, match=f"{cost} goes with the activation .*, not {activation}"):
            functional.cost_backward(Z, Z, Z, cost, activation)


def test_scalars():
    Z = np.ones((2, 3))
    for value in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match=f"smoothing is {value}, expected a number from 0 to 1"):
            functional.binary_cross_entropy(Z, Z, smoothing=value)
    with pytest.raises(ValueError, match="threshold is -1"):
        functional.huber(Z, Z, threshold=-1)
    with pytest.raises(TypeError, match="scale is a str, expected a real number"):
        functional.poisson(Z, Z, scale="1")
    with pytest.raises(TypeError, match="rate is a ndarray"):
        functional.sgd(Z, Z.copy(), rate=np.ones(1))


def test_wrong_class_indices():
    Z = normal(np.float64, (4, 3), "Z")
    for Y, match in (
        ([0, 1, 2, 3], "Y holds 0 to 3, expected indices of classes: 0 to 2"),
        ([0, 1, 2, -1], "Y holds -1 to 2"),
        ([0, 1, 2, 0.5], "Y holds 0.0 to 2.0"),
        ([0, 1, 2, np.nan], "Y holds nan to nan"),
        ([0, 1, 2], "Y has 3 elements, but Z has 4 rows"),
        ([[0], [1], [2], [0]], "Y has 1 columns, but Z has 3 columns"),
    ):
        with pytest.raises(ValueError, match=match):
            functional.softmax_cross_entropy(Z, Y)
    memory = np.zeros((4, 3))
    with pytest.raises(ValueError, match="output dZ overlaps Y"):
        functional.softmax_cross_entropy(Z, memory.view(np.int64).ravel()[:4], out=(None, memory))
    with pytest.raises(TypeError, match="Y has dtype complex128"):
        functional.softmax_cross_entropy(Z, np.zeros(4, complex))


@pytest.mark.parametrize(
    "change, error, match",
    [
        ({"indices": [0, 2, 4]}, ValueError, "X.indices run from 0 to 4, expected 0 to 3"),
        ({"indices": [0, -1, 3]}, ValueError, "X.indices run from -1 to 3"),
        ({"indices": np.array([0, 2**64 - 1, 3], np.uint64)}, ValueError, "X.indices run from -1 to 3"),
        ({"indices": [0.0, 1.0, 2.0]}, TypeError, "X: expected .* of an integer type"),
        ({"indices": [[0, 1, 2]]}, ValueError, "X: data, indices and indptr have the shapes"),
        ({"indices": [0, 1]}, ValueError, "X.indptr ends at 3, beyond the end of indices or data"),
        ({"data": [1.0]}, ValueError, "X.indptr ends at 3, beyond the end of indices or data"),
        ({"data": [1j, 1, 1]}, TypeError, "X has dtype complex128"),
        ({"indptr": [0, 1, 2, 3]}, ValueError, "X.indptr: expected 3 numbers that rise from 0"),
        ({"indptr": [0, 3]}, ValueError, "X.indptr: expected 3 numbers that rise from 0"),
        ({"indptr": []}, TypeError, "X: expected .* of an integer type"),
        ({"indptr": [1, 2, 3]}, ValueError, "X.indptr: expected"),
        ({"indptr": [0, 4, 3]}, ValueError, "X.indptr: expected"),
        ({"indptr": np.array([0, 2**31 - 1, -(2**31)], np.int32)}, ValueError, "X.indptr: expected"),
    ],
)
def test_wrong_csr(change, error, match):
    X = scipy.sparse.csr_array((2, 4))
    parts = {"data": [1.0, 2.0, 3.0], "indices": [0, 1, 3], "indptr": [0, 1, 3], **change}
    for name, part in parts.items():
        setattr(X, name, np.asarray(part))
    for name, last in (("affine_forward", {"b": np.zeros(5)}), ("affine_backward", {"dZ": np.zeros((2, 5))})):
        with pytest.raises(error, match=match):
            getattr(functional, name)(X, np.zeros((4, 5)), **last)


def test_sparse_arguments():
    X, W, b = csr((5, 7), np.float64, indices=np.int64), np.zeros((7, 3)), np.zeros(3)
    with pytest.raises(TypeError, match=r"sparse matrix of format 'csc': give X.tocsr\(\)"):
        functional.affine_forward(X.tocsc(), W, b)
    with pytest.raises(ValueError, match="W has 6 rows, but X has 7 columns"):
        functional.affine_forward(X, W[:6], b)
    with pytest.raises(ValueError, match="output dX is not computed"):
        functional.affine_backward(X, W, np.zeros((5, 3)), out=(None, None, np.zeros((5, 7))))
    for part in (X.data, X.indptr.view(np.float64)):
        with pytest.raises(ValueError, match="output Z overlaps X"):
            functional.affine_forward(X, np.zeros((7, 1)), np.zeros(1), out=part[:5, None])


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_wrong_state(name, dtype):
    arrays, scalars = step(name, (3, 5), dtype)
    state = list(arrays)[1:]

    def wrong(error, match, **changed):
        given = {**arrays, **changed}
        before = {key: np.array(x) for key, x in given.items()}
        with pytest.raises(error, match=match):
            getattr(functional, name)(**given, **scalars)
        for key, x in given.items():
            np.testing.assert_array_equal(x, before[key])

    wrong(ValueError, r"has \(3, 5\) as its shape, but grads has \(2, 5\)", grads=arrays["grads"][:2])
    wrong(TypeError, "^grads has dtype complex", grads=1j * arrays["grads"])
    for key in state:
        x = arrays[key]
        wrong(TypeError, f"output {key} is a list", **{key: np.rint(x).astype(int).tolist()})
        wrong(TypeError, f"output {key} has dtype int64", **{key: x.astype(np.int64)})
        wrong(ValueError, rf"^{key} has \(2, 5\) as its shape", **{key: x[:2]})
        wrong(ValueError, f"output {key} is not WRITEABLE", **{key: readonly(x)})
        wrong(ValueError, f"output {key} is not C_CONTIGUOUS", **{key: np.asfortranarray(x)})
        wrong(ValueError, f"output {key} overlaps grads: give memory of its own$", grads=x)
        for other in state:
            if other != key:
                wrong(ValueError, "output .* overlaps .*: give memory of its own$", **{key: arrays[other]})
        grads, x = overlapping(arrays["grads"], x)
        wrong(ValueError, f"output {key} overlaps grads", **{"grads": grads, key: x})
    if dtype == np.float32:
        wrong(TypeError, "dtype float32, expected .* float64", grads=arrays["grads"].astype(np.float64))
