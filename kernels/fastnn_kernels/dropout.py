"""Inverted dropout whose mask is a function of position, not of the order in which it is drawn.

Unit j of row i in step t of layer l survives if the hash of (seed, t, l, i, j) is small enough: the mask
is the same for any number of workers, is computed again on the way back instead of being stored, and
a resumed run continues with the masks that it would have had. Hashes are 32-bit numbers in int64.
"""

from numba import types

from fastnn_kernels._jit import FAST
from fastnn_kernels.glue import inlined
from fastnn_kernels.leaves import leaf

LOW_32_BITS = 0xFFFFFFFF
_number = inlined(lambda *kinds: types.int64, FAST)


@_number
def mix(x):
    """A bijection of 32-bit numbers that makes neighbours look independent."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & LOW_32_BITS
    x = ((x ^ (x >> 15)) * 0x846CA68B) & LOW_32_BITS
    return x ^ (x >> 16)


@_number
def dropout_key(seed, step, layer):
    """The mask's key for one layer in one step; seed below 2^32."""
    return mix(mix(mix(seed ^ (step & LOW_32_BITS)) ^ (step >> 32)) ^ layer)


@leaf("dropout")
def dropout(T):
    """a[i, j] = a[i, j] / keep where the unit survives, else 0 (NaN stays NaN), for rows of `row` elements.

    `first` is the number of the first row within the batch, `column` that of the first unit within the layer,
    `keep` the survivors' share.
    """
    zero = T(0)

    def dropout(a, first, rows, column, n, row, keep, seed, step, layer):
        scale, limit, key = T(1.0 / keep), int(keep * 4294967296.0), dropout_key(seed, step, layer)
        for i in range(rows):
            start = mix(key ^ (first + i)) + column
            for j in range(n):
                a[i * row + j] *= scale if mix((start + j) & LOW_32_BITS) < limit else zero

    return dropout
