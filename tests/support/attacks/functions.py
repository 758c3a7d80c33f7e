"""Attacks on fastnn.functional: hostile arrays and numbers, and CSR matrices that were tampered with."""

import numpy as np
import scipy.sparse

from attacks.hostile import SCALARS, Found, at_edge, bits, choose, disguise, judged
from fastnn import functional
from fastnn_kernels.optimizers import OPTIMIZERS
from functional_cases import OUTPUT_NAMES, OVERWRITES, arguments, call, csr, step

LENGTHS = (*range(1, 20), 31, 32, 33, 64, 65, 100)
NUMBERS = ("smoothing", "threshold", "scale")
FORMATS = scipy.sparse.csr_array, scipy.sparse.csr_matrix


def same(result, wanted, dtype):
    """Equal but for roundings, of numbers of order one."""
    for a, b in zip(result, wanted, strict=True):
        if a is None and b is None:
            continue
        tolerance = 1e-3 if dtype == np.float32 else 1e-9
        if not np.allclose(a, b, tolerance, tolerance, equal_nan=True):
            raise Found(
                f"another result than of plain arrays: {np.ravel(a)[:4]}..., not {np.ravel(b)[:4]}..."
            )


def attack_functions(random, note):
    """Any function, with arrays at guard pages and in other forms, outputs too."""
    name = choose(random, (*OUTPUT_NAMES, *OPTIMIZERS, "squared_norm"))
    shape, dtype = tuple(int(n) for n in random.choice(LENGTHS, 3)), choose(random, (np.float32, np.float64))
    if name in OPTIMIZERS:
        return _step(random, note, name, shape[:2], dtype)
    if name == "squared_norm":
        inputs, options = {"grads": random.standard_normal(shape[:2]).astype(dtype)}, {}
    else:
        inputs, options = arguments(name, shape, dtype)
    given, said, harmless = disguise(random, inputs)
    if random.random() < 0.2 and ("Y" in inputs or options):
        key = choose(random, NUMBERS if "Y" in inputs else ("name",))
        options, harmless = {**options, key: choose(random, SCALARS)}, False
    note(f"functional.{name} {shape} {dtype.__name__}: {said} {options}")
    if name == "squared_norm":
        return judged(lambda: functional.squared_norm(**given), given, dict)[0]
    out = None
    if harmless and random.random() < 0.5:
        # What a fresh call returns tells the outputs' types.
        fresh = call(name, given, options)
        out = [
            None if x is None else at_edge(np.full_like(x, 7), choose(random, ("end", "begin")))
            for x in fresh
        ]
        if random.random() < 0.3:
            key, names = choose(random, inputs), OUTPUT_NAMES[name].split()
            spoilt = int(random.integers(len(out)))
            allowed = OVERWRITES.get(name, {}).get(names[spoilt])
            if isinstance(given[key], np.ndarray) and key != allowed:
                out[spoilt] = given[key]
    outcome, result = judged(
        lambda: call(name, given, options, out), given, lambda: [bits(x) for x in out or ()]
    )
    if outcome == "done" and harmless:
        plain = {key: np.array(x) for key, x in given.items()}
        same(result, call(name, plain, options), dtype)
    return outcome


def _step(random, note, name, shape, dtype):
    arrays, scalars = step(name, shape, dtype)
    given, said, harmless = disguise(random, arrays)
    if random.random() < 0.3:
        scalars[choose(random, scalars)] = choose(random, SCALARS)
    note(f"functional.{name} {shape} {dtype.__name__}: {said} {scalars}")
    states = {key: x for key, x in given.items() if key != "grads"}
    inputs = {"grads": given["grads"]}
    return judged(lambda: getattr(functional, name)(**given, **scalars), inputs, lambda: bits(states))[0]


WRONG = (-1, -(2**31), 2**31 - 1, 2**31, 2**63 - 1, 1 << 40, 7)


def _replaced(values, random):
    """One number replaced by one that is out of every range, in a type that holds it."""
    values = values.astype(np.int64)
    if values.size:
        values[random.integers(values.size)] = choose(random, WRONG)
    return values


TAMPERED = {
    "one index": lambda X, r: setattr(X, "indices", _replaced(X.indices, r)),
    "one end": lambda X, r: setattr(X, "indptr", _replaced(X.indptr, r)),
    "indices short": lambda X, r: setattr(X, "indices", X.indices[:-1]),
    "data short": lambda X, r: setattr(X, "data", X.data[:-1]),
    "data long": lambda X, r: setattr(X, "data", np.append(X.data, X.data)),
    "indptr short": lambda X, r: setattr(X, "indptr", X.indptr[:-1]),
    "indptr long": lambda X, r: setattr(X, "indptr", np.append(X.indptr, X.indptr[-1:])),
    "indptr backwards": lambda X, r: setattr(X, "indptr", X.indptr[::-1].copy()),
    "indptr late": lambda X, r: setattr(X, "indptr", X.indptr + 1),
    "unsigned": lambda X, r: setattr(X, "indices", X.indices.astype(np.uint64)),
    "short types": lambda X, r: setattr(X, "indices", X.indices.astype(np.int8)),
    "fractions": lambda X, r: setattr(X, "indices", X.indices + 0.5),
    "objects": lambda X, r: setattr(X, "data", X.data.astype(object)),
    "complex": lambda X, r: setattr(X, "data", X.data + 1j),
    "data in 2-D": lambda X, r: setattr(X, "data", X.data[:, None]),
    "data in 2-D, wide": lambda X, r: setattr(X, "data", np.ones((len(X.data), 2), X.dtype)),
    "indices in 2-D": lambda X, r: setattr(X, "indices", X.indices[:, None]),
    "indptr in 2-D": lambda X, r: setattr(X, "indptr", X.indptr[:, None]),
    "no data": lambda X, r: setattr(X, "data", X.data[:0]),
    "indptr empty": lambda X, r: setattr(X, "indptr", X.indptr[:0]),
    "fewer columns": lambda X, r: setattr(X, "_shape", (X.shape[0], max(1, X.shape[1] // 2))),
    "more rows": lambda X, r: setattr(X, "_shape", (X.shape[0] + 3, X.shape[1])),
    "fewer rows": lambda X, r: setattr(X, "_shape", (max(1, X.shape[0] // 2), X.shape[1])),
    "indices backwards": lambda X, r: setattr(X, "indices", X.indices[::-1].copy()),
    "one index many times": lambda X, r: setattr(X, "indices", np.zeros_like(X.indices)),
    "a NaN": lambda X, r: setattr(X, "data", X.data * np.nan),
    "strided": lambda X, r: setattr(X, "data", np.repeat(X.data, 2)[::2]),
    "nothing": lambda X, r: None,
}


def tampered(random, shape, dtype):
    """(a CSR matrix whose arrays end at guard pages, what was done to it)."""
    X = csr(shape, dtype, 0.6, choose(random, FORMATS), choose(random, (np.int32, np.int64)))
    way = choose(random, TAMPERED)
    TAMPERED[way](X, random)
    for name in ("data", "indices", "indptr"):
        array = getattr(X, name)
        if array.dtype.kind != "O" and array.flags.c_contiguous:
            setattr(X, name, at_edge(array, choose(random, ("end", "begin"))))
    return X, way


def attack_csr(random, note):
    """The functions that take CSR."""
    n, n_in, n_out = (int(x) for x in random.choice(LENGTHS, 3))
    dtype = choose(random, (np.float32, np.float64))
    X, way = tampered(random, (n, n_in), dtype)
    rest = random.standard_normal((n_in, n_out)).astype(dtype), random.standard_normal(n_out).astype(dtype)
    W, b = map(at_edge, rest)
    dZ = at_edge(random.standard_normal((n, n_out)).astype(dtype))
    note(f"CSR {(n, n_in, n_out)} {dtype.__name__} {type(X).__name__} {X.indices.dtype}: {way}")
    if random.random() < 0.5:
        outcome, result = judged(
            lambda: (functional.affine_forward(X, W, b),), {"X": X, "W": W, "b": b}, dict
        )
        if way == "nothing":
            same(result, (X.toarray() @ W + b,), dtype)
        return outcome
    outcome, result = judged(lambda: functional.affine_backward(X, W, dZ), {"X": X, "W": W, "dZ": dZ}, dict)
    if way == "nothing":
        same(result[:2], (X.toarray().T @ dZ, dZ.sum(axis=0)), dtype)
    return outcome
