"""exp, log, tanh ... of one float32 or float64, written so that a loop over them becomes vector code.

Each function is branch-free: reduce the argument, evaluate one polynomial, put the exponent back
through its bits, choose the special cases by selects. It is at most 2 ulp off in float32 (every
number was tried) and 2.3 in float64 (random numbers), subnormal arguments and results included;
signed zeros, infinities and NaN come out as the mathematics says. T in, T out.

Compiled code gets the body inlined by order, not by LLVM's estimate of what that costs: a call left
over makes the loop scalar (float64 erf: 11 ns an element instead of 1.5). The body keeps its own
fastmath flags there, `contract` alone: `reassoc` would undo the additions that serve their rounding.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numba import types

from fastnn_kernels._jit import EXACT
from fastnn_kernels.glue import known_to_numba
from fastnn_kernels.scalars import view


class _Constants(NamedTuple):
    """What the functions know about a dtype. Polynomials have their highest power first."""

    shift: int  # mantissa bits
    one: int  # the bits of 1
    half_octave: int  # the bits of 1 minus those of sqrt(1/2)
    exponent: int  # the mask of the exponent's bits
    integer: int  # integer | i are the bits of 2**shift + i
    sign: int  # the sign's bit
    origin: float  # 2**shift + the exponent's bias
    magic: float  # t + magic rounds t to an integer n and has n + bias in its low bits
    tiny: float  # the smallest normal number
    lift: float  # 2**shift; makes a subnormal number normal
    log2e: float
    ln2_high: float  # so short that n * ln2_high is exact, whether fused or not
    ln2_low: float
    lowest: float  # exp(lowest) rounds to 0
    highest: float  # exp(highest) overflows
    wide: float  # an offset to n that keeps 2**n a normal number where the result is not
    big: float  # 2**wide
    small: float  # 2**-wide
    erf_one: float  # erf(erf_one) rounds to 1
    EXP: tuple  # (exp(r) - 1 - r) / r**2 for |r| <= log(2)/2
    LOG: tuple  # (2 atanh(s) - 2 s) / s**3 in w = s**2, for 0 <= s <= 1/3
    ERF: tuple  # -log(1 - erf(x)) / x - 1 for 0 <= x <= erf_one


def _constants(T, Bits, **values):
    """`values` and what follows from the format of T; floats become T, so that nothing promotes."""
    info = np.finfo(T)
    one, lift, bias = T(1).view(Bits), 2.0**info.nmant, info.maxexp - 1
    return _Constants(
        shift=Bits(info.nmant),
        one=one,
        half_octave=one - T(0.5**0.5).view(Bits),
        exponent=T(np.inf).view(Bits),
        integer=T(lift).view(Bits),
        sign=T(-0.0).view(Bits),
        origin=T(lift + bias),
        magic=T(1.5 * lift + bias),
        tiny=info.tiny,
        lift=T(lift),
        log2e=T(np.log2(np.e)),
        **{name: tuple(map(T, v)) if isinstance(v, tuple) else T(v) for name, v in values.items()},
    )


# Every polynomial is minimax in the relative error of the functions it serves; the coefficients were
# rounded one by one, lowest power first, and the rest fitted again.
_SINGLE = _constants(
    np.float32, np.int32, lowest=-104.5, highest=89.0, wide=64.0, big=2.0**64, small=2.0**-64,
    erf_one=3.925, ln2_high=0.693145751953125, ln2_low=1.4286068203094172e-06,
    EXP=(1.3869948e-03, 8.366253e-03, 4.1667443e-02, 1.6666546e-01, 4.9999997e-01),
    LOG=(2.800682e-01, 2.8003022e-01, 4.0021437e-01, 6.666642e-01),
    ERF=(-9.38745e-06, 1.1885689e-04, -6.373503e-04, 1.6756594e-03, -1.6949467e-04, -1.9147824e-02,
         1.02776304e-01, 6.3661957e-01, 1.2837917e-01),
)  # fmt: skip
_DOUBLE = _constants(
    np.float64, np.int64, lowest=-746.0, highest=710.0, wide=512.0, big=2.0**512, small=2.0**-512,
    erf_one=5.93, ln2_high=0.6931471805598903, ln2_low=5.497923018708371e-14,
    EXP=(2.506370094411703e-08, 2.7625880087492315e-07, 2.7557370467155735e-06, 2.480150562992588e-05,
         0.00019841269769276928, 0.001388888893137538, 0.008333333333360475, 0.041666666666576306,
         0.1666666666666665, 0.5000000000000006),
    LOG=(0.1701500810889319, 0.08342198888779948, 0.12105564255096297, 0.1330104519933777,
         0.1538655401631227, 0.18181744224464821, 0.22222223960573206, 0.28571428548012034,
         0.40000000000155905, 0.6666666666666631),
    ERF=(1.1827790286897426e-14, -4.765999496998041e-13, 8.741704639280388e-12, -9.571719651500398e-11,
         6.829311630098145e-10, -3.163594182540569e-09, 7.827588454054051e-09, 8.220791409652453e-09,
         -1.7369989020914998e-07, 8.52899463540382e-07, -2.4284573450739196e-06, 3.562941305408519e-06,
         2.7976517550146367e-06, -2.9324970011007304e-05, 6.42908935861776e-05, 2.5954795105536108e-05,
         -0.0005901466710353346, 0.001696210494915066, -0.00020919522440116954, -0.01912844696369775,
         0.10277260330009878, 0.6366197723676105, 0.1283791670955125),
)  # fmt: skip


def _for_each_dtype(define, results=1):
    """One function of the bodies `define(T, integer of T's size, constants)`; it gives so many numbers."""
    single, double = define(np.float32, np.int32, _SINGLE), define(np.float64, np.int64, _DOUBLE)

    def function(x, *others):
        with np.errstate(all="ignore"):  # compiled code does not warn either
            return (single if isinstance(x, np.float32) else double)(x, *others)

    def choose(x, *others):
        return {types.float32: single, types.float64: double}.get(x)

    returns = (lambda x, *_: x) if results == 1 else (lambda x, *_: types.UniTuple(x, results))
    known_to_numba(function, returns, choose, fastmath=EXACT, inlined=True)
    function.__name__, function.__doc__ = define.__name__, define.__doc__
    return function


@_for_each_dtype
def _polynomial(T, Bits, c):
    """P(x), in pairs of coefficients: as many operations as Horner's rule, half the latency."""

    def body(x, P):
        odd = len(P) % 2
        square = x * x
        y = P[0] if odd else P[0] * x + P[1]
        for i in range(2 - odd, len(P), 2):
            y = y * square + (P[i] * x + P[i + 1])
        return y

    return body


@partial(_for_each_dtype, results=2)
def _exp_parts(T, Bits, c):
    """exp(x) = s (1 + q), s = 2**n, |q| < 0.42; a magic larger by k makes s larger by 2**k."""

    def body(x, magic):
        t = x * c.log2e + magic
        n = t - magic  # the nearest integer to x / log(2)
        r = (x - n * c.ln2_high) - n * c.ln2_low
        return view(Bits(view(T(t), Bits) << c.shift), T), _polynomial(r, c.EXP) * (r * r) + r

    return body


@_for_each_dtype
def _exp_negative(T, Bits, c):
    """exp(x) for x <= 0."""

    def body(x):
        s, q = _exp_parts(c.lowest if x < c.lowest else x, c.magic + c.wide)
        return (s * q + s) * c.small

    return body


@_for_each_dtype
def log1p_correction(T, Bits, c):
    """f - log(1 + f) = s (f - (2 atanh(s) - 2 s) / s), s = f / (2 + f), for -0.3 < f <= 1."""

    def body(f):
        s = f / (f + T(2))
        w = s * s
        return s * (f - w * _polynomial(w, c.LOG))

    return body


@_for_each_dtype
def _log_scaled(T, Bits, c):
    """log(2**n (1 + f)), where e are the bits of 2**(n + k)."""

    def body(f, e, k):
        n = view(Bits((e >> c.shift) | c.integer), T) - (c.origin + k)
        return n * c.ln2_high + (f - (log1p_correction(f) - n * c.ln2_low))

    return body


@_for_each_dtype
def _with_sign(T, Bits, c):
    """y >= 0 with the sign of x."""

    def body(y, x):
        return view(Bits(view(T(y), Bits) | (view(T(x), Bits) & c.sign)), T)

    return body


@_for_each_dtype
def exp(T, Bits, c):
    """exp(x)."""

    def body(x):
        y = c.lowest if x < c.lowest else x
        y = c.highest if y > c.highest else y
        negative = x < T(0)
        s, q = _exp_parts(y, c.magic + c.wide if negative else c.magic - c.wide)
        return (s * q + s) * (c.small if negative else c.big)

    return body


@_for_each_dtype
def expm1(T, Bits, c):
    """exp(x) - 1."""

    def body(x):
        y = T(-40) if x < T(-40) else x
        y = c.highest if y > c.highest else y
        s, q = _exp_parts(y, c.magic - T(1))  # half of it, since 2**n may overflow where the result does not
        y = (s * q + (s - T(0.5))) * T(2)
        return x if abs(x) < c.tiny else y  # -0, and half a subnormal would lose a bit

    return body


@_for_each_dtype
def tanh(T, Bits, c):
    """tanh(x) = h / (1 - h) = h + h tanh(x), h = -expm1(-2 |x|) / 2, with the sign of x."""

    def body(x):
        y = -abs(x)
        y = T(-20) if y < T(-20) else y
        s, q = _exp_parts(y + y, c.magic - T(1))
        h = (T(0.5) - s) - s * q
        d = (T(0.5) + s) + s * q
        return _with_sign(h + h * (h / d), x)  # h / d itself is 2.8 ulp off

    return body


@_for_each_dtype
def sigmoid(T, Bits, c):
    """1 / (1 + exp(-x))."""

    def body(x):
        t = _exp_negative(-abs(x))
        u = t if x < T(0) else T(1)
        return u - u * (t / (T(1) + t))  # u / (1 + t) itself is 2.3 ulp off

    return body


@_for_each_dtype
def log(T, Bits, c):
    """log(x)."""
    inf, nan, k = T(np.inf), T(np.nan), T(c.shift)

    def body(x):
        subnormal = x < c.tiny
        # x = 2**n (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
        i = view(T(x * c.lift if subnormal else x), Bits)
        e = (i + c.half_octave) & c.exponent
        f = view(Bits(i - e + c.one), T) - T(1)
        y = _log_scaled(f, e, k if subnormal else T(0))
        y = y if x > T(0) else (-inf if x == T(0) else nan)
        return y if x < inf else x

    return body


@_for_each_dtype
def log1p(T, Bits, c):
    """log(1 + x)."""
    inf, nan = T(np.inf), T(np.nan)

    def body(x):
        # 1 + x = 2**n (1 + f), but f from x itself: 1 + x has lost its low bits
        e = (view(T(x + T(1)), Bits) + c.half_octave) & c.exponent
        power = view(Bits(c.one - (e - c.one)), T)  # 2**-n; where that is subnormal, 0 or negative
        power = T(0) if power < T(0) else power  # and 1 / 2**n does not matter
        f = view(Bits(view(T(x), Bits) - (e - c.one)), T) + (power - T(1))
        y = _log_scaled(f, e, T(0))
        y = y if x > T(-1) else (-inf if x == T(-1) else nan)
        return y if (x < inf) & (x != T(0)) else x

    return body


@_for_each_dtype
def softplus(T, Bits, c):
    """log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))."""

    def body(x):
        t = _exp_negative(-abs(x))
        return (T(0) if x <= T(0) else x) + (t - log1p_correction(t))

    return body


@_for_each_dtype
def erf(T, Bits, c):
    """erf(x) = -expm1(-|x| R(|x|)), with the sign of x."""

    def body(x):
        y = abs(x)
        y = c.erf_one if y > c.erf_one else y
        s, q = _exp_parts(-(y * _polynomial(y, c.ERF) + y), c.magic)
        return _with_sign((T(1) - s) - s * q, x)

    return body
