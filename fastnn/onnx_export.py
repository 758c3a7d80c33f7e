"""Networks and estimators as ONNX models, which other programs and languages run without fastnn."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from fastnn import storage
from fastnn._validation import choice
from fastnn.data import Array
from fastnn.network import Network, _dtype
from fastnn_kernels.activations import ACTIVATIONS

MOST_BYTES = 2**31 - 2**20  # what one message of protocol buffers can hold, but for the names of the nodes


class Layer(NamedTuple):
    """W (n_in, n_out), b (n_out,) and the activation's name."""

    W: Array
    b: Array
    activation: str


def to_onnx(model: Any, path: str | os.PathLike[str] | None = None, *, dtype: DTypeLike | None = None) -> Any:
    """`model` as an `onnx.ModelProto`; written to `path` too, atomically, if one is given.

    model: a Network, or a fitted estimator with coefs_, intercepts_, activation and out_activation_:
    MLPClassifier and MLPRegressor, ours and scikit-learn's. dtype: float32 or float64, of the input and of
    the arithmetic; that of the parameters by default.

    The input is X (n_samples, n_in), with any number of rows. The outputs, named as skl2onnx names them:

    - of a classifier: label (n_samples,), one of classes_, whole numbers as int64; and probabilities
      (n_samples, n_classes). Where a sample may have several labels, label is (n_samples, n_classes), 0 or 1;
    - of a regressor: variable (n_samples, n_out);
    - of a Network: outputs (n_samples, n_out), what `predict` returns.
    """
    try:
        from fastnn._onnx_graph import Graph
    except ImportError as error:
        raise ImportError("to_onnx needs onnx: pip install 'fastnn[onnx]'") from error
    layers = _layers(model)
    graph = Graph(_dtype(layers[0].W.dtype if dtype is None else dtype))
    size = sum(W.size + b.size for W, b, _ in layers) * graph.dtype.itemsize
    if size >= MOST_BYTES:
        raise ValueError(f"the parameters take {size:,} bytes; ONNX holds less than 2 GiB in a file")
    A = "X"
    for W, b, activation in layers:
        Z = graph.add("Gemm", A, W.astype(graph.dtype, order="C"), b.astype(graph.dtype))
        A = graph.activation(activation, Z)
    n_out = len(layers[-1].b)
    if isinstance(model, Network):
        graph.output(A, "outputs", [n_out])
    elif not hasattr(model, "classes_"):
        graph.output(A, "variable", [n_out])
    elif n_out > 1 and layers[-1].activation == "sigmoid":
        label = graph.cast(graph.add("Greater", A, 0.5), np.int64)
        graph.output(label, "label", [n_out], np.int64)
        graph.output(A, "probabilities", [n_out])
    else:
        classes = _classes(model.classes_)
        if n_out == 1:
            A = graph.add("Concat", graph.add("Sub", 1, A), A, axis=1)
            classes = np.resize(classes, 2)  # a classifier that has seen one class has two columns too
        label = graph.add("Gather", classes, graph.add("ArgMax", A, axis=1, keepdims=0))
        graph.output(label, "label", [], classes.dtype)
        graph.output(A, "probabilities", [len(classes)])
    proto = graph.model(len(layers[0].W))
    if path is not None:
        storage.write_bytes(path, proto.SerializeToString())
    return proto


def _layers(model: Any) -> list[Layer]:
    if isinstance(model, Network):
        return [Layer(*layer) for layer in zip(model.weights, model.biases, model.activations, strict=True)]
    reads = ("coefs_", "intercepts_", "activation", "out_activation_")
    missing = [name for name in reads if not hasattr(model, name)]
    if missing and hasattr(model, "fit") and hasattr(model, "activation"):
        from sklearn.exceptions import NotFittedError

        raise NotFittedError(f"this {type(model).__name__} is not fitted yet: call fit before to_onnx")
    if missing:
        raise TypeError(
            f"to_onnx takes a Network or a fitted MLPClassifier or MLPRegressor, not {type(model).__name__}: "
            f"it has no {', '.join(missing)}"
        )
    weights, biases = list(map(np.asarray, model.coefs_)), list(map(np.asarray, model.intercepts_))
    hidden = model.activation
    names = [hidden] * (len(weights) - 1) if isinstance(hidden, str) else list(hidden)
    names = ["sigmoid" if name == "logistic" else name for name in (*names, model.out_activation_)]
    for name in names:
        choice("activation", name, ACTIVATIONS)
    if not len(weights) == len(biases) == len(names):
        raise ValueError(
            f"{len(weights)} coefs_, {len(biases)} intercepts_ and {len(names)} activations make no network: "
            "give one of each per layer"
        )
    return [Layer(*layer) for layer in zip(weights, biases, names, strict=True)]


def _classes(classes: Any) -> Array:
    """The classes as ONNX can hold them: int64, bool, floats or strings."""
    classes = np.asarray(classes)
    if classes.dtype.kind in "iu":
        return classes.astype(np.int64)
    if classes.dtype.kind in "bf":
        return classes
    if all(isinstance(name, str) for name in classes):
        return classes.astype(object)
    raise ValueError(f"classes_={classes!r}: ONNX has labels that are numbers, booleans or strings only")
