"""Orders of rows as NumPy's Generator draws them: many short shuffles, each from a seed of its own.

`np.random.default_rng([seed, epoch, 0]).shuffle(rows)`, number for number: a SeedSequence, PCG64, and
numbers that are drawn again if they are too large. A generator and 4,000 numbers take a quarter of the time.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.glue import glue
from fastnn_kernels.leaves import leaf

LOW_32_BITS = 0xFFFFFFFF
# SeedSequence's hashes.
INIT_A, MULT_A, INIT_B, MULT_B = 0x43B0D7E5, 0x931E8875, 0x8B51F9DD, 0x58F38DED
MIX_L, MIX_R = 0xCA01F9DD, 0x4973F715
# PCG64's multiplier.
_PCG = 0x2360ED051FC65DA44385DF649FCCF645
_I64, _I128 = ir.IntType(64), ir.IntType(128)
_PAIR = types.UniTuple(types.uint64, 2)


def _wide(builder, high, low):
    return builder.or_(builder.shl(builder.zext(high, _I128), _I128(64)), builder.zext(low, _I128))


@intrinsic
def _step(typingctx, high, low, inc_high, inc_low):
    """state * multiplier + inc, in 128 bits: the high and the low half."""

    def codegen(context, builder, signature, args):
        state = builder.mul(_wide(builder, *args[:2]), _I128(_PCG))
        state = builder.add(state, _wide(builder, *args[2:]))
        high = builder.trunc(builder.lshr(state, _I128(64)), _I64)
        return cgutils.pack_array(builder, [high, builder.trunc(state, _I64)])

    return _PAIR(*[types.uint64] * 4), codegen


@glue(types.int64)
def _hashed(value, constant, following):
    """SeedSequence's hash of a 32-bit number with this constant and the one that follows."""
    value = ((value ^ constant) * following) & LOW_32_BITS
    return value ^ (value >> 16)


@glue(types.int64)
def _mixed(x, y):
    value = (((MIX_L * x) & LOW_32_BITS) - ((MIX_R * y) & LOW_32_BITS)) & LOW_32_BITS
    return value ^ (value >> 16)


@glue(types.uint64)
def _word(a, b, constant):
    """Two 32-bit words of the generated state as one number."""
    following = (constant * MULT_B) & LOW_32_BITS
    last = (following * MULT_B) & LOW_32_BITS
    return np.uint64(_hashed(a, constant, following)) | np.uint64(_hashed(b, following, last)) << np.uint64(
        32
    )


@glue(types.UniTuple(types.int64, 4))
def _pool(seed, epoch, constant):
    """SeedSequence([seed, epoch, 0])'s pool of four 32-bit numbers; epoch below 2^32."""
    wide = seed > LOW_32_BITS
    a, b = seed & LOW_32_BITS, (seed >> 32) if wide else epoch
    c, d = epoch if wide else 0, 0
    following = (constant * MULT_A) & LOW_32_BITS
    a, constant, following = _hashed(a, constant, following), following, (following * MULT_A) & LOW_32_BITS
    b, constant, following = _hashed(b, constant, following), following, (following * MULT_A) & LOW_32_BITS
    c, constant, following = _hashed(c, constant, following), following, (following * MULT_A) & LOW_32_BITS
    d, constant, following = _hashed(d, constant, following), following, (following * MULT_A) & LOW_32_BITS
    for source in range(4):
        for target in range(4):
            if source != target:
                value = a if source == 0 else b if source == 1 else c if source == 2 else d
                value = _hashed(value, constant, following)
                constant, following = following, (following * MULT_A) & LOW_32_BITS
                if target == 0:
                    a = _mixed(a, value)
                elif target == 1:
                    b = _mixed(b, value)
                elif target == 2:
                    c = _mixed(c, value)
                else:
                    d = _mixed(d, value)
    return a, b, c, d


@glue(types.UniTuple(types.uint64, 4))
def _seeded(seed, epoch, constant):
    """State and increment of the generator, as four halves."""
    a, b, c, d = _pool(seed, epoch, INIT_A)
    squared = (MULT_B * MULT_B) & LOW_32_BITS
    first = _word(a, b, constant)
    constant = (constant * squared) & LOW_32_BITS
    second = _word(c, d, constant)
    constant = (constant * squared) & LOW_32_BITS
    third = _word(a, b, constant)
    constant = (constant * squared) & LOW_32_BITS
    fourth = _word(c, d, constant)
    one = np.uint64(1)
    inc_high, inc_low = third << one | fourth >> np.uint64(63), fourth << one | one
    low = inc_low + second  # the first step is from 0 to inc
    high = inc_high + first + np.uint64(low < second)
    high, low = _step(high, low, inc_high, inc_low)
    return high, low, inc_high, inc_low


@leaf("shuffles", EXACT)
def shuffle_orders(T):
    def shuffle_orders(seeds, epochs, counts, orders, row, first, last, times):
        """Shuffle `times` orders of counts[m] numbers each, from orders[m * row] on, for first <= m < last.

        The order of epoch epochs[m] + e is that of default_rng([seeds[m], epochs[m] + e, 0]); none of fewer
        than two numbers is drawn.
        """
        low_bits, half, turns, one = np.uint64(LOW_32_BITS), np.uint64(32), np.uint64(63), np.uint64(1)
        for m in range(first, last):
            count = counts[m]
            for e in range(times):
                high, low, inc_high, inc_low = _seeded(seeds[m], epochs[m] + e, INIT_B)
                at, drawn, left, mask = m * row + e * count, np.uint64(0), False, one
                i = count - 1
                while mask < np.uint64(i):
                    mask = mask << one | one
                while i > 0:
                    if left:
                        number, left = drawn >> half, False
                    else:
                        high, low = _step(high, low, inc_high, inc_low)
                        turn, drawn = high >> np.uint64(58), high ^ low
                        drawn = drawn >> turn | drawn << ((np.uint64(64) - turn) & turns)
                        number, left = drawn & low_bits, True
                    # One that is too large changes nothing: a third are, which a branch would often mistake.
                    j = np.int64(number & mask)
                    taken = j <= i
                    j = j if taken else i
                    kept = orders[at + i]
                    orders[at + i] = orders[at + j]
                    orders[at + j] = kept
                    i -= 1 if taken else 0
                    mask = mask >> one if np.uint64(i) <= mask >> one else mask

    return shuffle_orders
