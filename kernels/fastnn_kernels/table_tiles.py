"""exp, tanh and sigmoid of float32 from tables that stand in registers: AVX-512 looks 32 numbers up at once.

A lookup costs what a multiply-add does, so that short polynomials on small pieces beat one long polynomial
and its division: tanh takes 9 cycles a vector of 16 instead of 20, exp 6 instead of 15. At most 2 ulp off, as
vecmath's; zeros, infinities, subnormal numbers and NaN come out as the mathematics says.
"""

import numpy as np
from llvmlite import ir

from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import emitted, loop_of
from fastnn_kernels.simd import VECTOR_BYTES

TABLES = VECTOR_BYTES == 64
_I32, _I64 = ir.IntType(32), ir.IntType(64)
ENTRIES = 32
SIGN = -(2**31)

# tanh: 32 pieces of |x|, four an octave from 2^-4 to 2^4; the first reaches down to 0, the last are 1.
FIRST, LAST, PIECE_SHIFT, DEGREE = 2.0**-4, 15.99, 21, 5
# exp: 2^(i / 32), and what is left of x after n / 32 octaves.
LOG2E, LN2_HIGH, LN2_LOW = np.log2(np.e), 0.693145751953125, 1.4286068203094172e-06
ROUND = 1.5 * 2**18  # added, it leaves multiples of 1 / 32


def _tanh_tables():
    """Centres (32,) and coefficients (DEGREE + 1, 32), lowest power first, by the pieces' indices."""
    tables = np.zeros((DEGREE + 2, ENTRIES))
    edges = (np.arange(ENTRIES + 1) % 4 / 4 + 1) * 2.0 ** (np.arange(ENTRIES + 1) // 4 - 4)
    first_index = int(np.float32(FIRST).view(np.int32)) >> PIECE_SHIFT
    nodes = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
    for piece, (low, high) in enumerate(zip(edges, edges[1:], strict=False)):
        column = tables[:, (first_index + piece) % ENTRIES]
        if piece == 0:  # x - x^3 / 3 + 2 x^5 / 15, to a quarter of an ulp up to 2^-4 * 1.25
            column[2], column[4], column[6] = 1, -1 / 3, 2 / 15
        elif low >= 9.5:
            column[1] = 1
        else:
            centre, half = (low + high) / 2, (high - low) / 2
            fitted = np.polynomial.Polynomial.fit(nodes * half, np.tanh(centre + nodes * half), DEGREE)
            column[0], column[1:] = centre, fitted.convert().coef
    return tables[0], tables[1:]


class _Tables:
    """Emits the functions of one vector; `v` is of float32."""

    def __init__(self, v):
        self.v, self.builder = v, v.builder
        self.bits = ir.VectorType(_I32, v.lanes)

    def number(self, x):
        return ir.Constant(self.v.vector, [ir.Constant(self.v.element, float(np.float32(x)))] * self.v.lanes)

    def mask(self, x):
        return ir.Constant(self.bits, [_I32(x)] * self.v.lanes)

    def _call(self, name, kinds, *values):
        kind = ir.FunctionType(self.v.vector, kinds)
        return self.builder.call(cgutils.get_or_insert_function(self.builder.module, kind, name), values)

    def lookup(self, table, index):
        """table[index % 32]."""
        vector, lanes = self.v.vector, self.v.lanes
        numbers = [ir.Constant(self.v.element, float(np.float32(x))) for x in table]
        low, high = ir.Constant(vector, numbers[:lanes]), ir.Constant(vector, numbers[lanes:])
        name = "llvm.x86.avx512.vpermi2var.ps.512"
        return self._call(name, [vector, self.bits, vector], low, index, high)

    def least(self, x, limit):
        """min(x, limit), NaN if x is."""
        b, limit = self.builder, self.number(limit)
        return b.select(b.fcmp_ordered(">", x, limit), limit, x)

    def most(self, x, limit):
        """max(x, limit), NaN if x is."""
        b, limit = self.builder, self.number(limit)
        return b.select(b.fcmp_ordered("<", x, limit), limit, x)

    def tanh(self, x):
        b, v = self.builder, self.v
        centres, coefficients = _tanh_tables()
        raw = b.bitcast(x, self.bits)
        size = self.least(b.bitcast(b.and_(raw, self.mask(~SIGN)), v.vector), LAST)
        index = b.lshr(b.bitcast(self.most(size, FIRST), self.bits), self.mask(PIECE_SHIFT))
        t = b.fsub(size, self.lookup(centres, index))
        y = self.lookup(coefficients[DEGREE], index)
        for table in coefficients[DEGREE - 1 :: -1]:
            y = v.fma(y, t, self.lookup(table, index))
        return b.bitcast(b.or_(b.bitcast(y, self.bits), b.and_(raw, self.mask(SIGN))), v.vector)

    def exp(self, x, closer=False):
        """exp(x) for x from -110 to 90, 1 ulp off, or half of one if `closer`."""
        b, v = self.builder, self.v
        powers = 2.0 ** (np.arange(ENTRIES) / ENTRIES)
        t = v.fma(x, self.number(LOG2E), self.number(ROUND))
        n = b.fsub(t, self.number(ROUND))
        r = v.fma(n, self.number(-LN2_LOW), v.fma(n, self.number(-LN2_HIGH), x))
        index = b.bitcast(t, self.bits)
        if closer:  # what the table's rounding has lost
            r = b.fadd(r, self.lookup(powers / powers.astype(np.float32) - 1, index))
        q = v.fma(b.fmul(r, r), v.fma(r, self.number(1 / 6), self.number(0.5)), r)
        power = self.lookup(powers, index)
        mask = ir.IntType(16)
        kinds = [v.vector, v.vector, v.vector, mask, _I32]
        name = "llvm.x86.avx512.mask.scalef.ps.512"  # y 2^floor(n), subnormal and infinite too
        return self._call(name, kinds, v.fma(power, q, power), n, v.zero, mask(-1), _I32(4))

    def clamped_exp(self, x):
        return self.exp(self.most(self.least(x, 90.0), -110.0))

    def sigmoid(self, x):
        """u - u t / (1 + t), t = exp(-|x|), u = t for x < 0, else 1."""
        b, v, one = self.builder, self.v, self.number(1)
        negative = b.bitcast(b.or_(b.bitcast(x, self.bits), self.mask(SIGN)), v.vector)
        t = self.exp(self.most(negative, -110.0), closer=True)
        d = b.fadd(one, t)
        mask = ir.IntType(16)
        r = self._call("llvm.x86.avx512.rcp14.ps.512", [v.vector, v.vector, mask], d, v.zero, mask(-1))
        r = v.fma(r, v.fma(b.fneg(d), r, one), r)
        u = b.select(b.fcmp_ordered("<", x, v.zero), t, one)
        return v.fma(b.fneg(u), b.fmul(t, r), u)


def _over(function):
    @emitted
    def apply(v, a, n):
        """a = function(a) over n elements."""
        emit = getattr(_Tables(v), function)
        whole = v.builder.and_(n, _I64(-v.lanes))

        def vector(i, held, mask=None):
            v.store(emit(v.load(v.pointer(a, i), mask)), v.pointer(a, i), mask)
            return held

        loop_of(v.builder, _I64(0), whole, _I64(v.lanes), [], vector)
        with v.builder.if_then(v.builder.icmp_signed("<", whole, n)):
            vector(whole, [], v.first(v.builder.sub(n, whole)))

    return apply


exp_over, tanh_over, sigmoid_over = _over("clamped_exp"), _over("tanh"), _over("sigmoid")
