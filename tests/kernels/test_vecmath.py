"""vecmath against long double and mpmath: errors in ulp over the whole range, special values, assembly."""

import functools
import platform
import re

import mpmath
import numpy as np
import pytest
from numba import config, njit, typeof

from fastnn_kernels import vecmath
from fastnn_kernels._jit import FAST

FUNCTIONS = ["exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf"]
DTYPES = [np.float32, np.float64]
LONG = np.longdouble
# Where long double is double, the oracle itself is up to 1 ulp of float64 off.
MAX_ULP = {np.float32: 2, np.float64: 4 if np.finfo(LONG).nmant > 60 else 5}
each_function = pytest.mark.parametrize("name", FUNCTIONS)
each_dtype = pytest.mark.parametrize("T", DTYPES)
compiled_only = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="looks at compiled code")
inf, nan = np.inf, np.nan


@functools.cache
def over_array(name):
    """A loop over the function in a kernel with the flags of its callers."""
    function = getattr(vecmath, name)

    @njit(fastmath=set(FAST), error_model="numpy")
    def apply(X, Y):
        for i in range(X.size):
            Y[i] = function(X[i])

    return apply


def evaluate(name, X):
    Y = np.empty_like(X)
    over_array(name)(X, Y)
    return Y


def with_mpmath(name, X):
    """The exact values rounded to long double, slowly; NaN and infinities as NumPy has them."""
    reference = {
        "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
        "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    }.get(name) or getattr(mpmath, name)
    Y = np.empty(X.shape, LONG)
    with mpmath.workprec(200):
        for i, x in enumerate(X):
            y = reference(mpmath.mpf(float(x)))
            high = float(y)
            Y[i] = LONG(high) + (LONG(float(y - high)) if np.isfinite(high) else 0)
    return Y


def with_long_double(name, X):
    """The same by NumPy's long double functions, which are much faster."""
    with np.errstate(all="ignore"):
        X = X.astype(LONG)
        if name == "sigmoid":
            t = np.exp(-abs(X))
            return np.where(X < 0, t, 1) / (1 + t)
        if name == "softplus":
            return np.maximum(X, 0) + np.log1p(np.exp(-abs(X)))
        return getattr(np, name)(X)


def ulp_error(Y, exact, T):
    """|Y - exact| in units of T's spacing at exact; 0 where both are the same infinity or NaN."""
    with np.errstate(all="ignore"):
        info = np.finfo(T)
        exponent = np.frexp(exact)[1]
        spacing = np.ldexp(LONG(1), np.maximum(exponent - 1, info.minexp) - info.nmant)
        error = abs(Y.astype(LONG) - exact) / spacing
        rounded = exact.astype(T)
    finite = np.isfinite(rounded)
    same = (Y == rounded) | (np.isnan(Y) & np.isnan(rounded))
    return np.where(finite, np.where(np.isnan(error), inf, error), np.where(same, 0, inf))


def neighbourhoods(T):
    """The floats on both sides of the points where some function changes its formula or its range."""
    bits = {np.float32: np.int32, np.float64: np.int64}[T]
    log2 = np.log(2)
    points = [0.5, 1, 2, 2**0.5, 0.5**0.5, 2**0.5 - 1, 1 - 0.5**0.5, 3.925, 5.93, 9.01, 19.06, 20, 40]
    points += [(n + 0.5) * log2 / k for n in range(4) for k in (1, 2)]  # where n changes
    points += [16.6355, 17.3287, 36.7368, 37.4299]  # sigmoid is 1, expm1 is -1
    points += [64 * log2, 87.3365, 88.3762, 88.7228, 89, 103.2789, 103.9721, 104.5]  # float32: over, under
    points += [512 * log2, 708.3964, 709.4362, 709.7827, 710, 744.4401, 745.1332, 746]  # float64
    info = np.finfo(T)
    points += [info.tiny, 2 * info.tiny, info.max / 2, 0.7 * info.max, info.eps, info.eps / 2]
    around = T(points).view(bits)[:, None] + np.arange(-40, 41, dtype=bits)
    ends = np.concatenate([np.arange(81, dtype=bits), T(info.max).view(bits) - np.arange(81, dtype=bits)])
    X = np.concatenate([around.ravel(), ends]).view(T)
    X = np.concatenate([X, T(1) - X[abs(X) < 2], [T(inf), T(nan)]]).astype(T)
    return np.concatenate([X, -X])


def everywhere(T, size, seed=0):
    """Random bit patterns (all exponents, NaN too), all magnitudes, and where the functions bend."""
    rng = np.random.default_rng(seed)
    bits = {np.float32: np.uint32, np.float64: np.uint64}[T]
    info = np.finfo(T)
    patterns = rng.integers(0, np.iinfo(bits).max, size, dtype=bits, endpoint=True).view(T)
    magnitudes = np.exp2(rng.uniform(info.minexp, 11, size)) * rng.choice([-1, 1], size)
    lengths = [2, 20, 110, 760]
    uniform = np.concatenate([rng.uniform(-length, length, size) for length in lengths])
    return np.concatenate([patterns, magnitudes.astype(T), uniform.astype(T), neighbourhoods(T)])


def assert_close(name, X, Y, exact):
    error = ulp_error(Y, exact, X.dtype.type)
    worst = np.argmax(error)
    message = f"{name}({X[worst]!r}) = {Y[worst]!r}, exact {exact[worst]!r}: {error[worst]:.2f} ulp"
    assert error[worst] <= MAX_ULP[X.dtype.type], message


@pytest.mark.slow
@each_dtype
@each_function
def test_error_in_ulp_over_the_whole_range(name, T):
    X = everywhere(T, 200 if config.DISABLE_JIT else 40_000)
    if name == "erf":  # NumPy has none
        X = X[:: X.size // 8000]
        X = np.concatenate([X, np.linspace(-6, 6, 4001, dtype=T), neighbourhoods(T)[::7]])
    exact = with_mpmath(name, X) if name == "erf" else with_long_double(name, X)
    assert_close(name, X, evaluate(name, X), exact)


@each_function
def test_error_in_ulp_against_mpmath(name):
    X = everywhere(np.float64, 40, seed=1)
    X = X[(abs(X) < 700) & (X > (0 if name == "log" else -1 if name == "log1p" else -inf))]
    assert_close(name, X, evaluate(name, X), with_mpmath(name, X))


@each_dtype
@each_function
def test_python_body_agrees(name, T):
    X = everywhere(T, 40, seed=2)
    X = np.concatenate([X[:240], X[240::20]])
    Y = np.array([getattr(vecmath, name)(x) for x in X])
    assert Y.dtype == T
    if name == "erf":
        X, Y = X[::4], Y[::4]
    assert_close(name, X, Y, with_mpmath(name, X) if name == "erf" else with_long_double(name, X))


@each_dtype
@pytest.mark.parametrize(
    "name, pairs",
    [
        ("exp", [(0, 1), (-0.0, 1), (inf, inf), (-inf, 0), (1e4, inf), (-1e4, 0)]),
        ("expm1", [(0, 0), (-0.0, -0.0), (inf, inf), (-inf, -1), (1e4, inf), (-1e4, -1)]),
        ("log", [(0, -inf), (-0.0, -inf), (inf, inf), (1, 0), (-1, nan), (-1e-40, nan), (-inf, nan)]),
        ("log1p", [(0, 0), (-0.0, -0.0), (inf, inf), (-1, -inf), (-1.5, nan), (-1e30, nan), (-inf, nan)]),
        ("tanh", [(0, 0), (-0.0, -0.0), (inf, 1), (-inf, -1), (1e30, 1), (-1e30, -1)]),
        ("sigmoid", [(0, 0.5), (-0.0, 0.5), (inf, 1), (-inf, 0), (1e30, 1), (-1e30, 0)]),
        ("softplus", [(inf, inf), (-inf, 0), (1e30, 1e30), (-1e30, 0), (1e4, 1e4)]),
        ("erf", [(0, 0), (-0.0, -0.0), (inf, 1), (-inf, -1), (1e30, 1), (-1e30, -1)]),
    ],
)
def test_special_values(name, pairs, T):
    X, expected = np.array(pairs, T).T.copy()
    Y = evaluate(name, X)
    np.testing.assert_array_equal(Y, expected)
    signed = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(Y[signed]), np.signbit(expected[signed]))


@each_dtype
@each_function
def test_nan_of_any_payload_comes_out_as_nan(name, T):
    bits = {np.float32: np.uint32, np.float64: np.uint64}[T]
    payloads = np.arange(1, 1 << 12, dtype=bits) << (np.finfo(T).nmant - 12)
    low = np.arange(1, 1 << 12, dtype=bits)
    sign = bits(1) << bits(8 * T(0).nbytes - 1)
    X = np.concatenate([T(inf).view(bits) + p | s for p in (payloads, low) for s in (bits(0), sign)]).view(T)
    assert np.isnan(X).all()
    assert np.isnan(evaluate(name, X)).all()


@each_dtype
@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh"])
def test_tiny_arguments_are_their_own_value(name, T):
    info = np.finfo(T)
    X = np.array([info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny, 5.5 * info.tiny], T)
    for Z in (X, -X):
        np.testing.assert_array_equal(evaluate(name, Z), Z)


@pytest.mark.slow
@compiled_only
@each_dtype
@each_function
def test_dtype_is_kept(name, T):
    function = getattr(vecmath, name)

    @njit
    def call(x):
        return function(x)

    call(T(0.5))
    assert call.nopython_signatures[0].return_type == typeof(T(0.5))


def native_code(kernel):
    """The assembly of the kernel's last signature, without the wrappers that call it from Python."""
    assembly = kernel.inspect_asm(kernel.signatures[-1])
    start = re.search(rf"^\S*{kernel.__name__}\S*:", assembly, re.MULTILINE).start()
    assert "cpython" not in assembly[start : assembly.index("\n", start)]
    return assembly[start : re.search(r"^\.?\w*func_end\d*:", assembly, re.MULTILINE).start()]


@pytest.mark.slow
@compiled_only
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="knows x86 instructions only")
@each_dtype
@each_function
def test_loop_is_vector_code_without_a_call(name, T):
    apply = over_array.__wrapped__(name)
    apply(np.ones(3, T), np.ones(3, T))
    code = native_code(apply)
    assert not re.search(r"\bcallq?\b", code)
    packed = "ps" if T is np.float32 else "pd"
    assert re.search(rf"\bv?(mul|f\w+){packed}\b.*%[xyz]mm", code)


@pytest.mark.slow
@compiled_only
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="knows x86 instructions only")
@each_dtype
def test_large_kernel_has_no_call_left(T):
    exp, log, tanh, erf = vecmath.exp, vecmath.log, vecmath.tanh, vecmath.erf

    @njit(fastmath=set(FAST), error_model="numpy")
    def apply(X, code, Y):
        if code == 0:
            for i in range(X.size):
                Y[i] = X[i] * erf(X[i]) + exp(X[i])
        elif code == 1:
            for i in range(X.size):
                Y[i] = tanh(erf(X[i])) * log(X[i])
        else:
            for i in range(X.size):
                Y[i] = tanh(X[i]) + exp(-X[i] * X[i])

    apply(np.ones(3, T), 0, np.ones(3, T))
    assert not re.search(r"\bcallq?\b", native_code(apply))
