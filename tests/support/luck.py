"""No luck in tests: what is drawn without a seed follows from the name of the test that draws it."""

import random
import zlib

import numpy as np


def seeded(name):
    """Seed Python's generator and NumPy's, and what NumPy takes for noise: each seed=None draws from it."""
    number = zlib.crc32(name.encode())
    random.seed(number)
    np.random.seed(number)
    np.random.bit_generator.randbits = random.Random(number).getrandbits
