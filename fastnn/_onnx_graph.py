"""The graph of an ONNX model, node by node; imported by `to_onnx` alone, as it needs onnx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper, numpy_helper

from fastnn.data import Array
from fastnn_kernels.activations import LEAKY_RELU_SLOPE

OPSET = helper.make_opsetid("", 13)  # of 2021: every runtime in use knows it


class Graph:
    """Nodes and constants so far; `dtype` is that of the input and of the numbers in between.

    A value is known by its name. Its first dimension, the number of samples, stays open.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.outputs: list[Any] = []

    def add(self, operator: str, *inputs: str | Array | float, **attributes: Any) -> str:
        """The name of `operator`'s result; an input that is no name becomes a constant."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        result = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [result], name=result, **attributes))
        return result

    def _constant(self, value: Array | float) -> str:
        name = f"constant_{len(self.constants)}"
        array = value if isinstance(value, np.ndarray) else np.asarray(value, self.dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, value: str, dtype: Any) -> str:
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

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
            case "elu":
                below = add("Sub", add("Exp", add("Min", Z, 0)), 1)
                return add("Add", add("Max", Z, 0), below)
            case "gelu":
                # In this order runtimes know a gelu and fuse it. None has an error function of float64.
                erf = self.cast(add("Erf", self.cast(add("Div", Z, np.sqrt(2)), np.float32)), self.dtype)
                return add("Mul", add("Mul", Z, add("Add", erf, 1)), 0.5)
            case "silu":
                return add("Mul", Z, add("Sigmoid", Z))
            case "softplus":
                decay = add("Exp", add("Neg", add("Abs", Z)))
                return add("Add", add("Max", Z, 0), add("Log", add("Add", decay, 1)))
        raise ValueError(f"the activation {activation!r} has no ONNX form")

    def output(self, value: str, name: str, columns: Sequence[int], dtype: Any = None) -> None:
        """Give out `value` (n_samples, *columns) as `name`."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name=name))
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype if dtype is None else dtype))
        self.outputs.append(helper.make_tensor_value_info(name, element, ["n_samples", *columns]))

    def model(self, n_in: int) -> Any:
        """The whole as a ModelProto with the input X (n_samples, n_in)."""
        element = helper.np_dtype_to_tensor_dtype(self.dtype)
        X = helper.make_tensor_value_info("X", element, ["n_samples", n_in])
        graph = helper.make_graph(self.nodes, "fastnn", [X], self.outputs, self.constants)
        version = helper.find_min_ir_version_for([OPSET])
        return helper.make_model(graph, opset_imports=[OPSET], ir_version=version, producer_name="fastnn")
