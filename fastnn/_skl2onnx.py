"""The converter by which skl2onnx knows our estimators, inside pipelines and other estimators too."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from fastnn.checks import Array
from fastnn.exported import layers_of


def register_converters(*estimators: type) -> None:
    """Give skl2onnx the converters of these classes; a second call changes nothing."""
    from skl2onnx import update_registered_converter
    from sklearn.base import is_classifier

    options = {
        "zipmap": [True, False, "columns"],
        "output_class_labels": [False, True],
        "nocl": [True, False],
    }
    for cls in estimators:
        shapes, more = (_classifier_shapes, options) if is_classifier(cls()) else (_regressor_shapes, None)
        update_registered_converter(cls, f"Fastnn{cls.__name__}", shapes, _convert, options=more)


def register_on_import(*estimators: type) -> None:
    """`register_converters`, now if skl2onnx is imported already, else when it will be."""
    if "skl2onnx" in sys.modules:
        register_converters(*estimators)
    else:
        sys.meta_path.insert(0, _Finder(estimators))


class _Finder(MetaPathFinder):
    """Finds skl2onnx as others do, and registers the converters as soon as it has been loaded."""

    def __init__(self, estimators: tuple[type, ...]) -> None:
        self.estimators, self.asking = estimators, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "skl2onnx" or self.asking:
            return None
        self.asking = True
        try:
            spec = find_spec(fullname)  # of the others; who asks may not import it
        finally:
            self.asking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)
        return spec


class _Loader(Loader):
    def __init__(self, loader: Loader, finder: _Finder) -> None:
        self.loader, self.finder = loader, finder

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        sys.meta_path.remove(self.finder)
        register_converters(*self.finder.estimators)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)


def _labels(model: Any) -> Array:
    """The classes as skl2onnx has labels: strings, or whole numbers."""
    from fastnn._onnx_graph import onnx_classes

    classes = onnx_classes(model.classes_)
    if classes.dtype == object:
        return classes
    if (classes != np.trunc(classes.astype(float))).any():
        raise ValueError(f"classes_={classes!r}: skl2onnx has labels that are whole numbers or strings")
    return classes.astype(np.int64)


def _classifier_shapes(operator: Any) -> None:
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType

    from fastnn._onnx_graph import has_several_labels

    model, (label, probabilities) = operator.raw_operator, operator.outputs
    n_samples, several = (
        operator.inputs[0].get_first_dimension(),
        has_several_labels(layers_of(model, "to_onnx")),
    )
    kind = StringTensorType if _labels(model).dtype == object and not several else Int64TensorType
    n_classes = max(2, len(model.classes_))
    label.set_type(kind([n_samples, n_classes] if several else [n_samples]))
    probabilities.type.shape = [n_samples, n_classes]


def _regressor_shapes(operator: Any) -> None:
    model, n_samples = operator.raw_operator, operator.inputs[0].get_first_dimension()
    operator.outputs[0].type.shape = [n_samples, len(model.intercepts_[-1])]


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Put the nodes of `to_onnx` into skl2onnx's container, under names that are free in its scope."""
    from skl2onnx.common.data_types import DoubleTensorType

    from fastnn import _onnx_graph as nodes

    model, outputs = operator.raw_operator, [output.full_name for output in operator.outputs]
    layers = layers_of(model, "to_onnx")
    double = isinstance(operator.inputs[0].type, DoubleTensorType)
    graph = nodes.Graph(np.dtype(np.float64 if double else np.float32))
    A = nodes.network(graph, graph.cast(operator.inputs[0].full_name, graph.dtype), layers)
    if not hasattr(model, "classes_"):
        results = [A]
    elif nodes.has_several_labels(layers):
        results = [nodes.several_labels(graph, A), A]
    else:
        results = [*nodes.one_label(graph, A, len(layers[-1].b), _labels(model))[:2]]
    for result, name in zip(results, outputs, strict=True):
        graph.output(result, name, [])
    _move(graph, scope, container, {operator.inputs[0].full_name, *outputs})


def _move(graph: Any, scope: Any, container: Any, kept: set[str]) -> None:
    from onnx import helper

    names = {name: name for name in kept}

    def renamed(name: str) -> str:
        if name not in names:
            names[name] = scope.get_unique_variable_name(f"fastnn_{name}")
        return names[name]

    for constant in graph.constants:
        constant.name = renamed(constant.name)
        container.initializers.append(constant)
    for node in graph.nodes:
        container.add_node(
            node.op_type,
            [renamed(name) for name in node.input],
            [renamed(name) for name in node.output],
            name=scope.get_unique_operator_name(f"fastnn_{node.op_type}"),
            **{attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute},
        )
