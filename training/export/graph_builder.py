"""An ONNX graph under construction: nodes and weights, each known by the name of the value it makes."""

from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from model_store.manifest import Arithmetic
from training.export.storage import Storage
from training.network.quantization import quantize_rows


class GraphBuilder:
    """Collects nodes and weights; every method returns the name of the value it makes."""

    def __init__(self, storage: Storage = "float32", arithmetic: Arithmetic = "float32") -> None:
        self.storage = storage
        self.arithmetic = arithmetic
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:  # noqa: ANN401
        """One node with one output."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def weight(self, values: Tensor | NDArray[Any], name: str) -> str:
        """A constant tensor; the name is made unique."""
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else values
        unique = f"{name}.{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), unique))
        return unique

    def matrix(self, values: Tensor | NDArray[Any], name: str, *, transposed: bool = False) -> str:
        """A constant weight matrix, kept as ``storage`` says and widened to 32 bits when the graph is loaded.

        Args:
            values: (..., rows, columns); the network's own layout, whose rows share a scale.
            name: of the weight.
            transposed: whether the graph uses it as (columns, rows).
        """
        tensor = values.detach().cpu() if isinstance(values, Tensor) else torch.from_numpy(values)
        match self.storage:
            case "float32":
                return self.weight(tensor.T if transposed else tensor, name)
            case "float16":
                widened = self.to_float(self.weight(tensor.half(), name))
            case "int8":
                codes, scales = quantize_rows(tensor)
                integers = self.to_float(self.weight(codes, name))
                widened = self.add("Mul", integers, self.weight(scales, f"{name}.scales"))
        return self.add("Transpose", widened, perm=[1, 0]) if transposed else widened

    def to_float(self, value: str) -> str:
        """A value as float32."""
        return self.add("Cast", value, to=TensorProto.FLOAT)

    def integers(self, *values: int) -> str:
        """A 1-d int64 constant, as shapes and axes are."""
        return self.weight(np.array(values, dtype=np.int64), "integers")

    def number(self, value: float) -> str:
        """A float32 scalar constant."""
        return self.weight(np.array(value, dtype=np.float32), "number")
