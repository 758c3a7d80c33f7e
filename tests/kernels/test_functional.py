"""The checked face of the kernels against their NumPy twins, from any kind of input, into any output."""

import inspect

import numpy as np
import pytest
import scipy.sparse
from numba import config

from cases import DTYPES, PAIRS, assert_close, layer_arguments, normal, targets
from fastnn import functional, reference
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.optimizers import OPTIMIZERS
from functional_cases import (
    FLAVOURS,
    OUTPUT_NAMES,
    OVERWRITES,
    SHAPE,
    SHAPES,
    arguments,
    call,
    csr,
    expected,
    new_outputs,
    readonly,
    step,
)

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="matrix products exist as machine code only")
both = pytest.mark.parametrize("dtype", DTYPES)
every = pytest.mark.parametrize("name", OUTPUT_NAMES)


def test_every_function_is_tested():
    public = {name for name, x in vars(functional).items() if inspect.isfunction(x) and name[0] != "_"}
    public = {name for name in public if getattr(functional, name).__module__ == functional.__name__}
    assert public == {*OUTPUT_NAMES, *OPTIMIZERS, "squared_norm"}


@both
@every
def test_equals_reference(name, dtype):
    for shape in SHAPES:
        inputs, options = arguments(name, shape, dtype)
        wide = {key: x.astype(np.float64) for key, x in inputs.items()}
        results = call(name, inputs, options)
        for result, value in zip(results, expected(name, wide, options), strict=True):
            assert result.dtype == dtype and result.flags.c_contiguous and result.flags.writeable
            assert_close(result, value, ulps=200, label=shape)


@both
@pytest.mark.parametrize("cost, activation", PAIRS)
def test_every_cost_and_activation(cost, activation, dtype):
    inputs, options = arguments("cost_backward", SHAPE, dtype)
    inputs["A"] = reference.activation_forward(inputs["Z"], activation)
    inputs["Y"] = targets(cost, inputs["Z"].shape, dtype)
    options |= {"cost": cost, "activation": activation, "smoothing": 0.1}
    results = call("cost_backward", inputs, options)
    for result, value in zip(results, expected("cost_backward", inputs, options), strict=True):
        assert_close(result, value, ulps=200)


@both
@every
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_any_kind_of_input(flavour, name, dtype):
    inputs, options = arguments(name, SHAPE, dtype)
    inputs = {key: FLAVOURS[flavour](x) for key, x in inputs.items()}
    common = dtype if flavour not in ("list", "int", "bool", "float16", "longdouble") else np.float64
    plain = {key: np.array(x, common) for key, x in inputs.items()}
    results = call(name, inputs, options)
    for result, value in zip(results, call(name, plain, options), strict=True):
        assert type(result) is np.ndarray and result.dtype == common
        np.testing.assert_array_equal(result, value)
    for key, x in inputs.items():
        np.testing.assert_array_equal(x, plain[key])


@both
def test_read_only_inputs_need_no_other_machine_code(dtype):
    inputs, options = arguments("affine_forward", SHAPE, dtype)
    call("affine_forward", inputs, options)
    kernel = functional.affine.affine_forward
    known = len(kernel.signatures)
    call("affine_forward", {key: readonly(x) for key, x in inputs.items()}, options)
    assert len(kernel.signatures) == known


@pytest.mark.parametrize(
    "types, result",
    [
        (("f4", "f4"), "f4"), (("f4", "f8"), "f8"), (("f8", "f4"), "f8"), (("f4", "i8"), "f4"),
        (("?", "f4"), "f4"), (("f2", "f4"), "f4"), (("i8", "f8"), "f8"), (("f2", "i8"), "f8"),
    ],
)  # fmt: skip
def test_common_dtype(types, result):
    A, B = (np.ones((2, 2), x) for x in types)
    assert functional.matmul(A, B).dtype == result


@both
@every
def test_out(name, dtype):
    inputs, options = arguments(name, SHAPE, dtype)
    values = call(name, inputs, options)
    out = new_outputs(name, inputs, options)
    for result, array, value in zip(call(name, inputs, options, out), out, values, strict=True):
        assert result is array
        np.testing.assert_array_equal(result, value)
    out = (new_outputs(name, inputs, options)[0], *[None] * (len(values) - 1))
    for result, value in zip(call(name, inputs, options, out), values, strict=True):
        np.testing.assert_array_equal(result, value)


@both
@every
def test_out_may_be_an_input(name, dtype):
    for output, key in OVERWRITES.get(name, {}).items():
        inputs, options = arguments(name, SHAPE, dtype)
        values = call(name, inputs, options)
        out = tuple(inputs[key] if name == output else None for name in OUTPUT_NAMES[name].split())
        results = call(name, inputs, options, out)
        assert any(result is inputs[key] for result in results)
        for result, value in zip(results, values, strict=True):
            np.testing.assert_array_equal(result, value)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(), (1,), (17,), (2, 3, 5), (2, 1, 3, 2)])
def test_activations_of_any_shape(name, shape):
    Z, dA = normal(np.float64, shape, "Z"), normal(np.float64, shape, "dA")
    rows = Z.reshape(-1, shape[-1] if shape else 1)
    A = functional.activation_forward(Z, name)
    assert A.shape == shape
    assert_close(A, reference.activation_forward(rows, name).reshape(shape), ulps=100)
    value = reference.activation_backward(dA.reshape(rows.shape), rows, A.reshape(rows.shape), name)
    assert_close(functional.activation_backward(dA, Z, A, name), value.reshape(shape), ulps=100)


def test_nan_goes_through():
    Z = np.array([[np.nan, 1.0, 2.0]])
    assert np.isnan(functional.activation_forward(Z, "relu")[0, 0])
    assert np.isnan(functional.softmax_forward(Z)).all()
    assert np.isnan(functional.squared_error(Z, np.zeros(Z.shape))[0]).all()


@both
@pytest.mark.parametrize("labels", [list, np.uint8, np.int64, np.float32, np.float64])
@pytest.mark.parametrize("n_out", [1, 3, 17])
def test_class_indices(n_out, labels, dtype):
    Z, y = normal(dtype, (9, n_out), "Z"), np.arange(9) % n_out
    Y = y.tolist() if labels is list else y.astype(labels)
    rows = np.eye(n_out, dtype=dtype)[y]
    results = functional.softmax_cross_entropy(Z, Y, smoothing=0.1)
    for result, value in zip(results, functional.softmax_cross_entropy(Z, rows, smoothing=0.1), strict=True):
        assert result.dtype == dtype
        assert_close(result, value)
    again = functional.cost_backward(Z, Z, Y, "softmax_cross_entropy", "softmax", smoothing=0.1)
    for result, value in zip(again, results, strict=True):
        np.testing.assert_array_equal(result, value)


@both
@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("density", [0, 0.3, 9])
@pytest.mark.parametrize("kind", [scipy.sparse.csr_array, scipy.sparse.csr_matrix])
def test_csr(kind, density, indices, dtype):
    for shape in SHAPES:
        _, W, b, dZ = layer_arguments(shape, dtype)
        X = csr(shape[:2], dtype, density, kind, indices)
        dense = X.toarray()
        Z = functional.affine_forward(X, W, b)
        assert Z.dtype == dtype
        assert_close(Z, functional.affine_forward(dense, W, b), ulps=200)
        dW, db, dX = functional.affine_backward(X, W, dZ)
        values = functional.affine_backward(dense, W, dZ, with_dX=False)
        assert dX is values[2] is None
        assert_close(dW, values[0], ulps=200)
        np.testing.assert_array_equal(db, values[1])


def test_csr_of_any_kind():
    """Repeated and unsorted indices, spare room behind them, read-only, two types of integers."""
    X = scipy.sparse.csr_array((3, 4))
    X.indptr, X.indices = np.array([0, 3, 3, 5], ">i8"), np.array([3, 0, 3, 2, 1, 77, -5], np.int32)
    X.data = np.array([1, 2, 3, 4, 5, np.nan, np.nan], ">f8")
    X.indices.flags.writeable = X.data.flags.writeable = False
    W, b, dZ = normal(np.float64, (4, 2), "W"), np.zeros(2), normal(np.float64, (3, 2), "dZ")
    dense = np.array([[2, 0, 0, 4], [0, 0, 0, 0], [0, 5, 4, 0]])
    assert_close(functional.affine_forward(X, W, b), dense @ W)
    assert_close(functional.affine_backward(X, W, dZ)[0], dense.T @ dZ)
    X.data = np.arange(7)
    assert functional.affine_forward(X, W.astype("f4"), b.astype("f4")).dtype == np.float32


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("shape", [(), (1,), (17,), (3, 5), (2, 3, 4)])
def test_optimizers(name, shape, dtype):
    arrays, scalars = step(name, shape, dtype)
    values = getattr(reference, name)(**{k: x.astype(np.float64) for k, x in arrays.items()}, **scalars)
    grads = arrays["grads"].copy()
    assert getattr(functional, name)(**arrays, **scalars) is None
    np.testing.assert_array_equal(arrays.pop("grads"), grads)
    for x, value in zip(arrays.values(), values if isinstance(values, tuple) else (values,), strict=True):
        assert_close(x, value)


@both
def test_squared_norm(dtype):
    grads = normal(dtype, (3, 4, 5), "grads")
    result = functional.squared_norm(grads)
    assert type(result) is float
    np.testing.assert_allclose(result, np.sum(grads.astype(np.float64) ** 2), 1e-12)
