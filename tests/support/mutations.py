"""Ways to spoil a model file: bits, header, arrays and words, the last two under a right digest."""

import copy
import json

import numpy as np
from safetensors.numpy import save

from fastnn import storage

NUMBERS = (0, 1, -1, 7, 83, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 10**9, 10**30)
VALUES = (
    *(*NUMBERS, 10**400, 1e308, 0.5, np.inf, -np.inf, np.nan, None, True, "", "x", "9" * 5000, [], [[]], {}),
    *({"a": 1}, [5, 24], [10**9] * 3, [10**18] * 2, [-5, 12, 1], [5, 24.0, 12, 1], [1] * 5000, ["5", "24"]),
    *("softmax", "float64", "float16", "(9999999,)f4", "f4,(", "O", "a"),
)
ABSURD = (*map(json.dumps, VALUES), "[" * 5000 + "]" * 5000, '{"a":' * 5000 + "1" + "}" * 5000)
# Of 457 float32 numbers and their metadata, in the header, and what may stand there instead.
HEADER_TEXTS = '"F32" "F32" [457] [0,1828] 457 1828 "params" "fastnn" "1" "about"'.split()
TYPES = '"F64" "F16" "I8" "BF16" "F8_E4M3" "BOOL" "C64" "F4"'.split()
SHAPES = "[457,1] [1,457] [-1] [1e3] [] [0,0] [4,1832] [1828,0]".split()
INSTEAD = (*TYPES, *SHAPES, *'"2" "0" "-1"'.split(), *ABSURD)


def sealed(arrays, text):
    """A file with the right digest for whatever it says: only its sense can be wrong."""
    digest = storage._digest(arrays, text)
    return save(arrays, {"format": "fastnn", "version": "1", "about": text, "digest": digest})


def with_header(whole, header):
    size = int.from_bytes(whole[:8], "little")
    return len(header).to_bytes(8, "little") + header + whole[8 + size :]


def mutated(whole, arrays, about, rng):
    """One of the ways to spoil a file."""
    size, way, spoilt = int.from_bytes(whole[:8], "little"), rng.randrange(8), bytearray(whole)
    header, choice = whole[8 : 8 + size], rng.choice
    if way in (0, 1):  # bits flipped anywhere, or in the header
        for _ in range(choice((1, 1, 1, 2, 8))):
            bit = rng.randrange(8 * (len(whole) if way == 0 else size + 8))
            spoilt[bit // 8] ^= 1 << bit % 8
        return bytes(spoilt)
    if way == 2:  # cut, extended, or with a piece left out
        a, b = sorted(rng.choices(range(len(whole)), k=2))
        return choice((whole[:a], whole[a:], whole + whole[a:b], whole[:a] + whole[b:]))
    if way == 3:  # another length of the header
        lengths = [n for n in NUMBERS if 0 <= n < 2**64]
        length = choice((*lengths, size + 1, size - 1, len(whole), len(whole) - 8, 10**8))
        return length.to_bytes(8, "little") + whole[8:]
    if way == 4:  # another text for a type, a shape, an offset or metadata
        return with_header(whole, header.replace(choice(HEADER_TEXTS).encode(), choice(INSTEAD).encode()))
    if way == 5:  # a header of another kind
        return with_header(whole, choice(ABSURD).encode() + b" " * rng.randrange(9))
    name = min(arrays)
    if way == 6:  # other arrays under the right digest
        params = arrays[name]
        shaped = params[:-1], params[:0], params[:, None], params[None], params.reshape(1, -1, 1)
        other = choice((*shaped, params.astype(choice("bBe?dqF"))))
        return sealed({**arrays, choice((name, name, "moments")): other}, json.dumps(about))
    section = choice(list(about))
    place = choice((None, None, *about[section]))  # absurdity under the right digest
    if place is None:
        return sealed(arrays, choice((choice(ABSURD), f'{{"{section}": {choice(ABSURD)}}}')))
    text = json.dumps({**about, section: {**about[section], place: "absurd"}})
    return sealed(arrays, text.replace('"absurd"', choice(ABSURD)))


def places(tree, path=()):
    """Every place in a description, as the keys that lead to it."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from places(value, (*path, key))


def retold(about, rng):
    """The description with one of its facts left out, replaced, or put where another stands."""
    about = copy.deepcopy(about)
    *way, last = rng.choice(list(places(about)))
    parent = about
    for key in way:
        parent = parent[key]
    how, x = rng.randrange(4), parent[last]
    if how == 0:
        del parent[last]
    elif how == 1 and isinstance(x, int | float) and not isinstance(x, bool):
        parent[last] = rng.choice((x + 1, -x, x * 10**9, float(x)))
    elif how == 2:
        other = about
        for key in rng.choice(list(places(about))):
            other = other[key]
        parent[last] = copy.deepcopy(other)
    else:
        parent[last] = rng.choice(VALUES)
    return about


def rearranged(arrays, rng):
    """The arrays with one of them in another type or shape, under another name, or gone."""
    name, arrays = rng.choice(list(arrays)), dict(arrays)
    x = arrays.pop(name)
    shaped = x[:-1], x[:0], x[None], x.reshape(-1), np.append(x, x), -x, x * np.nan, x * 1e30
    if rng.random() < 0.2:
        return arrays
    name = rng.choice((name, name, "params", "moments", "x"))
    return {**arrays, name: rng.choice(shaped).astype(rng.choice("ffdeiqb?F"))}
