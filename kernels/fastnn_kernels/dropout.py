"""Inverted dropout whose mask is a function of position, not of the order in which it is drawn.

Unit j of row i in step t of layer l survives if the hash of (seed, t, l, i, j) is small enough: the mask
is the same for any number of workers, is computed again on the way back instead of being stored, and
a resumed run continues with the masks that it would have had. Hashes are 32-bit numbers in int64.
"""

from fastnn_kernels._jit import kernel

LOW_32_BITS = 0xFFFFFFFF


@kernel
def _mix(x):
    """A bijection of 32-bit numbers that makes neighbours look independent."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & LOW_32_BITS
    x = ((x ^ (x >> 15)) * 0x846CA68B) & LOW_32_BITS
    return x ^ (x >> 16)


@kernel
def dropout_key(seed, step, layer):
    """The mask's key for one layer in one step; seed below 2^32."""
    return _mix(_mix(_mix(seed ^ (step & LOW_32_BITS)) ^ (step >> 32)) ^ layer)


@kernel
def dropout(A, first, keep, key):
    """A[i, j] = A[i, j] / keep where the unit survives, else 0 (NaN stays NaN);  A (rows, n_units).

    `first` is the number of A's first row within the batch, `keep` the survivors' share.
    """
    T = A.dtype.type
    scale, zero = T(1.0 / keep), T(0)
    limit = int(keep * 4294967296.0)
    for i in range(A.shape[0]):
        row = A[i]
        start = _mix(key ^ (first + i))
        for j in range(row.size):
            row[j] *= scale if _mix((start + j) & LOW_32_BITS) < limit else zero
