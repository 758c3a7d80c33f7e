"""The compiled network takes arrays of any layout, and refuses what it cannot read."""

import numpy as np
import pytest
from numba import config
from numba.core.errors import TypingError

from cases import normal
from training_cases import make_network

pytestmark = pytest.mark.skipif(config.DISABLE_JIT, reason="matrix products exist as machine code only")


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
    for wrong in (X.astype(np.float64), X[None], X.astype(int), 1.0):
        with pytest.raises(TypingError, match="the network takes float32 arrays of 1 or 2 dimensions, not"):
            f(wrong)
