"""The graph of an ONNX model, node by node; imported by `to_onnx` alone, as it needs onnx."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from fastnn.checks import Array
from fastnn.exported import SORTED, Layer
from fastnn_kernels.activations import LEAKY_RELU_SLOPE, SELU_ALPHA, SELU_SCALE

# Of each domain's operators; of 2021 and 2017: every runtime in use knows them.
OPSETS = {"": 13, "ai.onnx.ml": 1}


class Graph:
    """Nodes and constants so far; `dtype` is that of the numbers in between, and of inputs if none is given.

    A value is known by its name, which is none of those `taken`. Its first dimension, the number of samples,
    stays open.
    """

    def __init__(self, dtype: np.dtype[Any], taken: Iterable[str] = ()) -> None:
        self.dtype, self.taken = dtype, frozenset(taken)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []

    def add(
        self, operator: str, *inputs: str | Array | float, domain: str = "", more: int = 0, **attributes: Any
    ) -> str:
        """The name of `operator`'s first result; an input that is no name becomes a constant.

        more: how many results it has besides.
        """
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        result = self._free(f"{operator}_{len(self.nodes)}")
        results = [result, *(self._free(f"{result}_{i}") for i in range(more))]
        node = helper.make_node(operator, names, results, name=result, domain=domain, **attributes)
        self.nodes.append(node)
        return result

    def _free(self, name: str) -> str:
        while name in self.taken:
            name += "_"
        return name

    def _constant(self, value: Array | float) -> str:
        name = self._free(f"constant_{len(self.constants)}")
        array = value if isinstance(value, np.ndarray) else np.asarray(value, self.dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def rising(self, Z: str, n_out: int) -> str:
        """The n_out columns in rising order."""
        return self.add("TopK", Z, np.array([n_out], np.int64), more=1, axis=1, largest=0)

    def activation(self, activation: str, Z: str) -> str:
        """g(Z), from basic operators where runtimes have no operator for float64."""
        add = self.add
        match activation:
            case "identity":
                return Z
            case "sigmoid" | "tanh" | "relu" | "exp":
                return add(activation.capitalize(), Z)
            case "softmax":
                return add("Softmax", Z, axis=1)
            case "leaky_relu":
                return add("Max", Z, add("Mul", Z, LEAKY_RELU_SLOPE))
            case "elu" | "selu":
                above, below = add("Max", Z, 0), add("Sub", add("Exp", add("Min", Z, 0)), 1)
                if activation == "elu":
                    return add("Add", above, below)
                return add("Mul", add("Add", above, add("Mul", below, SELU_ALPHA)), SELU_SCALE)
            case "gelu":
                # In this order runtimes know a gelu and fuse it. None has an error function of float64.
                erf = self.cast(add("Erf", self.cast(add("Div", Z, np.sqrt(2)), np.float32)), self.dtype)
                return add("Mul", add("Mul", Z, add("Add", erf, 1)), 0.5)
            case "silu":
                return add("Mul", Z, add("Sigmoid", Z))
            case "softplus":
                decay = add("Exp", add("Neg", add("Abs", Z)))
                return add("Add", add("Max", Z, 0), add("Log", add("Add", decay, 1)))
            case "mish":
                return add("Mul", Z, add("Tanh", self.activation("softplus", Z)))
        raise ValueError(f"the activation {activation!r} has no ONNX form")

    def input(self, name: str, columns: Sequence[int], dtype: Any = None) -> str:
        """Take in `name` (n_samples, *columns)."""
        self.inputs.append(self._described(name, columns, dtype))
        return name

    def output(self, value: str, name: str, columns: Sequence[int], dtype: Any = None) -> None:
        """Give out `value` (n_samples, *columns) as `name`."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=name))
        self.outputs.append(self._described(name, columns, dtype))

    def _described(self, name: str, columns: Sequence[int], dtype: Any) -> Any:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype if dtype is None else dtype))
        return helper.make_tensor_value_info(name, element, ["n_samples", *columns])

    def model(self) -> Any:
        """The whole as a ModelProto."""
        graph = helper.make_graph(self.nodes, "fastnn", self.inputs, self.outputs, self.constants)
        domains = dict.fromkeys(["", *(node.domain for node in self.nodes)])
        opsets = [helper.make_opsetid(domain, OPSETS[domain]) for domain in domains]
        version = helper.find_min_ir_version_for(opsets)
        return helper.make_model(graph, opset_imports=opsets, ir_version=version, producer_name="fastnn")


def network(graph: Graph, X: str, layers: Sequence[Layer]) -> str:
    """The output of the last layer."""
    A = X
    for W, b, activation in layers:
        Z = graph.add("Gemm", A, W.astype(graph.dtype, order="C"), b.astype(graph.dtype))
        A = graph.rising(Z, len(b)) if activation == SORTED else graph.activation(activation, Z)
    return A


def has_several_labels(layers: Sequence[Layer]) -> bool:
    """Whether a sample of a classifier with these layers may have several labels."""
    return len(layers[-1].b) > 1 and layers[-1].activation == "sigmoid"


def several_labels(graph: Graph, A: str) -> str:
    """1 where the probability is above a half, else 0, as int64."""
    return graph.cast(graph.add("Greater", A, 0.5), np.int64)


def one_label(graph: Graph, A: str, n_out: int, classes: Array) -> tuple[str, str, int]:
    """The class of the highest probability, the probabilities (n_samples, n_classes), and n_classes."""
    if n_out == 1:
        A = graph.add("Concat", graph.add("Sub", 1, A), A, axis=1)
        classes = np.resize(classes, 2)  # a classifier that has seen one class has two columns too
    return graph.add("Gather", classes, graph.add("ArgMax", A, axis=1, keepdims=0)), A, len(classes)


def onnx_classes(classes: Any) -> Array:
    """The classes as ONNX can hold them: int64, bool, floats or strings."""
    classes = np.asarray(classes)
    if classes.dtype.kind in "iu":
        return classes.astype(np.int64)
    if classes.dtype.kind in "bf":
        return classes
    if all(isinstance(name, str) for name in classes):
        return classes.astype(object)
    raise ValueError(f"classes_={classes!r}: ONNX has labels that are numbers, booleans or strings only")
