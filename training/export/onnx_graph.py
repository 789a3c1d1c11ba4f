"""Builds the bundle's ONNX graph from the network's weights, node by node.

No exporter: the new one refuses packed sequences and the old one is deprecated. Inputs are ``ids`` (texts, tokens) and
``lengths`` (texts,); outputs are ``logits`` (texts, labels), ``contributions`` (texts, tokens, labels) and ``layer_1``
(the lowest) to ``layer_N`` (texts, tokens, directions * hidden). Ids past a text's length are ignored, and outputs
there are zero.
"""

from typing import cast

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from model_store.manifest import Arithmetic
from training.export.graph_builder import GraphBuilder
from training.export.int8_lstm import (
    RUNTIME_OPERATORS,
    Int8Layers,
    LayerWeights,
    cut_normalized,
    input_range,
    range_above,
)
from training.export.storage import Storage
from training.network import SentimentNetwork
from training.network.cells import Cell, RecurrentLayer, get_cell
from training.network.connections import Dense, Highway, Plain, Residual
from training.network.embedding import Embedding, QuantizedEmbedding
from training.network.pooling import PoolingInputs
from training.network.quantization import quantize_rows
from training.network.validation import OptionError

OPSET = 17
IR_VERSION = 8


def build_graph(
    network: SentimentNetwork, *, storage: Storage = "float32", arithmetic: Arithmetic = "float32"
) -> bytes:
    """The network as a serialized ONNX model.

    Stored in less than 32 bits, it equals what ``quantize_weights`` leaves. With ``arithmetic`` int8, which takes LSTM
    cells, what goes into a matrix is rounded too, and the graph is near the network, not equal to it.
    """
    graph = GraphBuilder(storage, arithmetic)
    position = _positions(graph)  # (tokens,)
    length = graph.add("Cast", "lengths", to=TensorProto.INT64)  # (texts,)
    embedded = _embed(graph, network, position, length)
    layers = _encode(graph, network, embedded)  # each (texts, tokens, directions * hidden)

    by_text = graph.add("Reshape", length, graph.integers(-1, 1, 1))
    places = graph.add("Reshape", position, graph.integers(1, -1, 1))
    inputs = PoolingInputs(layers[-1], mask=graph.add("Less", places, by_text), position=places, length=by_text)
    weight = graph.matrix(network.head.weight, "head.weight", transposed=True)  # (pooled size, labels)
    contributions = graph.add("Sum", *network.pooling.to_onnx(graph, inputs, weight), name="contributions")
    # ReduceSum would add in another order for another number of tokens, those past the text's end included.
    sums = graph.add("CumSum", contributions, graph.weight(np.array(1, dtype=np.int64), "axis"))
    total = graph.add("Gather", sums, graph.weight(np.array(-1, dtype=np.int64), "axis"), axis=1)
    graph.add("Add", total, graph.weight(network.head.bias, "head.bias"), name="logits")
    return _serialize(graph, layers=len(layers), network=network)


def _positions(graph: GraphBuilder) -> str:
    tokens = graph.add("Gather", graph.add("Shape", "ids"), graph.weight(np.array(1, dtype=np.int64), "axis"))
    zero, one = (graph.weight(np.array(value, dtype=np.int64), "range") for value in (0, 1))
    return graph.add("Range", zero, tokens, one)


def _embed(graph: GraphBuilder, network: SentimentNetwork, position: str, length: str) -> str:
    """(tokens, texts, size): what the first layer reads, zero past a text's end."""
    mask = graph.add("Less", graph.add("Reshape", position, graph.integers(-1, 1)), length)  # (tokens, texts)
    mask = graph.add("Unsqueeze", mask, graph.integers(2))  # (tokens, texts, 1)
    embedded = _look_up(graph, network.embedding, mask)  # (tokens, texts, embedding size)
    if network.projection is None:
        return embedded
    return graph.add("Where", mask, _linear(graph, network.projection, embedded), graph.number(0.0))


def _look_up(graph: GraphBuilder, embedding: Embedding, mask: str) -> str:
    ids = graph.add("Transpose", "ids", perm=[1, 0])  # (tokens, texts)
    if isinstance(embedding, QuantizedEmbedding):
        codes = graph.weight(embedding.codes, "embedding.codes")
        scales = graph.weight(embedding.scales, "embedding.scales")
    elif graph.storage == "int8":
        rows, factors = quantize_rows(embedding.weight.detach().cpu())
        codes = graph.weight(rows, "embedding.weight")
        scales = graph.weight(factors, "embedding.weight.scales")
    else:
        chosen = graph.add("Gather", graph.matrix(embedding.weight, "embedding.weight"), ids)
        return graph.add("Where", mask, chosen, graph.number(0.0))
    # Tokens are looked up first: a table that is widened first is held in 32 bits for as long as the model is loaded.
    chosen = graph.to_float(graph.add("Gather", codes, ids))
    return graph.add("Mul", chosen, graph.add("Where", mask, graph.add("Gather", scales, ids), graph.number(0.0)))


def _encode(graph: GraphBuilder, network: SentimentNetwork, below: str) -> list[str]:
    """Each layer's representations, (texts, tokens, directions * hidden).

    Past a text's end they are zero, because what goes in is, recurrent operators stop there, and connections make
    nothing of zeros.
    """
    encoder, layers, reach = network.encoder, [], input_range(network)
    cell, recurrent = get_cell(encoder.cell), [cast("RecurrentLayer", layer) for layer in encoder.layers]
    in_8_bits = Int8Layers(graph, cell, recurrent[0], embedded=below) if graph.arithmetic == "int8" else None
    stack = zip(recurrent, encoder.norms, encoder.connections, strict=True)
    for number, (layer, norm, connection) in enumerate(stack, start=1):
        weights, read = _layer_weights(layer, cell), _normalize(graph, norm, below)
        if in_8_bits is None:
            states = _recur(graph, cell, read, weights)  # (tokens, directions, texts, hidden)
        else:
            read, read_reach = cut_normalized(graph, norm, read, reach=reach)
            states = in_8_bits.add(read, weights, reach=read_reach)
        by_text = graph.add("Transpose", states, perm=[0, 2, 1, 3])  # (tokens, texts, directions, hidden)
        joined = graph.add("Reshape", by_text, graph.integers(0, 0, -1))
        representation, below = _connect(graph, connection, below, joined)
        reach = range_above(connection, below=reach)
        layers.append(graph.add("Transpose", representation, perm=[1, 0, 2], name=f"layer_{number}"))
    return layers


def _normalize(graph: GraphBuilder, norm: nn.Module, below: str) -> str:
    """(tokens, texts, size): each token by itself, so that padding does not reach a token."""
    if not isinstance(norm, nn.LayerNorm):
        return below
    weight, bias = graph.weight(norm.weight, "norm.weight"), graph.weight(norm.bias, "norm.bias")
    return graph.add("LayerNormalization", below, weight, bias, axis=-1, epsilon=norm.eps)


def _layer_weights(layer: RecurrentLayer, cell: Cell) -> LayerWeights:
    suffixes = ["", "_reverse"] if layer.bidirectional else [""]

    def stacked(kind: str) -> NDArray[np.float32]:
        return np.stack([_reordered(getattr(layer, f"{kind}_l0{suffix}"), cell) for suffix in suffixes])

    return LayerWeights(
        input=stacked("weight_ih"),
        hidden=stacked("weight_hh"),
        bias=np.concatenate([stacked("bias_ih"), stacked("bias_hh")], axis=1),
        attributes={
            "hidden_size": layer.hidden_size,
            "direction": "bidirectional" if layer.bidirectional else "forward",
            **cell.onnx_attributes,
        },
    )


def _recur(graph: GraphBuilder, cell: Cell, below: str, weights: LayerWeights) -> str:
    """(tokens, texts, input size) to (tokens, directions, texts, hidden)."""
    name = cell.onnx_operator.lower()
    bias = graph.weight(weights.bias, f"{name}.B")
    matrices = graph.matrix(weights.input, f"{name}.W"), graph.matrix(weights.hidden, f"{name}.R")
    return graph.add(cell.onnx_operator, below, *matrices, bias, "lengths", **weights.attributes)


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
