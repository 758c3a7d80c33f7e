"""exp, tanh and sigmoid over arrays: at most 2 ulp off wherever vecmath's are, and nothing past the end."""

import numpy as np
import pytest
from numba import config
from test_vecmath import assert_close, everywhere, with_long_double

from cases import DTYPES, normal
from guard import AVAILABLE, EDGES, guarded
from leaf_cases import compiled

pytestmark = pytest.mark.skipif(config.DISABLE_JIT or not AVAILABLE, reason="compiled kernels, POSIX memory")
each = pytest.mark.parametrize("name", ("exp", "tanh", "sigmoid"))
both = pytest.mark.parametrize("dtype", DTYPES)


def evaluate(name, X):
    Y = X.copy()
    compiled(f"{name}_forward", X.dtype.name)(Y, 1, Y.size)
    return Y


@each
@both
def test_error_in_ulp_over_the_whole_range(name, dtype):
    X = everywhere(dtype, 40_000)
    assert_close(name, X, evaluate(name, X), with_long_double(name, X))


@each
def test_every_hundredth_float32_where_something_happens(name):
    """From 2^-13 to 128, both signs: all pieces of the tables and the ends of the range."""
    low, high = np.float32([2.0**-13, 128.0]).view(np.int32)
    X = np.arange(low, high, 101, dtype=np.int32).view(np.float32)
    for part in (X, -X):
        with np.errstate(all="ignore"):
            x = part.astype(np.float64)
            t = np.exp(-abs(x))
            exact = {
                "exp": np.exp,
                "tanh": np.tanh,
                "sigmoid": lambda x, t=t: np.where(x < 0, t, 1) / (1 + t),
            }
            assert_close(name, part, evaluate(name, part), exact[name](x))


@both
def test_special_values(dtype):
    X = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    for name, expected in (
        ("exp", [1, 1, np.inf, 0, np.nan]),
        ("tanh", [0.0, -0.0, 1, -1, np.nan]),
        ("sigmoid", [0.5, 0.5, 1, 0, np.nan]),
    ):
        Y = evaluate(name, X)
        np.testing.assert_array_equal(Y, np.array(expected, dtype))
        assert name != "tanh" or np.signbit(Y[1])
    tiny = np.array([np.finfo(dtype).smallest_subnormal, -np.finfo(dtype).tiny / 2], dtype)
    np.testing.assert_array_equal(evaluate("tanh", tiny), tiny)


@each
@both
@pytest.mark.parametrize("edge", EDGES)
def test_any_length_and_nothing_past_the_end(name, dtype, edge):
    for n in (*range(1, 40), 100):
        X = normal(dtype, n, name)
        Y = guarded(X, edge)
        compiled(f"{name}_forward", np.dtype(dtype).name)(Y, 1, n)
        np.testing.assert_array_equal(Y, evaluate(name, np.resize(X, 128))[:n])
