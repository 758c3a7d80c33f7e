"""The C99 of a network's layers: what to_c writes of every model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fastnn.checks import Array, choice
from fastnn.exported import SORTED, Layer
from fastnn_kernels.activations import LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE

NUMBERS_A_LINE = 8
# g(z); {f} is the suffix of float's functions and numbers.
FORMULAS = {
    "sigmoid": "1.0{f} / (1.0{f} + exp{f}(-z))",
    "tanh": "tanh{f}(z)",
    "relu": "z <= 0.0{f} ? 0.0{f} : z",
    "leaky_relu": "z <= 0.0{f} ? {slope}{f} * z : z",
    "elu": "z > 0.0{f} ? z : expm1{f}(z)",
    "gelu": "0.5{f} * z * erfc{f}(-0.7071067811865476{f} * z)",
    "silu": "z / (1.0{f} + exp{f}(-z))",
    "softplus": "(z > 0.0{f} ? z : 0.0{f}) + log1p{f}(exp{f}(-fabs{f}(z)))",
    "exp": "exp{f}(z)",
    "selu": "{scale}{f} * (z > 0.0{f} ? z : {alpha}{f} * expm1{f}(z))",
    "mish": "z * tanh{f}((z > 0.0{f} ? z : 0.0{f}) + log1p{f}(exp{f}(-fabs{f}(z))))",
}
CONSTANTS = {"slope": LEAKY_RELU_SLOPE, "alpha": SELU_ALPHA, "scale": SELU_SCALE}
AFFINE = """\
/* z = W' x + b; x has n_in numbers, z has n_out, W has n_in rows. */
static void affine(const {T} *x, int n_in, const {T} *W, const {T} *b, int n_out, {T} *restrict z)
{{
    for (int j = 0; j < n_out; j++)
        z[j] = b[j];
    for (int i = 0; i < n_in; i++)
        for (int j = 0; j < n_out; j++)
            z[j] += x[i] * W[i * n_out + j];
}}
"""
ELEMENTWISE = """\
static void {name}_layer({T} *a, int n)
{{
    for (int j = 0; j < n; j++) {{
        const {T} z = a[j];
        a[j] = {formula};
    }}
}}
"""
SOFTMAX = """\
static void softmax_layer({T} *a, int n)
{{
    {T} largest = a[0], total = 0;
    for (int j = 1; j < n; j++)
        largest = a[j] > largest ? a[j] : largest;
    for (int j = 0; j < n; j++)
        total += a[j] = exp{f}(a[j] - largest);
    for (int j = 0; j < n; j++)
        a[j] /= total;
}}
"""
SORT = """\
static void sorted_layer({T} *a, int n)
{{
    for (int j = 1; j < n; j++) {{
        const {T} z = a[j];
        int i = j;
        for (; i > 0 && a[i - 1] > z; i--)
            a[i] = a[i - 1];
        a[i] = z;
    }}
}}
"""
WHOLE_ROWS = {"softmax": SOFTMAX, SORTED: SORT}  # what is of all outputs of a layer


def type_of(dtype: Any) -> tuple[str, str]:
    """The type in C, and the suffix of its functions and numbers."""
    return ("float", "f") if dtype == np.float32 else ("double", "")


def layer_functions(layers: Iterable[Layer], dtype: Any) -> list[str]:
    """The functions that these layers call."""
    T, f = type_of(dtype)
    blocks = [AFFINE.format(T=T)]
    for activation in dict.fromkeys(layer.activation for layer in layers):
        if activation in WHOLE_ROWS:
            blocks.append(WHOLE_ROWS[activation].format(T=T, f=f))
        elif activation != "identity":
            formula = choice("activation", activation, FORMULAS).format(f=f, **CONSTANTS)
            blocks.append(ELEMENTWISE.format(name=activation, T=T, formula=formula))
    return blocks


def layer_constants(layers: Iterable[Layer], dtype: Any, prefix: str = "") -> list[str]:
    """Each layer's W and b."""
    return [
        constant(f"{prefix}{letter}{number}", values, dtype)
        for number, (W, b, _) in enumerate(layers, 1)
        for letter, values in (("W", W), ("b", b))
    ]


def layer_calls(
    layers: Sequence[Layer], dtype: Any, source: str = "x", taken: int = 0, prefix: str = ""
) -> tuple[list[str], list[str]]:
    """Declarations and statements from `source` to y; of two buffers a layer reads one and writes the other.

    taken: how many numbers stand in buffer0 already, if that is the source.
    """
    T, _ = type_of(dtype)
    lines, here, buffers = [], int(taken > 0), [taken, 0]
    for number, layer in enumerate(layers, 1):
        target, n_out = "y", len(layer.b)
        if number < len(layers):
            target, buffers[here] = f"buffer{here}", max(buffers[here], n_out)
        weights = f"{prefix}W{number}, {prefix}b{number}"
        lines.append(f"affine({source}, {len(layer.W)}, {weights}, {n_out}, {target});")
        if layer.activation != "identity":
            lines.append(f"{layer.activation}_layer({target}, {n_out});")
        source, here = target, 1 - here
    declared = [f"buffer{i}[{size}]" for i, size in enumerate(buffers) if size]
    return [f"{T} {', '.join(declared)};"] if declared else [], lines


def indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def meaning(classes: Any, n_out: int) -> str:
    """What the outputs are, for a comment."""
    if classes is None:
        return f"{n_out} numbers"
    names = [re.sub(r"[^ -~]|\*/|/\*|\?\?", "?", str(label)) for label in np.asarray(classes).ravel()]
    which = names[-1:] if n_out == 1 else names
    return f"the probabilit{'y' if n_out == 1 else 'ies'} of " + ", ".join(which)


def constant(name: str, values: Array, dtype: Any) -> str:
    """An array of constants, row by row."""
    with np.errstate(over="ignore"):
        values = np.asarray(values).astype(dtype, copy=False)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or infinity as {dtype}: there is no such number in C")
    T, f = type_of(dtype)
    numbers = [number(value, f) for value in values.ravel()]
    rows = [numbers[i : i + NUMBERS_A_LINE] for i in range(0, len(numbers), NUMBERS_A_LINE)]
    lines = "\n".join(f"    {', '.join(row)}," for row in rows)
    return f"static const {T} {name}[{values.size}] = {{\n{lines}\n}};\n"


def number(value: Any, f: str) -> str:
    """The shortest decimal that reads back as this number."""
    return str(np.float32(value) if f else np.float64(value)) + f
