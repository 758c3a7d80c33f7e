"""Arrays as an enemy gives them, and the judge of what a call made of them."""

import warnings

import numpy as np
import scipy.sparse

from functional_cases import memmap, unaligned
from guard import AVAILABLE, guarded

Subclass = type("Subclass", (np.ndarray,), {})


def at_edge(x, edge="end", order="C"):
    """A copy that ends, or begins, at memory that cannot be touched."""
    copy = np.array(x, order=order)
    return guarded(copy, edge) if AVAILABLE and copy.nbytes else copy


def strided(x):
    """Every other element of memory whose last one is the last before the guard."""
    wide = np.repeat(np.atleast_1d(x), 2, axis=-1)
    return at_edge(wide[..., 1:])[..., ::2]


def read_only(x):
    copy = at_edge(x)
    copy.flags.writeable = False
    return copy


def put(value):
    """One element, chosen by the dice, replaced by `value`."""

    def form(x, random):
        copy = np.array(x)
        if copy.size and copy.dtype.kind == "f":
            with np.errstate(over="ignore"):
                copy.reshape(-1)[random.integers(copy.size)] = value
        return at_edge(copy)

    return form


# The same numbers, or numbers as good, as kernels or Python may find them.
HARMLESS = {
    "end": at_edge,
    "begin": lambda x: at_edge(x, "begin"),
    "Fortran": lambda x: at_edge(x, order="F"),
    "strided": strided,
    "reversed": lambda x: at_edge(np.asarray(x)[::-1])[::-1],
    "unaligned": unaligned,
    "read-only": read_only,
    "big-endian": lambda x: at_edge(x.astype(x.dtype.newbyteorder(">"))),
    "list": lambda x: x.tolist(),
    "subclass": lambda x: x.view(Subclass),
    "memmap": memmap,
    "broadcast": lambda x: np.broadcast_to(x[:1], x.shape) if x.ndim else x,
    "float16": lambda x: at_edge(np.clip(x, -6e4, 6e4).astype(np.float16)),
    "longdouble": lambda x: at_edge(x.astype(np.longdouble)),
    "int": lambda x: at_edge(np.rint(x).astype(np.int16)),
    "bool": lambda x: at_edge(x > 0),
}
# What may be refused, and must be if it is no array of real numbers; each takes the dice.
EVIL = {
    **{f"one {v}": put(v) for v in (np.nan, np.inf, -np.inf, 1e38, -1e300, 1e-42, -1.0, 0.5)},
    "masked": lambda x, r: np.ma.masked_array(x, r.random(x.shape) < 0.3),
    "objects": lambda x, r: x.astype(object),
    "complex": lambda x, r: x + 1j,
    "texts": lambda x, r: x.astype(str),
    "dates": lambda x, r: np.zeros(x.shape, "M8[s]"),
    "records": lambda x, r: np.zeros(x.shape, [("a", "f4"), ("b", "f8")]),
    "None": lambda x, r: None,
    "text": lambda x, r: "\x1b[2J" * int(r.integers(1, 4)),
    "dict": lambda x, r: {0: x},
    "ragged": lambda x, r: [x.tolist(), [[1.0]]],
    "sparse": lambda x, r: scipy.sparse.csc_array(np.atleast_2d(x)),
    "a number": lambda x, r: float(r.standard_normal()),
    "no rows": lambda x, r: x[:0],
    "no columns": lambda x, r: x[..., :0],
    "a row less": lambda x, r: at_edge(x[:-1]),
    "a row more": lambda x, r: at_edge(np.concatenate([x, x[:1]])) if x.ndim else x,
    "a column less": lambda x, r: at_edge(x[..., :-1]),
    "flat": lambda x, r: at_edge(x.reshape(-1)),
    "a dimension more": lambda x, r: at_edge(x[..., None]),
    "huge on paper": lambda x, r: np.lib.stride_tricks.as_strided(
        np.zeros(1, x.dtype), (1 << 40, *x.shape[1:]), (0,) * x.ndim
    ),
}
SCALARS = (0, 1, -1, 0.5, 1e-300, 1e300, 10**400, np.nan, np.inf, -np.inf, None, True, "x", [1], 1j, {})
SCALARS = (*SCALARS, np.float32(0.5), np.int8(3), np.array(0.5), np.array([0.5]))
# What a call may raise that is given such things: errors of value and type, and numbers that explode.
REFUSALS = (ValueError, TypeError, MemoryError, ArithmeticError)
NO_REFUSALS = (ZeroDivisionError, FloatingPointError)


class Found(AssertionError):
    """A defect."""


def choose(random, options):
    """One of them."""
    options = list(options)
    return options[random.integers(len(options))]


def disguise(random, arrays, evil=None):
    """(arrays, what was done to them, whether all is harmless): some of the arrays in another form."""
    evil = EVIL if evil is None else evil
    given, said, harmless = {}, [], True
    villain = choose(random, arrays) if random.random() < 0.45 else None
    for name, x in arrays.items():
        if name == villain:
            form = choose(random, evil)
            given[name], harmless = evil[form](x, random), False
        else:
            form = choose(random, HARMLESS) if random.random() < 0.3 else choose(random, ("end", "begin"))
            given[name] = HARMLESS[form](x)
        said.append(f"{name}={form}")
    return given, ", ".join(said), harmless


def bits(value):
    """What must not change when a call is refused."""
    if isinstance(value, dict):
        return {key: bits(x) for key, x in value.items()}
    if isinstance(value, np.ndarray) and value.nbytes < 1 << 24 and value.size < 1 << 24:
        return np.ma.getdata(value).tobytes()
    if scipy.sparse.issparse(value) and hasattr(value, "indptr"):
        return tuple(bits(x) for x in (value.data, value.indices, value.indptr))
    return None


def judged(call, inputs, state):
    """("refused" or "done", the result): a refusal changes nothing, and no input is ever changed.

    A training that diverges keeps the epochs before.
    state(): what the call may change if it succeeds, and only then.
    """
    before, was = bits(inputs), state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)
        try:
            result = call()
        except REFUSALS as error:
            if isinstance(error, NO_REFUSALS):
                raise
            if not isinstance(error, ArithmeticError) and state() != was:
                raise Found(f"refused, and yet something has changed: {error!r}") from error
            outcome, result = "refused", None
        else:
            outcome = "done"
    if bits(inputs) != before:
        raise Found(f"{outcome}, and an input was changed")
    return outcome, result
