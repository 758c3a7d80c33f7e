"""Numbers of bfloat16 in pairs: words of 32 bits, the first number in the low half; their products.

A product C = A B is a sum over pairs of k, which is filled up with zeros to whole GROUPs.

- A stands in tiles: strips of STRIP rows, each so many tiles of GROUP numbers, a tile STRIP lines of
  LINE_WORDS words. Strips are any number of words apart. One tile is what Intel's AMX loads.
- B stands in panels: (k / 2, width) words, two vectors wide; word (p, j) has B[2p, j] and B[2p + 1, j].
"""

import ctypes
import sys
from functools import cache

from llvmlite import ir

from fastnn_kernels.simd import BFLOAT16_UNITS, DOTS_OF_PAIRS, VECTOR_BYTES

STRIP, LINE_WORDS = 16, 16
GROUP, TILE_WORDS = 2 * LINE_WORDS, STRIP * LINE_WORDS
PANEL_VECTORS = 2
WORD = 4  # bytes
# Linux: a process asks for the state of the tiles once, by a number for the call and one for the state.
_SYSCALL, _REQUEST, _TILE_DATA = 158, 0x1023, 18

_I32, _I64 = ir.IntType(32), ir.IntType(64)


@cache
def tiles_permitted():
    """Whether this process may use AMX's tiles: the kernel is asked once, and may refuse."""
    if "AMX" not in BFLOAT16_UNITS or VECTOR_BYTES != 64 or sys.platform != "linux":
        return False
    return ctypes.CDLL(None).syscall(_SYSCALL, _REQUEST, _TILE_DATA) == 0


def whole_groups(n):
    """n numbers in whole GROUPs."""
    return -(-n // GROUP) * GROUP


def panel_width(itemsize=4):
    """Columns of a panel."""
    return PANEL_VECTORS * VECTOR_BYTES // itemsize


def words_of(v):
    """The type of a vector of words."""
    return ir.VectorType(_I32, v.lanes)


def all_of(v, number):
    return ir.Constant(words_of(v), [number] * v.lanes)


def _rounded(v, x):
    """The bits of x whose upper half is the nearest bfloat16, of two the even one; NaN stays."""
    b = v.builder
    bits = b.bitcast(x, words_of(v))
    odd = b.and_(b.lshr(bits, all_of(v, 16)), all_of(v, 1))
    near = b.add(b.add(bits, all_of(v, 0x7FFF)), odd)
    quiet = b.or_(bits, all_of(v, 1 << 22))
    return b.select(b.fcmp_unordered("uno", x, x), quiet, near)


def _halves(v, x, y):
    """Where the CPU rounds: the numbers of x in 16 bits each, then those of y."""
    halves = ir.VectorType(ir.IntType(16), 2 * v.lanes)
    return v.builder.bitcast(v.two_in_bfloat16(y, x), halves)


def interleaved(v, x, y):
    """The words (x[i], y[i])."""
    b = v.builder
    if DOTS_OF_PAIRS:
        halves = _halves(v, x, y)
        order = [i // 2 + (i % 2) * v.lanes for i in range(2 * v.lanes)]
        pick = ir.Constant(ir.VectorType(_I32, 2 * v.lanes), order)
        return b.bitcast(b.shuffle_vector(halves, halves, pick), words_of(v))
    low, high = _rounded(v, x), _rounded(v, y)
    return b.or_(b.lshr(low, all_of(v, 16)), b.and_(high, all_of(v, -1 << 16)))


def in_line(v, x, y):
    """The words of the numbers of x, one after the other, then of those of y."""
    if DOTS_OF_PAIRS:
        return v.builder.bitcast(_halves(v, x, y), words_of(v))
    indices = ir.VectorType(_I32, v.lanes)
    even, odd = (ir.Constant(indices, [2 * i + first for i in range(v.lanes)]) for first in (0, 1))
    return interleaved(v, *(v.builder.shuffle_vector(x, y, pick) for pick in (even, odd)))


def word_pointer(v, base, *offsets):
    """A pointer to a vector of words, at the sum of some numbers of words from `base`."""
    return v.builder.bitcast(v.pointer(base, *offsets), words_of(v).as_pointer())


def load_words(v, base, *offsets):
    value = v.builder.load(word_pointer(v, base, *offsets))
    value.align = v.size
    return value


def store_words(v, words, base, *offsets):
    v.builder.store(words, word_pointer(v, base, *offsets)).align = v.size


def in_tiles(builder, word):
    """How far the word `word` of a row is from the row's first, from tile to tile."""
    tile = builder.lshr(word, _I64(LINE_WORDS.bit_length() - 1))
    return builder.add(word, builder.mul(tile, _I64(TILE_WORDS - LINE_WORDS)))


def line_offset(builder, row, strip):
    """How far a row's first word is from the first word of A; strip: words between strips."""
    shift = _I64(STRIP.bit_length() - 1)
    within = builder.mul(builder.and_(row, _I64(STRIP - 1)), _I64(LINE_WORDS))
    return builder.add(builder.mul(builder.lshr(row, shift), strip), within)


def dots(v, a, b, sums):
    """sums[i, j] + the dot products of the pair in word i of `a`, numbers, and those in vector j of `b`."""
    builder, left, results = v.builder, iter(sums), []
    if DOTS_OF_PAIRS:
        words = [v.splat(x, words_of(v)) for x in a]
        return [v.fma_pairs(x, y, next(left)) for x in words for y in b]
    sixteen, upper = all_of(v, 16), all_of(v, -1 << 16)
    vectors = [
        [builder.bitcast(half, v.vector) for half in (builder.shl(y, sixteen), builder.and_(y, upper))]
        for y in b
    ]
    for x in a:
        low, high = builder.shl(x, _I32(16)), builder.and_(x, _I32(-1 << 16))
        low, high = (v.splat(builder.bitcast(half, v.element)) for half in (low, high))
        results += [v.fma(high, second, v.fma(low, first, next(left))) for first, second in vectors]
    return results
