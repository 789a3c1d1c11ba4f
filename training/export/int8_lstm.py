"""An LSTM layer that multiplies in 8 bits, and whose answer for a text does not depend on the texts beside it.

ONNX Runtime's operator rounds what goes into a product to 256 steps of the range that it finds there: of all tokens of
all texts for the layer's input, of all texts' hidden states at each step. Here both ranges always have the same ends,
because numbers at the ends are put beside the real ones: two columns of the input, and two units whose hidden state is
1 and -1 at every step. Their weights are zero, so they add nothing. So texts can be computed together.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.export.graph_builder import GraphBuilder
from training.export.quantization import MAX_FACTOR_CODE
from training.network import SentimentNetwork
from training.network.cells import Cell, RecurrentLayer
from training.network.connections import Dense, Highway, Plain, Residual
from training.network.quantization import quantize_rows
from training.network.validation import OptionError

RUNTIME_OPERATORS = "com.microsoft"
"""The domain of ONNX Runtime's own operators, version 1."""

STANDARD_DEVIATIONS = 6.0
"""Where the input of a layer below a layer norm is cut: a normalized number is hardly ever farther from its mean."""

OPEN, CLOSED = 100.0, -100.0
"""Biases of gates whose sigmoid is 1 and 0."""

FULL_CELL = 30.0
"""A cell state whose tanh is 1."""

HIDDEN_RANGE = 1.0
"""Hidden states lie within -1 and 1: a sigmoid times a tanh."""

ROUNDING = 1e-4
"""By how much of itself a number may be larger here than in another program, which sums in another order."""

MULTIPLE = 4
"""The number of units is made a multiple of this, for which the processor's 8-bit instructions are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """One recurrent layer's weights in the order of ONNX's gates, and its operator's attributes.

    ``input`` (directions, gates * hidden, input size), ``hidden`` (directions, gates * hidden, hidden), ``bias``
    (directions, 2 * gates * hidden).
    """

    input: NDArray[np.float32]
    hidden: NDArray[np.float32]
    bias: NDArray[np.float32]
    attributes: dict[str, Any]


def input_range(network: SentimentNetwork) -> float:
    """The largest number, by its size, that the first layer can read: there is one vector for each token."""
    with torch.no_grad():
        vectors = network.embedding(torch.arange(network.embedding.num_embeddings))  # (vocabulary, embedding size)
        if network.projection is not None:
            vectors = network.projection(vectors)
        return float(vectors.abs().max())


def cut_normalized(graph: GraphBuilder, norm: nn.Module, read: str, *, reach: float) -> tuple[str, float]:
    """What a layer reads, and its range, if a layer norm made it: its numbers may be of any size, and are cut."""
    if not isinstance(norm, nn.LayerNorm):
        return read, reach
    farthest = min(STANDARD_DEVIATIONS, (norm.weight.numel() - 1) ** 0.5)  # all others equal
    reach = float((farthest * norm.weight.detach().abs() + norm.bias.detach().abs()).max())
    return graph.add("Clip", read, graph.number(-reach), graph.number(reach)), reach


def range_above(connection: nn.Module, *, below: float) -> float:
    """The same of what a connection hands to the layer above, from that of what its layer reads.

    Raises:
        OptionError: the connection is not known here.
    """
    match connection:
        case Plain():
            return HIDDEN_RANGE
        case Residual():
            return below + HIDDEN_RANGE
        case Dense() | Highway():
            return max(below, HIDDEN_RANGE)
        case _:
            message = f"there is no range for the connection {type(connection).__name__}"
            raise OptionError(message)


class Int8Layers:
    """Adds the layers of one encoder to a graph.

    Args:
        graph: where to.
        cell: of the encoder.
        layer: any of its layers: all have as many units and directions.
        embedded: the name of what the lowest layer reads, (tokens, texts, input size).

    Raises:
        OptionError: there is no 8-bit operator for the cell.
    """

    def __init__(self, graph: GraphBuilder, cell: Cell, layer: RecurrentLayer, *, embedded: str) -> None:
        if cell.onnx_int8_operator is None:
            message = f"there is no 8-bit operator for {cell.onnx_operator} layers"
            raise OptionError(message)
        self._graph = graph
        self._operator = cell.onnx_int8_operator
        self._hidden = layer.hidden_size
        self._more = 2 + -(self._hidden + 2) % MULTIPLE
        self._units = self._hidden + self._more
        self._gates = len(cell.gates)
        shape = graph.add("Shape", embedded, end=2)  # tokens, texts
        self._ends_size = graph.add("Concat", shape, graph.integers(2), axis=0)
        directions, texts = graph.integers(2 if layer.bidirectional else 1), graph.add("Shape", "lengths")
        size = graph.add("Concat", directions, texts, graph.integers(self._units), axis=0)
        self._states = [self._first_state(value, size) for value in (HIDDEN_RANGE, FULL_CELL)]

    def add(self, below: str, weights: LayerWeights, *, reach: float) -> str:
        """Add a layer.

        Args:
            below: the name of its input, (tokens, texts, input size).
            weights: of the layer.
            reach: no number of the input is larger.

        Returns:
            The name of its hidden states, (tokens, directions, texts, hidden).
        """
        graph = self._graph
        bias = self._bias(weights.bias)
        read_codes, *read_scales = self._matrix(weights.input, "W", rows=2)
        kept_codes, *kept_scales = self._matrix(weights.hidden, "R", rows=self._more)
        reach *= 1 + ROUNDING
        ends = graph.weight(np.array([[[-reach, reach]]], dtype=np.float32), "constant")
        columns = graph.add("Expand", ends, self._ends_size)  # (tokens, texts, 2)
        read = graph.add("Concat", below, columns, axis=-1)
        no_peepholes = ""
        inputs = [
            read,
            read_codes,
            kept_codes,
            bias,
            "lengths",
            *self._states,
            no_peepholes,
            *read_scales,
            *kept_scales,
        ]
        attributes = {**weights.attributes, "hidden_size": self._units}
        states = graph.add(self._operator, *inputs, domain=RUNTIME_OPERATORS, **attributes)
        return graph.add("Slice", states, graph.integers(0), graph.integers(self._hidden), graph.integers(3))

    def _matrix(self, values: NDArray[np.float32], name: str, *, rows: int) -> tuple[str, str, str]:
        """Codes, (directions, columns + rows, gates * units), with a scale and a zero point for each gate of a unit.

        What is added is zero, and is added when the graph is loaded: a bundle holds the network's own weights.
        """
        graph = self._graph
        codes, scale = quantize_rows(torch.from_numpy(values), largest=MAX_FACTOR_CODE)
        own = graph.weight(codes.transpose(1, 2), f"lstm.{name}")  # (directions, columns, gates * hidden)
        by_gate = graph.add("Reshape", own, graph.integers(0, 0, -1, self._hidden))
        wider = graph.add("Pad", by_gate, graph.integers(0, 0, 0, 0, 0, rows, 0, self._more))
        factors = self._with_units(graph.weight(scale.squeeze(-1), f"lstm.{name}.scales"))
        zeros = np.zeros((len(values), self._gates * self._units), dtype=np.int8)
        joined = graph.add("Reshape", wider, graph.integers(0, -1, self._gates * self._units))
        return joined, factors, graph.weight(zeros, f"lstm.{name}.zeros")

    def _bias(self, values: NDArray[np.float32]) -> str:
        """The further units take nothing in, forget nothing and give all: they stay as they begin."""
        graph = self._graph
        constant = np.zeros((2, self._gates, self._units), dtype=np.float32)
        constant[0, :3, self._hidden :] = [[CLOSED], [OPEN], [OPEN]]  # input, output and forget gate
        own = self._with_units(graph.weight(values, "lstm.B"))
        return graph.add("Add", own, graph.weight(constant.reshape(1, -1), "constant"))

    def _with_units(self, values: str) -> str:
        """(directions, n * hidden) to (directions, n * units), with zeros for the further units."""
        graph = self._graph
        by_gate = graph.add("Reshape", values, graph.integers(0, -1, self._hidden))
        wider = graph.add("Pad", by_gate, graph.integers(0, 0, 0, 0, 0, self._more))
        return graph.add("Reshape", wider, graph.integers(0, -1))

    def _first_state(self, value: float, size: str) -> str:
        """(directions, texts, units): zero, but ``value`` and its negative in the first two of the further units."""
        state = np.zeros((1, 1, self._units), dtype=np.float32)
        state[..., self._hidden : self._hidden + 2] = value, -value
        return self._graph.add("Expand", self._graph.weight(state, "constant"), size)
