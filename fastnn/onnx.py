"""Networks, estimators and pipelines as ONNX models, which other programs run without fastnn."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from fastnn.checks import float_type
from fastnn.exported import READ, layers_of
from fastnn.files import write_bytes
from fastnn.network import Network

MOST_BYTES = 2**31 - 2**20  # what one message of protocol buffers can hold, but for the names of the nodes


def to_onnx(
    model: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    dtype: DTypeLike | None = None,
    sample: Any = None,
) -> Any:
    """`model` as an `onnx.ModelProto`; written to `path` too, atomically, if one is given.

    model: a Network, or a fitted estimator with coefs_, intercepts_, activation and out_activation_:
    MLPClassifier and MLPRegressor, ours and scikit-learn's. A Pipeline or another estimator around them is
    converted by skl2onnx, which must be installed. What load_pipeline gave, a TabularClassifier and a
    TabularRegressor are taken with their preprocessing, but for dates: each column is an input
    (n_samples, 1), numbers as float64, NaN where one is missing, texts as strings, "" where one is missing;
    columns without names are one input X (n_samples, n_columns) of float64. dtype: float32 or float64, of the
    input and of the arithmetic; that of the parameters by default, float32 of a pipeline. sample: for
    pipelines whose columns are not all numbers of one type: rows as the model takes them, of which the types
    of the inputs are read.

    The input is X (n_samples, n_in), with any number of rows; of a `sample` with named columns, each is an
    input of its own, (n_samples, 1). The outputs, named as skl2onnx names them:

    - of a classifier: label (n_samples,), one of classes_, whole numbers as int64; and probabilities
      (n_samples, n_classes). Where a sample may have several labels, label is (n_samples, n_classes), 0 or 1;
    - of a regressor: variable (n_samples, n_out);
    - of a Network: outputs (n_samples, n_out), what `predict` returns.

    >>> from fastnn import Network
    >>> proto = to_onnx(Network([3, 4, 1], output="sigmoid", seed=0))
    >>> [output.name for output in proto.graph.output]
    ['outputs']
    """
    try:
        from fastnn._onnx_graph import (
            Graph,
            has_several_labels,
            network,
            one_label,
            onnx_classes,
            several_labels,
        )
    except ImportError as error:
        raise ImportError("to_onnx needs onnx: pip install 'fastnn[onnx]'") from error
    from fastnn.pipeline import TablePipeline
    from fastnn.tabular import TabularClassifier, TabularRegressor

    if isinstance(model, TablePipeline):
        model = model.estimator
    if isinstance(model, TabularClassifier | TabularRegressor):
        proto = _tabular(model, dtype, sample)
    elif _is_composed(model):
        proto = _pipeline(model, dtype, sample)
    else:
        layers = layers_of(model, "to_onnx")
        graph = Graph(float_type(layers[0].W.dtype if dtype is None else dtype))
        size = sum(W.size + b.size for W, b, _ in layers) * graph.dtype.itemsize
        if size >= MOST_BYTES:
            raise ValueError(f"the parameters take {size:,} bytes; ONNX holds less than 2 GiB in a file")
        X = graph.input("X", [len(layers[0].W)])
        A, n_out = network(graph, X, layers), len(layers[-1].b)
        if isinstance(model, Network):
            graph.output(A, "outputs", [n_out])
        elif not hasattr(model, "classes_"):
            graph.output(A, "variable", [n_out])
        elif has_several_labels(layers):
            graph.output(several_labels(graph, A), "label", [n_out], np.int64)
            graph.output(A, "probabilities", [n_out])
        else:
            classes = onnx_classes(model.classes_)
            label, probabilities, n_classes = one_label(graph, A, n_out, classes)
            graph.output(label, "label", [], classes.dtype)
            graph.output(probabilities, "probabilities", [n_classes])
        proto = graph.model()
    if path is not None:
        write_bytes(path, proto.SerializeToString())
    return proto


def register() -> None:
    """Teach skl2onnx to convert MLPClassifier and MLPRegressor; importing it does so by itself."""
    from fastnn._skl2onnx import register_converters
    from fastnn.estimators import MLPClassifier, MLPRegressor

    register_converters(MLPClassifier, MLPRegressor)


def _tabular(model: Any, dtype: DTypeLike | None, sample: Any) -> Any:
    from sklearn.utils.validation import check_is_fitted

    from fastnn._onnx_tabular import tabular_model

    if dtype is not None or sample is not None:
        name = type(model).__name__
        raise ValueError(f"the columns of a {name} have types of their own: give neither dtype= nor sample=")
    check_is_fitted(model)
    return tabular_model(model)


def _is_composed(model: Any) -> bool:
    """Whether it is an estimator of scikit-learn's kind around others: a pipeline, a search, a vote."""
    if any(hasattr(model, name) for name in READ):
        return False
    return hasattr(model, "get_params") and hasattr(model, "fit")


def _pipeline(model: Any, dtype: DTypeLike | None, sample: Any) -> Any:
    try:
        import skl2onnx
    except ImportError as error:
        raise ImportError(
            f"to_onnx of a {type(model).__name__} needs skl2onnx: pip install 'fastnn[onnx]'"
        ) from error
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType
    from sklearn.base import is_classifier
    from sklearn.utils.validation import check_is_fitted

    register()
    check_is_fitted(model)
    options = {id(model): {"zipmap": False}} if is_classifier(model) else None
    if sample is not None:
        if dtype is not None:
            raise ValueError("give dtype= or sample=, whose types are those of the inputs, not both")
        return skl2onnx.to_onnx(model, sample[:1], options=options)
    kind = DoubleTensorType if float_type(dtype or "float32") == np.float64 else FloatTensorType
    if not hasattr(model, "n_features_in_"):
        raise ValueError(
            f"this {type(model).__name__} does not say how many features it takes: give sample= rows"
        )
    return skl2onnx.convert_sklearn(
        model, initial_types=[("X", kind([None, model.n_features_in_]))], options=options
    )
