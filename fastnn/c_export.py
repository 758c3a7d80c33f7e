"""Networks as C99: one function in one file, for machines that have a C compiler and nothing else."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

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
from fastnn.checks import Array, float_type
from fastnn.exported import Layer, layers_of
from fastnn.files import write_bytes
from fastnn.network import Network

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Scaling(NamedTuple):
    """(x - center) * factor + shift, then at least `low` and at most `high` where they are given."""

    center: Array
    factor: Array
    shift: float = 0.0
    low: float | None = None
    high: float | None = None


def to_c(
    model: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    name: str | None = None,
    dtype: DTypeLike | None = None,
) -> str:
    """`model` as the text of a C99 file; written to `path` too, atomically, if one is given.

    model: a Network; a fitted MLPClassifier or MLPRegressor, ours or scikit-learn's; or a Pipeline of
    StandardScaler, MinMaxScaler, MaxAbsScaler or RobustScaler and one of these; or a fitted TabularClassifier
    or TabularRegressor that reads numbers only. name: what the names in the
    file begin with; by default that of the file without its suffix. dtype: float32 or float64, of the
    arithmetic; that of the parameters by default.

    The file holds void <name>_predict(const float *x, float *y), with double in place of float for float64.
    x: the n_in features of a sample, not scaled; y: what `predict` of a Network, or `predict_proba` of a
    classifier, gives for it, but that two classes have one number, the probability of the second. The
    function allocates nothing, keeps nothing between calls, and needs math.h alone. Of an estimator of tables
    x is a row of the table as it is, NaN where a cell is missing, and x and y are double always.

    >>> from fastnn import Network
    >>> text = to_c(Network([3, 4, 1], seed=0), name="pump")
    >>> "void pump_predict(const float *x, float *y)" in text
    True
    """
    if name is None:
        name = "network" if path is None else Path(path).stem
    if not IDENTIFIER.fullmatch(name):
        raise ValueError(f"name={name!r} cannot begin a name in C: give name= of letters, digits and _")
    text = _of_table(name, model, dtype)
    if text is None:
        scalings, last = _scalings(model)
        layers = layers_of(last, "to_c")
        precision = float_type(layers[0].W.dtype if dtype is None else dtype)
        text = _file(name, layers, scalings, getattr(last, "classes_", None), precision)
    if path is not None:
        write_bytes(path, text.encode())
    return text


def _of_table(name: str, model: Any, dtype: DTypeLike | None) -> str | None:
    """The file of an estimator of tables; None of another model."""
    if isinstance(model, Network):
        return None
    from fastnn._c_table import tabular_file
    from fastnn.tabular import TabularClassifier, TabularRegressor

    if not isinstance(model, TabularClassifier | TabularRegressor):
        return None
    return tabular_file(name, model, float_type("float32" if dtype is None else dtype))


def _scalings(model: Any) -> tuple[list[Scaling], Any]:
    """What a pipeline does to its input before its last step, and that step."""
    if not hasattr(model, "named_steps"):
        return [], model
    *before, (_, last) = model.steps
    steps = [step for _, step in before if step is not None and step != "passthrough"]
    return [_scaling(step) for step in steps], last


def _scaling(step: Any) -> Scaling:
    from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(step, StandardScaler | MinMaxScaler | MaxAbsScaler | RobustScaler):
        raise TypeError(
            f"to_c has no C for the step {type(step).__name__}; it takes StandardScaler, MinMaxScaler, "
            "MaxAbsScaler and RobustScaler before a network"
        )
    check_is_fitted(step)
    if isinstance(step, MinMaxScaler):
        low, high = step.feature_range
        return Scaling(step.data_min_, step.scale_, low, *((low, high) if step.clip else ()))
    center, scale = getattr(step, "center_", None), step.scale_
    if isinstance(step, StandardScaler) and step.with_mean:
        center = step.mean_
    return Scaling(
        np.zeros(step.n_features_in_) if center is None else center,
        np.ones(step.n_features_in_) if scale is None else 1 / scale,
        0.0,
        *((-1.0, 1.0) if getattr(step, "clip", False) else ()),
    )


def _file(name: str, layers: list[Layer], scalings: list[Scaling], classes: Any, dtype: Any) -> str:
    T, f = type_of(dtype)
    n_in, sizes = len(layers[0].W), [len(layer.b) for layer in layers]
    about = f"""\
        /* A network of {"-".join(map(str, [n_in, *sizes]))} units, written by fastnn.to_c. C99; needs math.h.

        void {name}_predict(const {T} *x, {T} *y);

        x: the {n_in} features of a sample, not scaled; y: {meaning(classes, sizes[-1])}. */
        """
    blocks = [textwrap.dedent(about), "#include <math.h>\n"]
    for n, scaling in enumerate(scalings, 1):
        for letter, values in (("center", scaling.center), ("factor", scaling.factor)):
            blocks.append(constant(f"{letter}{n}", values, dtype))
    blocks += layer_constants(layers, dtype) + layer_functions(layers, dtype)
    before = _scaled(scalings, n_in, T, f)
    source = "buffer0" if before else "x"
    declared, calls = layer_calls(layers, dtype, source, taken=n_in if before else 0)
    blocks.append(f"void {name}_predict(const {T} *x, {T} *y);\n")
    body = indented([*declared, *before, *calls])
    blocks.append(f"void {name}_predict(const {T} *x, {T} *y)\n{{\n{body}\n}}\n")
    return "\n".join(blocks)


def _scaled(scalings: list[Scaling], n_in: int, T: str, f: str) -> list[str]:
    """The statements that fill buffer0 with the scaled x, if there is anything to scale."""
    if not scalings:
        return []
    lines = [f"for (int i = 0; i < {n_in}; i++) {{", f"    {T} v = x[i];"]
    for n, scaling in enumerate(scalings, 1):
        shift = f" + {number(scaling.shift, f)}" if scaling.shift else ""
        lines.append(f"    v = (v - center{n}[i]) * factor{n}[i]{shift};")
        if scaling.low is not None and scaling.high is not None:
            low, high = number(scaling.low, f), number(scaling.high, f)
            lines.append(f"    v = v < {low} ? {low} : v > {high} ? {high} : v;")
    return [*lines, "    buffer0[i] = v;", "}"]
