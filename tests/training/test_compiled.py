"""The compiled network takes arrays of any layout, and refuses what it cannot read."""

import numpy as np
import pytest
from numba import njit

from cases import normal
from training_cases import make_network

pytestmark = pytest.mark.slow


def test_layouts_and_refusals():
    network = make_network((4, 3, 2), dtype="float32")
    f = network.compiled()
    X = normal(np.float32, (9, 4))
    P = network.predict(X)
    frozen, wide = X.copy(), np.repeat(X, 2, axis=1)
    frozen.flags.writeable = False
    for inputs in (X, np.asfortranarray(X), wide[:, ::2], frozen):
        np.testing.assert_array_equal(f(inputs), P)
        np.testing.assert_array_equal(f(inputs[3]), P[3])
    for wrong in (X[:, 1:], X[0, 1:], np.repeat(X, 2, axis=1)):
        with pytest.raises(ValueError, match=r"the network takes 4 inputs: one row \(4,\) or a matrix"):
            f(wrong)
    for wrong in (X.astype(np.float64), X[0].astype(np.float64), X[None], X.astype(int), 1.0):
        with pytest.raises(
            TypeError, match="the network takes float32 arrays of 1 or 2 dimensions, not"
        ) as told:
            f(wrong)
        assert "\n" not in str(told.value) and "give np.asarray(x, np.float32)" in str(told.value)


def test_a_wrong_type_in_compiled_code_is_one_line():
    f = make_network((4, 3, 2), dtype="float32").compiled()

    @njit
    def total(X):
        result = 0.0
        for i in range(len(X)):
            result += f(X[i])[0]
        return result

    assert np.isfinite(total(np.ones((5, 4), np.float32)))
    message = r"^the network takes float32 arrays of 1 or 2 dimensions, not array\(float64, 1d, C\): .*$"
    with pytest.raises(TypeError, match=message):
        total(np.ones((5, 4)))
