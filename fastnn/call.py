"""The arguments of a call of a kernel, checked: one dtype, sizes that agree, outputs that overlap nothing.

Whatever is wrong raises before anything has been written.
"""

from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from fastnn.checks import Array, Csr, as_kernels_want, as_numbers, common_dtype
from fastnn_kernels import on_arrays
from fastnn_kernels.activations import ACTIVATIONS
from fastnn_kernels.costs import COSTS

Weights = ArrayLike | None
Outs = Sequence[Array | None] | None

RANGES = {"smoothing": (0, 1), "threshold": (0, np.inf)}  # of scalars; the others take any number but NaN


class Call:
    """The checked arguments of one call of a kernel.

    An input is given with the names of its dimensions, X=(X, "n_samples n_in") for example, or "..." for
    any shape; a name means one size throughout the call. `arrays` are the inputs as kernels want them.
    """

    def __init__(self, **inputs: tuple[Any, str]) -> None:
        self._sizes: dict[str, tuple[Any, str, str]] = {}  # dimension: its size, whose, along what
        self._memory: list[tuple[str, Array]] = []
        values = {name: self.add(name, *value) for name, value in inputs.items()}
        self.dtype = common_dtype(values.values())
        self.arrays = {name: as_kernels_want(value, self.dtype) for name, value in values.items()}

    def add(self, name: str, value: Any, dimensions: str) -> Array:
        """Check one more input, whose dtype is its own affair; a CSR matrix is represented by its data."""
        parts = value.parts if isinstance(value, Csr) else (as_numbers(name, value),)
        self._agree(name, value.shape if isinstance(value, Csr) else parts[0].shape, dimensions)
        self._memory += [(name, part) for part in parts]
        return parts[0]

    def size(self, dimension: str) -> int:
        return self._sizes[dimension][0]

    def numbers(self, options: Mapping[str, Any]) -> list[Any]:
        """Scalars of the call's dtype, each within the range that its name has."""
        numbers = {name: real_number(name, value) for name, value in options.items()}
        return [self.dtype.type(_within(name, x, self.dtype)) for name, x in numbers.items()]

    def scratch(self, scratch_size: Any, dimensions: str) -> Array:
        """As many elements as the kernel's own `scratch_size` asks for."""
        return np.empty(scratch_size(*map(self.size, dimensions.split()), self.dtype.itemsize), self.dtype)

    def outputs(
        self, out: Sequence[Any] | None, overwrites: Mapping[str, str] | None = None, /, **dimensions: str
    ) -> list[Array]:
        """The outputs named by `dimensions`: those in `out`, checked, and new ones where there is none.

        `overwrites` maps an output to the input that it may be. Without dimensions an output is not wanted:
        kernels take an empty matrix for that.
        """
        if out is None:
            out = (None,) * len(dimensions)
        if not isinstance(out, (tuple, list)) or len(out) != len(dimensions):
            raise TypeError(f"out is to be a tuple of an array or None for each of {', '.join(dimensions)}")
        memory, results = list(self._memory), []
        for (name, names), array in zip(dimensions.items(), out, strict=True):
            shape = self._shape(names)
            if array is None:
                array = np.empty(shape, self.dtype)
            elif not names:
                raise ValueError(f"the output {name} is not computed in this call: give None for it")
            else:
                check_output(name, array, shape, self.dtype)
                check_overlap(name, array, memory, (overwrites or {}).get(name))
            memory.append((name, array))
            results.append(np.asarray(array))
        return results

    def _shape(self, dimensions: str) -> Any:
        if dimensions == "...":
            return self.size(dimensions)
        return tuple(map(self.size, dimensions.split())) or (0, 0)

    def _agree(self, name: str, shape: tuple[int, ...], dimensions: str) -> None:
        """Hold `shape` against the sizes known so far, and learn the new ones."""
        if 0 in shape:
            raise ValueError(f"{name} is empty, its shape is {shape}: expected at least 1 in each dimension")
        names, wanted = dimensions.split(), f"{name} is to be ({dimensions.replace(' ', ', ')})"
        axes: tuple[str, ...] = ("rows", "columns") if len(names) == 2 else ("elements",)
        sizes: tuple[Any, ...] = shape
        if dimensions == "...":
            wanted, sizes, axes = "they are to be the same", (shape,), ("as its shape",)
        elif len(shape) != len(names):
            raise ValueError(f"{name} has shape {shape}: {wanted}")
        for dimension, size, axis in zip(names, sizes, axes, strict=True):
            known, owner, owner_axis = self._sizes.setdefault(dimension, (size, name, axis))
            if size != known:
                found = f"{name} has {size} {axis}, but {owner} has {known} {owner_axis}"
                raise ValueError(f"{found}: {wanted}")


def check_output(name: str, array: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    wanted = f"expected a NumPy array of shape {shape} and dtype {dtype}, C-contiguous, aligned and writeable"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"the output {name} is a {type(array).__name__}, {wanted}")
    if array.dtype != dtype:
        raise TypeError(f"the output {name} has dtype {array.dtype}, {wanted}")
    if array.shape != shape:
        raise ValueError(f"the output {name} has shape {array.shape}, {wanted}")
    for flag in ("C_CONTIGUOUS", "ALIGNED", "WRITEABLE"):
        if not array.flags[flag]:
            raise ValueError(f"the output {name} is not {flag}, {wanted}")


def check_overlap(name: str, array: Array, others: Iterable[tuple[str, Array]], same: str | None) -> None:
    """`array` shares memory with none of `others`, unless it is the very array called `same`."""
    for other_name, other in others:
        if np.shares_memory(array, other) and not (other_name == same and _identical(array, other)):
            advice = f", or {same} itself to overwrite it" if same not in (None, name) else ""
            raise ValueError(f"the output {name} overlaps {other_name}: give memory of its own{advice}")


def _identical(a: Array, b: Array) -> bool:
    return a.ctypes.data == b.ctypes.data and (a.dtype, a.shape, a.strides) == (b.dtype, b.shape, b.strides)


def real_number(name: str, value: Any) -> float:
    if not isinstance(value, Real):
        raise TypeError(f"{name} is a {type(value).__name__}, expected a real number")
    low, high = RANGES.get(name, (-np.inf, np.inf))
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is beyond the range of float64") from None
    if not low <= number <= high:
        raise ValueError(f"{name} is {value}, expected a number from {low} to {high}")
    return number


def _within(name: str, number: float, dtype: np.dtype[Any]) -> float:
    """The number, which is finite in this type too if it is finite at all."""
    if float(np.finfo(dtype).max) < abs(number) < np.inf:
        raise ValueError(f"{name} is {number}, beyond the range of {dtype}")
    return number


def class_column(call: Call, name: str, value: Any) -> Array:
    """Indices of classes (n_samples,) as the column of floats that kernels take for them."""
    labels, n_out = call.add(name, value, "n_samples"), call.size("n_out")
    if not np.all((labels >= 0) & (labels < n_out) & (labels == np.floor(labels))):
        low, high = labels.min(), labels.max()
        raise ValueError(f"{name} holds {low} to {high}, expected indices of classes: 0 to {n_out - 1}")
    # A column as wide as the output is not indices to a kernel, but rows that sum to 1.
    return as_kernels_want(labels if n_out > 1 else np.ones(labels.size), call.dtype).reshape(-1, 1)


def cost_of(
    name: str, matrices: dict[str, Any], weights: Weights, options: dict[str, Any], out: Outs,
    activation: str | None = None,
) -> tuple[Array, Array]:  # fmt: skip
    """Cost and delta, the derivative by the first of `matrices`; with an activation, by its Z."""
    first, kind = next(iter(matrices)), COSTS[name].targets
    shapes = dict.fromkeys(matrices, "n_samples n_out")
    labels = matrices["Y"] if kind == "classes" and np.ndim(matrices["Y"]) == 1 else None
    if labels is not None:
        del shapes["Y"]
    elif kind == "quantiles":
        shapes["Y"] = "n_samples n_targets"
    inputs = {key: (matrices[key], shape) for key, shape in shapes.items()}
    if weights is not None:
        inputs["weights"] = (weights, "n_samples")
    call = Call(**inputs)
    if labels is not None:
        call.arrays["Y"] = class_column(call, "Y", labels)
    elif kind == "quantiles" and call.size("n_targets") != 2 * call.size("n_out"):
        columns = call.size("n_targets"), 2 * call.size("n_out")
        raise ValueError(
            f"Y has {columns[0]} columns, expected {columns[1]}: numbers, then the quantile of each"
        )
    if options["scale"] is None:
        options["scale"] = 1 / call.size("n_samples")
    results = call.outputs(out, cost="n_samples", **{f"d{first}": "n_samples n_out"})
    arrays = [call.arrays[key] for key in matrices] + [call.arrays.get("weights", np.empty(0, call.dtype))]
    if activation is None:
        getattr(on_arrays, name)(*arrays, *call.numbers(options), *results)
    else:
        codes = COSTS[name].code, ACTIVATIONS[activation].code
        on_arrays.cost_backward(*arrays, *codes, *call.numbers(options), *results)
    return results[0], results[1]
