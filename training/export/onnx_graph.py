"""Builds the bundle's ONNX graph from the network's weights, node by node.

No exporter: the new one refuses packed sequences and the old one is deprecated. Inputs are ``ids`` (texts, tokens) and
``lengths`` (texts,); outputs are ``logits`` (texts, labels), ``contributions`` (texts, tokens, labels) and ``layer_1``
(the lowest) to ``layer_N`` (texts, tokens, directions * hidden). Ids past a text's length are ignored, and outputs
there are zero.
"""

from typing import Any, cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from model_store.manifest import Arithmetic
from training.export.quantization import MAX_FACTOR_CODE
from training.export.storage import Storage
from training.network import SentimentNetwork
from training.network.cells import Cell, RecurrentLayer, get_cell
from training.network.connections import Dense, Highway, Plain, Residual
from training.network.embedding import Embedding, QuantizedEmbedding
from training.network.encoder import StackedEncoder
from training.network.pooling import PoolingInputs
from training.network.quantization import quantize_rows
from training.network.validation import OptionError

OPSET = 17
RUNTIME_OPERATORS = "com.microsoft"
"""The domain of ONNX Runtime's own operators, version 1."""

IR_VERSION = 8


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
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), unique))
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


def build_graph(
    network: SentimentNetwork, *, storage: Storage = "float32", arithmetic: Arithmetic = "float32"
) -> bytes:
    """The network as a serialized ONNX model.

    Stored in less than 32 bits, it equals what ``quantize_weights`` leaves. With ``arithmetic`` int8, which takes LSTM
    cells, what goes into a matrix is rounded too, and the graph is near the network, not equal to it.
    """
    graph = GraphBuilder(storage, arithmetic)
    position = _positions(graph)  # (1, tokens, 1)
    length = graph.add("Reshape", graph.add("Cast", "lengths", to=TensorProto.INT64), graph.integers(-1, 1, 1))
    mask = graph.add("Less", position, length)  # (texts, tokens, 1)

    time_major = graph.add("Transpose", "ids", perm=[1, 0])  # (tokens, texts)
    embedded = _embed(graph, network.embedding, time_major)  # (tokens, texts, embedding size)
    if network.projection is not None:
        embedded = _linear(graph, network.projection, embedded)
    layers = _encode(graph, network.encoder, embedded, mask)  # each (texts, tokens, directions * hidden)

    inputs = PoolingInputs(layers[-1], mask=mask, position=position, length=length)
    pooled, parts = network.pooling.to_onnx(graph, inputs)
    weight = graph.matrix(network.head.weight, "head.weight", transposed=True)  # (pooled size, labels)
    product = graph.add("MatMul", pooled, weight)
    graph.add("Add", product, graph.weight(network.head.bias, "head.bias"), name="logits")
    graph.add("MatMul", parts, weight, name="contributions")
    return _serialize(graph, layers=len(layers), network=network)


def _positions(graph: GraphBuilder) -> str:
    tokens = graph.add("Gather", graph.add("Shape", "ids"), graph.weight(np.array(1, dtype=np.int64), "axis"))
    zero, one = (graph.weight(np.array(value, dtype=np.int64), "range") for value in (0, 1))
    return graph.add("Reshape", graph.add("Range", zero, tokens, one), graph.integers(1, -1, 1))


def _embed(graph: GraphBuilder, embedding: Embedding, ids: str) -> str:
    if isinstance(embedding, QuantizedEmbedding):
        codes = graph.weight(embedding.codes, "embedding.codes")
        scales = graph.weight(embedding.scales, "embedding.scales")
    elif graph.storage == "int8":
        rows, factors = quantize_rows(embedding.weight.detach().cpu())
        codes = graph.weight(rows, "embedding.weight")
        scales = graph.weight(factors, "embedding.weight.scales")
    else:
        return graph.add("Gather", graph.matrix(embedding.weight, "embedding.weight"), ids)
    # Tokens are looked up first: a table that is widened first is held in 32 bits for as long as the model is loaded.
    chosen = graph.to_float(graph.add("Gather", codes, ids))
    return graph.add("Mul", chosen, graph.add("Gather", scales, ids))


def _encode(graph: GraphBuilder, encoder: StackedEncoder, embedded: str, mask: str) -> list[str]:
    cell = get_cell(encoder.cell)
    below, layers = embedded, []
    stack = zip(encoder.layers, encoder.norms, encoder.connections, strict=True)
    for number, (layer, norm, connection) in enumerate(stack, start=1):
        states = _recur(graph, cast("RecurrentLayer", layer), cell, _normalize(graph, norm, below))
        representation, below = _connect(graph, connection, below, states)
        batch_major = graph.add("Transpose", representation, perm=[1, 0, 2])
        layers.append(graph.add("Where", mask, batch_major, graph.number(0.0), name=f"layer_{number}"))
    return layers


def _normalize(graph: GraphBuilder, norm: nn.Module, below: str) -> str:
    """(tokens, texts, size): each token by itself, so that padding does not reach a token."""
    if not isinstance(norm, nn.LayerNorm):
        return below
    weight, bias = graph.weight(norm.weight, "norm.weight"), graph.weight(norm.bias, "norm.bias")
    return graph.add("LayerNormalization", below, weight, bias, axis=-1, epsilon=norm.eps)


def _recur(graph: GraphBuilder, layer: RecurrentLayer, cell: Cell, below: str) -> str:
    """(tokens, texts, input size) to (tokens, texts, directions * hidden)."""
    suffixes = ["", "_reverse"] if layer.bidirectional else [""]

    def stacked(kind: str) -> NDArray[np.float32]:
        return np.stack([_reordered(getattr(layer, f"{kind}_l0{suffix}"), cell) for suffix in suffixes])

    attributes: dict[str, Any] = {
        "hidden_size": layer.hidden_size,
        "direction": "bidirectional" if layer.bidirectional else "forward",
        **cell.onnx_attributes,
    }
    name = cell.onnx_operator.lower()
    input_weights = stacked("weight_ih")  # (directions, gates * hidden, input size)
    hidden_weights = stacked("weight_hh")  # (directions, gates * hidden, hidden)
    bias = graph.weight(np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1), f"{name}.B")
    if graph.arithmetic == "int8":
        states = _recur_in_8_bits(
            graph, cell, below, bias, input_weights=input_weights, hidden_weights=hidden_weights, attributes=attributes
        )
    else:
        matrices = graph.matrix(input_weights, f"{name}.W"), graph.matrix(hidden_weights, f"{name}.R")
        states = graph.add(cell.onnx_operator, below, *matrices, bias, "lengths", **attributes)
    by_text = graph.add("Transpose", states, perm=[0, 2, 1, 3])  # (tokens, texts, directions, hidden)
    return graph.add("Reshape", by_text, graph.integers(0, 0, -1))


def _recur_in_8_bits(
    graph: GraphBuilder,
    cell: Cell,
    below: str,
    bias: str,
    *,
    input_weights: NDArray[np.float32],
    hidden_weights: NDArray[np.float32],
    attributes: dict[str, Any],
) -> str:
    """An LSTM whose matrices are codes with a scale a row; the operator takes them as (directions, columns, rows)."""
    if cell.onnx_int8_operator is None:
        message = f"there is no 8-bit operator for {cell.onnx_operator} layers"
        raise OptionError(message)
    codes, scales, zeros = [], [], []
    for values, name in ((input_weights, "W"), (hidden_weights, "R")):
        rows, scale = quantize_rows(torch.from_numpy(values), largest=MAX_FACTOR_CODE)
        codes.append(graph.weight(rows.transpose(1, 2), f"lstm.{name}"))
        scales.append(graph.weight(scale.squeeze(-1), f"lstm.{name}.scales"))
        zeros.append(graph.weight(torch.zeros(scale.shape[:2], dtype=torch.int8), f"lstm.{name}.zeros"))
    no_start = ["", "", ""]  # hidden and cell states begin at zero, and there are no peepholes
    inputs = [below, *codes, bias, "lengths", *no_start, scales[0], zeros[0], scales[1], zeros[1]]
    return graph.add(cell.onnx_int8_operator, *inputs, domain=RUNTIME_OPERATORS, **attributes)


def _reordered(parameter: Tensor, cell: Cell) -> NDArray[np.float32]:
    gates = parameter.detach().cpu().float().chunk(len(cell.gates))
    return np.concatenate([gates[index].numpy() for index in cell.onnx_gate_order])


def _connect(graph: GraphBuilder, connection: nn.Module, below: str, output: str) -> tuple[str, str]:
    """The layer's representation and what the layer above reads."""
    match connection:
        case Plain():
            return output, output
        case Dense():
            return output, graph.add("Concat", below, output, axis=-1)
        case Residual():
            joined = graph.add("Add", below, output)
        case Highway():
            transform = graph.add("Sigmoid", _linear(graph, connection.gate, below))
            joined = graph.add("Add", below, graph.add("Mul", transform, graph.add("Sub", output, below)))
        case _:
            message = f"there is no ONNX form for the connection {type(connection).__name__}"
            raise OptionError(message)
    return joined, joined


def _linear(graph: GraphBuilder, linear: nn.Linear, values: str) -> str:
    product = graph.add("MatMul", values, graph.matrix(linear.weight, "linear.weight", transposed=True))
    return graph.add("Add", product, graph.weight(linear.bias, "linear.bias"))


def _serialize(graph: GraphBuilder, *, layers: int, network: SentimentNetwork) -> bytes:
    size = network.encoder.output_size
    outputs: dict[str, list[str | int]] = {
        "logits": ["texts", network.head.out_features],
        "contributions": ["texts", "tokens", network.head.out_features],
        **{f"layer_{number}": ["texts", "tokens", size] for number in range(1, layers + 1)},
    }
    made = helper.make_graph(
        graph.nodes,
        "sentiment",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["texts", "tokens"]),
            helper.make_tensor_value_info("lengths", TensorProto.INT32, ["texts"]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        graph.weights,
    )
    operators = [helper.make_opsetid("", OPSET)]
    if graph.arithmetic == "int8":
        operators.append(helper.make_opsetid(RUNTIME_OPERATORS, 1))
    model = helper.make_model(made, opset_imports=operators, ir_version=IR_VERSION, producer_name="sentiment-encoder")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())
