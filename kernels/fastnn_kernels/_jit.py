"""The one decorator of every kernel that takes arrays: compiler flags, and the disk cache."""

import numba

from fastnn_kernels._cache import cache_for
from fastnn_kernels._numba import config, unliteral

# Everything that fast mathematics may do, except to assume that there is no NaN and no infinity:
# with `fastmath=True` the compiler deletes the very checks that would show a divergence.
FAST = frozenset({"contract", "arcp", "nsz", "reassoc"})
# For code whose rounding is designed operation by operation; a * b + c may still become one FMA.
EXACT = frozenset({"contract"})


def kernel(function=None, *, fastmath=FAST, inline=False):
    """Compile `function` at its first call: no GIL, NumPy's rules for division, cached on disk.

    Its callers compile it again with themselves, at each level of calls: the loops of training and prediction
    call leaves instead (leaves.py). `inline` gives callers its source, before types are inferred: for glue.
    """
    if function is None:
        return lambda f: kernel(f, fastmath=fastmath, inline=inline)
    compiled = numba.njit(
        fastmath=set(fastmath),
        error_model="numpy",
        nogil=True,
        inline="always" if inline else "never",
        _nrt=False,  # kernels allocate nothing and return no views: counting references only costs time
    )(function)
    if not config.DISABLE_JIT:
        template = compiled.get_call_template

        def without_literals(args, kws):
            # numba would compile a kernel anew for each combination of literal arguments: four times the
            # matrix product, three seconds instead of one.
            return template([unliteral(a) for a in args], {name: unliteral(a) for name, a in kws.items()})

        compiled.get_call_template = without_literals
        cache = cache_for(function, (sorted(fastmath), inline))
        if cache is not None:
            compiled._cache = cache
    return compiled
