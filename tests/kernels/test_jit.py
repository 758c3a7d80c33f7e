"""What the decorator makes of a function, shown by child processes that run a copy of the package."""

import pytest

pytestmark = pytest.mark.slow


def test_flags_are_a_part_of_the_key(copy):
    copy.write(
        "tiny_flags.py",
        """
from fastnn_kernels._jit import EXACT, FAST, kernel


def residue(x, y):
    return (x + y) - x


fast, exact = kernel(fastmath=FAST)(residue), kernel(fastmath=EXACT)(residue)
""",
    )
    code = "from fastnn_kernels.tiny_flags import exact, fast\nprint((fast(1e16, 1.0), exact(1e16, 1.0)))"
    assert copy.run(code) == (1.0, 0.0)


def test_without_the_compiler_a_kernel_is_its_function(copy):
    code = "from fastnn_kernels.tiny import tiny\nprint((type(tiny).__name__, tiny(3.0)))"
    assert copy.run(code, NUMBA_DISABLE_JIT="1") == ("function", 6.5)
    assert copy.entries() == {}


def test_literal_arguments_compile_nothing_again(copy):
    copy.write(
        "tiny_literals.py",
        """
from numba import njit
from fastnn_kernels._jit import kernel


@kernel
def add(x, n, flag):
    return x + n if flag else x


@kernel
def caller(x):
    return add(x, 1, True) + add(x, 2, False) + add(x, n=3, flag=True)


@njit
def user(x):
    return add(x, 4, True) + add(x, 5, flag=False)
""",
    )
    code = """
from fastnn_kernels.tiny_literals import add, caller, user
print((caller(1.0), user(1.0), add(1.0, 2, True), len(add.signatures)))
"""
    assert copy.run(code) == (7.0, 6.0, 3.0, 1)


def test_users_cache_their_own_code_that_calls_kernels(copy):
    """Its machine code holds that of the kernels: the next process loads it as it was."""
    (copy.package.parent / "mine.py").write_text("""
import numpy as np
from numba import njit
from fastnn_kernels.on_arrays import sgd, softmax_forward


@njit(cache=True)
def mine(Z, params):
    A = np.empty_like(Z)
    softmax_forward(Z, A)
    sgd(A.ravel(), 0.5, 1.0, 0.0, params)
    return params
""")
    code = """
import numpy as np
from mine import mine
params = mine(np.array([[0.0, 0.0], [0.0, np.log(3)]]), np.zeros(4))
print((params.round(12).tolist(), sum(mine.stats.cache_hits.values())))
"""
    expected = [-0.25, -0.25, -0.125, -0.375]
    assert [copy.run(code) for _ in range(3)] == [(expected, 0), (expected, 1), (expected, 1)]


def test_a_kernel_survives_pickling(copy):
    code = "import pickle\nfrom fastnn_kernels.tiny import tiny\n"
    code += "print((pickle.loads(pickle.dumps(tiny))(3.0), pickle.loads(pickle.dumps(tiny)) is tiny))"
    assert copy.run(code) == (6.5, True)
