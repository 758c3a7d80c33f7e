"""The C99 of an estimator of tables: what becomes of each column, each of its networks, their mean."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn._c_network import (
    constant,
    indented,
    layer_calls,
    layer_constants,
    layer_functions,
    meaning,
    number,
    type_of,
)
from fastnn.exported import Layer, layers_of
from fastnn.tabular.encoders import BIN_SCALE, CLIP, FARTHEST, Encoder, Flag, Numbers, Texts, require_no_dates

NUMBERS = f"""\
/* v as z = (v - median) / spread, clipped smoothly; how far v has passed each bin; cosines of z; a gap. */
static {{T}} *numbers(double v, double median, double spread, const double *edges, int n_bins,
    const double *rates, const double *phases, int n_waves, int has_gaps, {{T}} *a)
{{{{
    const int known = !isnan(v);
    double z = known ? (v - median) / spread : 0.0;
    z = z < -{FARTHEST!r} ? -{FARTHEST!r} : z > {FARTHEST!r} ? {FARTHEST!r} : z;
    z /= sqrt(1.0 + (z / {CLIP!r}) * (z / {CLIP!r}));
    *a++ = ({{T}})z;
    for (int i = 0; i < n_bins; i++) {{{{
        const double low = edges[i], high = edges[i + 1], inside = v < low ? low : v > high ? high : v;
        *a++ = known ? ({{T}})({BIN_SCALE!r} * (inside - low) / (high - low)) : 0;
    }}}}
    for (int i = 0; i < n_waves; i++)
        *a++ = known ? ({{T}})({float(np.sqrt(2))!r} * cos(z * rates[i] + phases[i])) : 0;
    if (has_gaps)
        *a++ = ({{T}})(known ? 0 : 1);
    return a;
}}}}
"""
FLAG = """\
/* -1 of the lower value, 1 of the higher one, 0 of none. */
static {T} *flag(double v, double middle, double half, {T} *a)
{{
    const double share = isnan(v) ? 0.0 : (v - middle) / half;
    *a++ = ({T})(share < -1.0 ? -1.0 : share > 1.0 ? 1.0 : share);
    return a;
}}
"""


def tabular_file(name: str, model: Any, dtype: Any) -> str:
    """The file; dtype: of the networks' arithmetic. A model that reads texts or dates is refused."""
    check_is_fitted(model)
    encoders, places = model.preprocessing_.encoders, model.preprocessing_.places
    require_no_dates(encoders, "C")
    for encoder in encoders:
        if isinstance(encoder, Texts):
            raise ValueError(
                f"the C takes numbers only, and the column {encoder.name!r} holds texts or categories: write "
                "them as numbers of their own, or use to_onnx"
            )
    T, _ = type_of(dtype)
    bag = [layers_of(network, "to_c") for network in model.networks_]
    blocks = [_about(name, model), "#include <math.h>\n"]
    for i, encoder in enumerate(encoders):
        blocks += _column_constants(i, encoder)
    for i, layers in enumerate(bag):
        blocks += layer_constants(layers, dtype, f"n{i}_")
    blocks += layer_functions([layer for layers in bag for layer in layers], dtype)
    kinds = {Flag if isinstance(encoder, Flag) else Numbers for encoder in encoders}
    blocks += [text.format(T=T) for kind, text in ((Numbers, NUMBERS), (Flag, FLAG)) if kind in kinds]
    blocks += [_network(i, layers, dtype) for i, layers in enumerate(bag)]
    body = indented(_body(model, encoders, places, bag, T))
    blocks.append(f"void {name}_predict(const double *x, double *y);\n")
    blocks.append(f"void {name}_predict(const double *x, double *y)\n{{\n{body}\n}}\n")
    return "\n".join(blocks)


def _about(name: str, model: Any) -> str:
    preprocessing, classes = model.preprocessing_, getattr(model, "classes_", None)
    reads = [
        f"x[{place}] {encoder.name}"
        for place, encoder in zip(preprocessing.places, preprocessing.encoders, strict=True)
    ]
    known = re.sub(r"[^ -~]|\*/|/\*|\?\?", "?", ", ".join(reads))
    columns = textwrap.fill(f"Read are {known or 'none of them'}.", 100)
    return (
        f"/* {len(model.networks_)} networks and their mean, written by fastnn.to_c. C99; needs math.h.\n\n"
        f"void {name}_predict(const double *x, double *y);\n\n"
        f"x: the {preprocessing.n_columns} columns of a row as they are, NaN where a cell is missing; "
        f"y: {meaning(classes, model.networks_[0].n_out)}.\n{columns} */\n"
    )


def _column_constants(i: int, encoder: Encoder) -> list[str]:
    if isinstance(encoder, Flag | Texts):
        return []
    arrays = {"edges": encoder.edges, "rates": encoder.rates, "phases": encoder.phases}
    return [constant(f"{name}{i}", np.array(x), np.float64) for name, x in arrays.items() if x]


def _column(i: int, encoder: Encoder, place: int) -> list[str]:
    """The statements that write a column's features to where `a` points, and move it on."""
    if isinstance(encoder, Flag):
        middle, half = 0.5 * encoder.low + 0.5 * encoder.high, 0.5 * encoder.high - 0.5 * encoder.low
        return [f"a = flag(x[{place}], {number(middle, '')}, {number(half, '')}, a);"]
    assert isinstance(encoder, Numbers)
    bins, waves = max(0, len(encoder.edges) - 1), len(encoder.rates)
    edges = f"edges{i}, {bins}" if bins else "0, 0"
    cosines = f"rates{i}, phases{i}, {waves}" if waves else "0, 0, 0"
    scale = f"{number(encoder.median, '')}, {number(encoder.spread, '')}"
    return [f"a = numbers(x[{place}], {scale}, {edges}, {cosines}, {int(encoder.missing)}, a);"]


def _network(i: int, layers: list[Layer], dtype: Any) -> str:
    T, _ = type_of(dtype)
    declared, calls = layer_calls(layers, dtype, prefix=f"n{i}_")
    return f"static void network{i}(const {T} *x, {T} *y)\n{{\n{indented([*declared, *calls])}\n}}\n"


def _body(model: Any, encoders: Any, places: Any, bag: list[list[Layer]], T: str) -> list[str]:
    n_in, n_out = len(bag[0][0].W), len(bag[0][-1].b)
    lines = [f"{T} features[{n_in}], outputs[{n_out}];"]
    if encoders:
        lines.append(f"{T} *a = features;")
        for i, (encoder, place) in enumerate(zip(encoders, places, strict=True)):
            lines += _column(i, encoder, place)
    else:
        lines += ["(void)x;", "features[0] = 0;"]
    lines += [f"for (int j = 0; j < {n_out}; j++)", "    y[j] = 0.0;"]
    for i in range(len(bag)):
        lines.append(f"network{i}(features, outputs);")
        lines += [f"for (int j = 0; j < {n_out}; j++)", f"    y[j] += (double)outputs[j] / {len(bag)}.0;"]
    if hasattr(model, "scale_"):
        lines.append(f"y[0] = {number(model.centre_, '')} + {number(model.scale_, '')} * y[0];")
    return lines
