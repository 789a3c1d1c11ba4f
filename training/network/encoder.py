"""The stacked bidirectional encoder: every token's representation in the light of the whole text.

Lecture "Vanishing Gradients and Fancy RNNs": LSTM and GRU cells, several layers, both directions, and connections that
let gradients reach the lowest layer. Connections, layer norm and dropout see real tokens alone, and padding can never
leak into a state.
"""

from typing import Literal, cast, get_args

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from training.network.connections import ConnectionName, Dense, make_connection
from training.network.padded_kernels import Rectangle, lay_out, read_side_by_side
from training.network.regularization import LockedDropout, dropped_weights, read_with_weights
from training.network.validation import MOST_LAYERS, check_chance, check_choice, check_whole_number

CellName = Literal["lstm", "gru", "rnn"]

RecurrentLayer = nn.LSTM | nn.GRU | nn.RNN

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Blocks of rows in a cell's weights; torch orders them i, f, g, o (LSTM) and r, z, n (GRU)."""

_MODULES: dict[CellName, type[RecurrentLayer]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class StackedEncoder(nn.Module):
    """One-layer recurrent modules; between two of them a connection, layer norm and dropout.

    All but the connection stand on the branch that the next layer reads: the connection carries its input on whole, so
    that an unbroken identity path runs from the top to the bottom. For layer norm this is the "pre-norm" place, where
    gradients stay even over many layers from the first step on (Xiong et al. 2020, sections 3.2 and 3.3). Each token is
    normalised by itself (Ba et al. 2016, equation 3).

    A text is packed once and stays packed. In training on a CPU, texts of like length pass through the layers side by
    side instead, which gives the same numbers sooner and does not call the modules in ``layers``, see
    ``padded_kernels``.

    Args:
        input_size: width of one embedded token.
        cell: ``lstm``, ``gru`` or ``rnn`` (tanh).
        layers: how many layers are stacked, 1 to 16.
        hidden_size: units of one direction in every layer.
        bidirectional: whether each layer also reads from the end to the start.
        connection: what joins a layer's output to its input.
        layer_norm: whether every layer but the first reads normalised tokens.
        dropout: chance of a unit being zeroed between two layers.
        locked_dropout: the same, also on what the first layer reads, with one mask for all tokens of a text.
        weight_drop: chance of a single recurrent weight being zeroed for one batch.

    Raises:
        OptionError: an option is out of its range.
    """

    def __init__(
        self,
        input_size: int,
        *,
        cell: CellName,
        layers: int,
        hidden_size: int,
        bidirectional: bool,
        connection: ConnectionName,
        layer_norm: bool = False,
        dropout: float = 0.0,
        locked_dropout: float = 0.0,
        weight_drop: float = 0.0,
    ) -> None:
        super().__init__()
        check_choice("cell", cell, choices=get_args(CellName))
        check_whole_number("layers", layers, least=1, most=MOST_LAYERS)
        check_whole_number("hidden_size", hidden_size, least=1)
        check_chance("dropout", dropout)
        check_chance("weight_drop", weight_drop)
        self.cell: CellName = cell
        self.output_size = (2 if bidirectional else 1) * hidden_size
        self.weight_drop = weight_drop
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.connections = nn.ModuleList()
        self.dropout = nn.Dropout(dropout)
        self.locked_dropout = LockedDropout(locked_dropout)
        width = input_size
        for number in range(layers):
            layer = _MODULES[cell](width, hidden_size, bidirectional=bidirectional)
            initialise(layer, cell)
            joined = make_connection(connection, input_size=width, output_size=self.output_size)
            self.layers.append(layer)
            self.norms.append(nn.LayerNorm(width) if layer_norm and number else nn.Identity())
            self.connections.append(joined)
            width = width + self.output_size if isinstance(joined, Dense) else self.output_size

    def forward(self, embedded: PackedSequence) -> list[PackedSequence]:
        """Reads (all tokens, input size); returns each layer's (all tokens, directions * hidden), lowest first."""
        rectangle = lay_out(embedded) if self.training else None
        below = embedded
        representations = []
        for number, connection in enumerate(self.connections):
            joined = connection(below.data, self._read(number, below, rectangle).data)
            representations.append(repack(joined.representation, below))
            below = repack(joined.above, below)
        return representations

    def _read(self, number: int, below: PackedSequence, rectangle: Rectangle | None) -> PackedSequence:
        """What the layer makes of (all tokens, input size): (all tokens, directions * hidden)."""
        layer = cast("RecurrentLayer", self.layers[number])
        if number:
            below = repack(self.dropout(self.norms[number](below.data)), below)
        below = self.locked_dropout(below)
        weight_drop = self.weight_drop if self.training else 0.0
        if rectangle is not None:
            return read_side_by_side(layer, below, rectangle, weights=dropped_weights(layer, weight_drop))
        if weight_drop:
            return read_with_weights(layer, below, weights=dropped_weights(layer, weight_drop))
        output: PackedSequence = layer(below)[0]
        return output


def repack(data: Tensor, like: PackedSequence) -> PackedSequence:
    """New numbers for the same texts: (all tokens, any size) in the packed order of ``like``."""
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)


def initialise(layer: nn.Module, cell: CellName) -> None:
    """Orthogonal recurrent weights and Glorot input weights gate by gate, zero biases, and an open forget gate.

    The orthogonal start keeps a gradient's norm over time (Saxe et al. 2013); a forget bias of 1 lets a fresh LSTM
    remember (Jozefowicz et al. 2015, section 2.2). Torch adds two biases, so the 1 stands in ``bias_ih`` alone.
    """
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
                if cell == "lstm" and name.startswith("bias_ih"):
                    forget = parameter.chunk(GATES[cell])[1]
                    forget.fill_(1.0)
                continue
            for gate in parameter.chunk(GATES[cell]):
                nn.init.orthogonal_(gate) if name.startswith("weight_hh") else nn.init.xavier_uniform_(gate)
