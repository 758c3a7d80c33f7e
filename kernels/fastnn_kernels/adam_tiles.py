"""Adam on vectors, without division and square root where the processor estimates their reciprocals."""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels._numba import cgutils
from fastnn_kernels.emit import emitted, loop_of
from fastnn_kernels.leaves import leaf
from fastnn_kernels.simd import VECTOR_BYTES

_I64 = ir.IntType(64)
ESTIMATES = VECTOR_BYTES == 64  # AVX-512 has rsqrt14 and rcp14: 14 bits, which each Newton step doubles
BETA1, BETA2 = range(2)  # of the optimizers' `scalars`
RATE, EPSILON, DECAY = range(3)  # of their `rates`


def constant(v, value):
    """A vector of one number."""
    return ir.Constant(v.vector, [ir.Constant(v.element, value)] * v.lanes)


def _estimate(v, name, x):
    mask = ir.IntType(max(8, v.lanes))
    name = f"llvm.x86.avx512.{name}.{'ps' if v.size == 4 else 'pd'}.512"
    kind = ir.FunctionType(v.vector, [v.vector, v.vector, mask])
    return v.builder.call(cgutils.get_or_insert_function(v.builder.module, kind, name), [x, v.zero, mask(-1)])


def quotient(v, mean, square, epsilon):
    """mean / (s sqrt(square) + epsilon) and s, a number; `epsilon(s)` gives s times the epsilon wanted."""
    b = v.builder
    if not ESTIMATES:
        kind = ir.FunctionType(v.vector, [v.vector])
        sqrt = cgutils.get_or_insert_function(b.module, kind, f"llvm.sqrt.v{v.lanes}f{8 * v.size}")
        return b.fdiv(mean, b.fadd(b.call(sqrt, [square]), epsilon(1.0))), 1.0
    steps, least, most = (1, 1.2e-38, 3.4e38) if v.size == 4 else (2, 2.3e-308, 1.7e308)
    least, most = constant(v, least), constant(v, most)
    # Of 0 and of infinity the estimate is infinite and 0, and the product of the two would be NaN.
    beyond = b.fcmp_ordered(">", square, most)
    x = b.select(beyond, most, square)
    r, s = _estimate(v, "rsqrt14", b.select(b.fcmp_ordered("<", x, least), least, x)), 1.0
    for step in range(steps):
        # r = s / sqrt(x) becomes r (3 s^2 - x r^2) = 2 s^3 / sqrt(x), with twice the bits
        root = b.fmul(x, r)
        t = v.fma(b.fneg(root), r, constant(v, 3 * s * s))
        s = 2 * s**3
        if step < steps - 1:
            r = b.fmul(r, t)
    d = v.fma(root, t, epsilon(s))
    q = _estimate(v, "rcp14", d)
    for _ in range(steps):
        q = b.fmul(q, v.fma(b.fneg(d), q, constant(v, 2.0)))
    return b.fmul(mean, b.select(beyond, v.zero, q)), s  # a mean may be large enough for what q would be


@emitted
def _adam(v, scalars, rates, clip, l2, plain, grads, mean, square, params, n):
    b = v.builder

    def scalar(pointer, index):
        return v.splat(v.number(b.load(b.gep(pointer, [_I64(index)]))))

    nothing = ir.Constant(ir.DoubleType(), 0.0)
    beta1, beta2, rate, epsilon = (
        scalar(scalars, BETA1), scalar(scalars, BETA2), scalar(rates, RATE), scalar(rates, EPSILON)
    )  # fmt: skip
    decay = b.load(b.gep(rates, [_I64(DECAY)]))
    less = v.splat(v.number(b.fneg(b.select(plain, nothing, decay))))
    l2, clip = v.splat(v.number(b.select(plain, nothing, l2))), v.splat(v.number(clip))
    one = constant(v, 1.0)
    # Newton's steps scale the root by 2 or 16: so do epsilon and the rate.
    scaled = {
        scale: (b.fmul(epsilon, constant(v, scale)), b.fmul(rate, constant(v, -scale)))
        for scale in (1.0, 2.0, 16.0)
    }
    rest1, rest2 = b.fsub(one, beta1), b.fsub(one, beta2)

    def vector(i, held, mask=None):
        g_p, m_p, s_p, p_p = (v.pointer(x, i) for x in (grads, mean, square, params))
        p = v.load(p_p, mask)
        g = v.fma(l2, p, b.fmul(clip, v.load(g_p, mask)))
        m = v.fma(beta1, v.load(m_p, mask), b.fmul(rest1, g))
        s = v.fma(b.fmul(rest2, g), g, b.fmul(beta2, v.load(s_p, mask)))
        ratio, scale = quotient(v, m, s, lambda scale: scaled[scale][0])
        p = v.fma(scaled[scale][1], ratio, v.fma(less, p, p))
        for value, place in ((m, m_p), (s, s_p), (p, p_p)):
            v.store(value, place, mask)
        return held

    whole = b.and_(n, _I64(-v.lanes))
    loop_of(b, _I64(0), whole, _I64(v.lanes), [], vector)
    with b.if_then(b.icmp_signed("<", whole, n)):
        vector(whole, [], v.first(b.sub(n, whole)))


@leaf("optimizer", EXACT)
def adam_update(T):
    def adam_update(scalars, rates, clip, l2, plain, grads, mean, square, params, n):
        """g = clip * grads + l2 * params; params -= decay * params + rate * mean / (sqrt(square) + epsilon).

        mean, square: running means of g and g^2, of beta1 and beta2, the scalars; rates: rate,
        epsilon, decay. `plain`: no l2, no decay. At most 4 ulp of the step off; of an infinite square the
        step is 0, of a subnormal one without an epsilon it is not exact.
        """
        _adam(scalars, rates, clip, l2, plain, grads, mean, square, params, n)

    return adam_update
