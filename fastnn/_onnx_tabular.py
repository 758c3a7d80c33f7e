"""Estimators of tables as an ONNX graph: their columns, each of their networks, the mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastnn._onnx_graph import Graph, network, one_label, onnx_classes
from fastnn.exported import layers_of
from fastnn.tabular.encoders import (
    BIN_SCALE,
    CATEGORY_SCALE,
    CLIP,
    FARTHEST,
    FEW_CATEGORIES,
    Encoder,
    Flag,
    Numbers,
    Texts,
    require_no_dates,
)

TABLE = "X"  # the input of a table whose columns have no names


def tabular_model(model: Any) -> Any:
    """The ModelProto of a fitted estimator of tables.

    Each column is an input (n_samples, 1), float64 of numbers, NaN where one is missing, strings of texts, ""
    where one is missing; of a table without names X (n_samples, n_columns), float64, is the only one.
    """
    preprocessing, classes = model.preprocessing_, getattr(model, "classes_", None)
    require_no_dates(preprocessing.encoders, "ONNX")
    outputs = ["variable"] if classes is None else ["label", "probabilities"]
    names = [encoder.name for encoder in preprocessing.encoders] if preprocessing.named else [TABLE]
    for name in names:
        if name in outputs or not name:
            raise ValueError(f"an input of ONNX cannot be called {name!r}: train with another name")
    graph = Graph(model.networks_[0].dtype, taken={*outputs, *names})
    columns = [
        _features(graph, encoder, _cells(graph, preprocessing, encoder, place))
        for encoder, place in zip(preprocessing.encoders, preprocessing.places, strict=True)
    ]
    X = graph.add("Concat", *columns, axis=1) if columns else _nothing(graph, preprocessing.n_columns)
    answers = [network(graph, X, layers_of(net, "to_onnx")) for net in model.networks_]
    A = graph.add("Mean", *answers) if len(answers) > 1 else answers[0]
    if classes is None:
        shares = graph.add("Mul", graph.cast(A, np.float64), np.array(model.scale_))
        graph.output(graph.add("Add", shares, np.array(model.centre_)), "variable", [1], np.float64)
    else:
        labels = onnx_classes(classes)
        label, probabilities, n_classes = one_label(graph, A, model.networks_[0].n_out, labels)
        graph.output(label, "label", [], labels.dtype)
        graph.output(probabilities, "probabilities", [n_classes])
    return graph.model()


def _cells(graph: Graph, preprocessing: Any, encoder: Encoder, place: int) -> str:
    """The column (n_samples, 1) that an encoder reads."""
    texts = isinstance(encoder, Texts)
    if preprocessing.named:
        return graph.input(encoder.name, [1], object if texts else np.float64)
    if texts:
        raise ValueError(
            f"{encoder.name} holds texts, and ONNX has no array of numbers and texts: train on a DataFrame, "
            "whose columns have names"
        )
    return graph.add("Gather", _table(graph, preprocessing.n_columns), np.array([place]), axis=1)


def _table(graph: Graph, n_columns: int) -> str:
    return TABLE if graph.inputs else graph.input(TABLE, [n_columns], np.float64)


def _nothing(graph: Graph, n_columns: int) -> str:
    """Zeros (n_samples, 1), of a table of which no column is read."""
    first = graph.add("Gather", _table(graph, n_columns), np.array([0]), axis=1)
    known = graph.add("Where", graph.add("IsNaN", first), np.array(0.0), np.array(0.0))
    return graph.cast(known, graph.dtype)


def _features(graph: Graph, encoder: Encoder, cells: str) -> str:
    """What the networks take of a column (n_samples, width)."""
    if isinstance(encoder, Texts):
        return _texts(graph, encoder, cells)
    return _flag(graph, encoder, cells) if isinstance(encoder, Flag) else _numbers(graph, encoder, cells)


def _texts(graph: Graph, encoder: Texts, cells: str) -> str:
    strings = [category.encode() for category in encoder.categories]
    flat = graph.add("Reshape", cells, np.array([-1]))
    codes = graph.add("OneHotEncoder", flat, domain="ai.onnx.ml", cats_strings=strings, zeros=1)
    codes = graph.cast(codes, graph.dtype)
    if encoder.width == 1 and len(strings) == 2:
        return graph.add("MatMul", codes, np.array([[-1], [1]], graph.dtype))
    return graph.add("Mul", codes, CATEGORY_SCALE) if len(strings) > FEW_CATEGORIES else codes


def _flag(graph: Graph, encoder: Flag, cells: str) -> str:
    low, high = encoder.low, encoder.high
    middle, half = 0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low
    v = graph.add("Min", graph.add("Max", cells, np.array(low)), np.array(high))
    shares = graph.add("Div", graph.add("Sub", v, np.array(middle)), np.array(half))
    # Of the cells, not of v: what Min and Max make of NaN differs from runtime to runtime.
    known = graph.add("Where", graph.add("IsNaN", cells), np.array(0.0), shares)
    return graph.cast(known, graph.dtype)


def _numbers(graph: Graph, encoder: Numbers, cells: str) -> str:
    add = graph.add
    unknown = add("IsNaN", cells)
    v = add("Where", unknown, np.array(encoder.median), cells)
    z = add("Div", add("Sub", v, np.array(encoder.median)), np.array(encoder.spread))
    z = add("Min", add("Max", z, np.array(-FARTHEST)), np.array(FARTHEST))
    clip = add("Div", z, np.array(CLIP))
    z = add("Div", z, add("Sqrt", add("Add", add("Mul", clip, clip), np.array(1.0))))
    parts = [graph.cast(z, graph.dtype)]
    if encoder.edges:
        low, high = np.array([encoder.edges[:-1]]), np.array([encoder.edges[1:]])
        passed = add("Sub", add("Min", add("Max", v, low), high), low)
        parts.append(graph.cast(add("Mul", passed, BIN_SCALE / (high - low)), graph.dtype))
    if encoder.rates:
        turns = add("Add", add("Mul", z, np.array([encoder.rates])), np.array([encoder.phases]))
        # In float32, as runtimes have no cosine of float64; the turns are few.
        waves = graph.cast(add("Cos", graph.cast(turns, np.float32)), graph.dtype)
        parts.append(add("Mul", waves, np.sqrt(2)))
    together = add("Concat", *parts, axis=1) if len(parts) > 1 else parts[0]
    result = add("Where", unknown, 0.0, together)
    if not encoder.missing:
        return result
    return add("Concat", result, graph.cast(unknown, graph.dtype), axis=1)
