"""Networks in lanes: steps of the optimizers, each lane with numbers of its own.

The formulas are those of optimizers.py. A table of vectors `settings` holds each lane's rate, epsilon, decay,
beta1, beta2, l2, factor of the gradient, and whether it goes on: the others keep what they have.
"""

from llvmlite import ir

from fastnn_kernels._jit import EXACT
from fastnn_kernels.adam_tiles import constant, quotient
from fastnn_kernels.emit import emitted, loop_of
from fastnn_kernels.fleet_moves import load_wide, narrowed
from fastnn_kernels.leaves import leaf

_I64 = ir.IntType(64)
RATE, EPSILON, DECAY, BETA1, BETA2, L2, CLIP, GOING = range(8)
N_SETTINGS = 8


@emitted
def _settings(v, rates, apart, betas, between, l2, clip, going, to):
    rows = [v.pointer(rates, (apart, i)) for i in range(3)] + [
        v.pointer(betas, (between, i)) for i in range(2)
    ]
    for i, row in enumerate((*rows, l2, clip, going)):
        v.store(narrowed(v, load_wide(v, row)), v.pointer(to, i * v.lanes))


@leaf("fleet_settings", EXACT)
def settings_of_lanes(T):
    def settings_of_lanes(rates, apart, betas, between, l2, clip, going, to):
        """The table (8, L), from numbers in float64; `apart`, `between`: from one row of them to the next."""
        _settings(rates, apart, betas, between, l2, clip, going, to)

    return settings_of_lanes


class _Step:
    """The vectors of `settings`, and what is loaded, made of it and stored for each parameter."""

    def __init__(self, v, settings, plain):
        self.v, b = v, v.builder
        vectors = [v.load(v.pointer(settings, i * v.lanes)) for i in range(N_SETTINGS)]
        self.rate, self.epsilon, decay, self.beta1, self.beta2, l2, self.clip, going = vectors
        self.l2, self.decay = (b.select(plain, v.zero, x) for x in (l2, decay))
        self.going = b.fcmp_ordered(">", going, v.zero)

    def over(self, n, formula, grads, params, *moments):
        """formula(g, p, moments) gives the new p and moments of each parameter."""
        v, b = self.v, self.v.builder

        def vector(i, held):
            places = [v.pointer(x, (i, v.lanes)) for x in (params, *moments)]
            p, *before = olds = [v.load(place) for place in places]
            g = v.fma(self.l2, p, b.fmul(self.clip, v.load(v.pointer(grads, (i, v.lanes)))))
            for old, new, place in zip(olds, formula(g, p, *before), places, strict=True):
                v.store(b.select(self.going, new, old), place)
            return held

        loop_of(b, _I64(0), n, _I64(1), [], vector)


@emitted
def _sgd(v, settings, plain, grads, params, n):
    step = _Step(v, settings, plain)
    less = v.builder.fneg(step.rate)
    step.over(n, lambda g, p: (v.fma(less, g, p),), grads, params)


@emitted
def _momentum(v, settings, plain, grads, velocity, params, n):
    step, b = _Step(v, settings, plain), v.builder

    def formula(g, p, before):
        after = v.fma(step.beta1, before, b.fneg(b.fmul(step.rate, g)))
        return b.fadd(p, after), after

    step.over(n, formula, grads, params, velocity)


@emitted
def _nesterov(v, settings, plain, grads, velocity, params, n):
    step, b = _Step(v, settings, plain), v.builder

    def formula(g, p, before):
        less = b.fneg(b.fmul(step.rate, g))
        after = v.fma(step.beta1, before, less)
        return b.fadd(p, v.fma(step.beta1, after, less)), after

    step.over(n, formula, grads, params, velocity)


@emitted
def _adam(v, settings, plain, grads, mean, square, params, n):
    step, b = _Step(v, settings, plain), v.builder
    one, less = constant(v, 1.0), b.fneg(step.decay)
    rest1, rest2 = b.fsub(one, step.beta1), b.fsub(one, step.beta2)
    # Newton's steps scale the root by 2 or 16: so do epsilon and the rate.
    scaled = {
        scale: (b.fmul(step.epsilon, constant(v, scale)), b.fmul(step.rate, constant(v, -scale)))
        for scale in (1.0, 2.0, 16.0)
    }

    def formula(g, p, m, s):
        m = v.fma(step.beta1, m, b.fmul(rest1, g))
        s = v.fma(b.fmul(rest2, g), g, b.fmul(step.beta2, s))
        ratio, scale = quotient(v, m, s, lambda scale: scaled[scale][0])
        return v.fma(scaled[scale][1], ratio, v.fma(less, p, p)), m, s

    step.over(n, formula, grads, params, mean, square)


@leaf("fleet_update", EXACT)
def sgd_in_lanes(T):
    def sgd_in_lanes(settings, plain, grads, mean, square, params, n):
        """params (n, L) -= rate * g; g = clip * grads + l2 * params."""
        _sgd(settings, plain, grads, params, n)

    return sgd_in_lanes


@leaf("fleet_update", EXACT)
def momentum_in_lanes(T):
    def momentum_in_lanes(settings, plain, grads, velocity, square, params, n):
        """velocity = beta1 * velocity - rate * g; params += velocity."""
        _momentum(settings, plain, grads, velocity, params, n)

    return momentum_in_lanes


@leaf("fleet_update", EXACT)
def nesterov_in_lanes(T):
    def nesterov_in_lanes(settings, plain, grads, velocity, square, params, n):
        """velocity = beta1 * velocity - rate * g; params += beta1 * velocity - rate * g."""
        _nesterov(settings, plain, grads, velocity, params, n)

    return nesterov_in_lanes


@leaf("fleet_update", EXACT)
def adam_in_lanes(T):
    def adam_in_lanes(settings, plain, grads, mean, square, params, n):
        """mean, square: of g and g^2; params -= decay * params + rate * mean / (sqrt(square) + epsilon)."""
        _adam(settings, plain, grads, mean, square, params, n)

    return adam_in_lanes


UPDATES = {
    "sgd": sgd_in_lanes,
    "momentum": momentum_in_lanes,
    "nesterov": nesterov_in_lanes,
    "adam": adam_in_lanes,
}
