"""The stacked bidirectional encoder: every token's representation in the light of the whole text.

Lecture "Vanishing Gradients and Fancy RNNs": LSTM and GRU cells, several layers, both directions, and connections that
let gradients reach the lowest layer. A text is packed once and stays packed, so padding can never leak into a state.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from training.network.connections import ConnectionName, Dense, make_connection

CellName = Literal["lstm", "gru", "rnn"]

GATES = {"lstm": 4, "gru": 3, "rnn": 1}
"""Blocks of rows in a cell's weights; torch orders them i, f, g, o (LSTM) and r, z, n (GRU)."""

_MODULES: dict[CellName, type[nn.LSTM | nn.GRU | nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}


class StackedEncoder(nn.Module):
    """One-layer recurrent modules with a connection and dropout between them.

    Args:
        input_size: width of one embedded token.
        cell: ``lstm``, ``gru`` or ``rnn`` (tanh).
        layers: how many layers are stacked.
        hidden_size: units of one direction in every layer.
        bidirectional: whether each layer also reads from the end to the start.
        connection: what joins a layer's output to its input.
        dropout: chance of a unit being zeroed between two layers.
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
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.cell: CellName = cell
        self.output_size = (2 if bidirectional else 1) * hidden_size
        self.layers = nn.ModuleList()
        self.connections = nn.ModuleList()
        self.dropout = nn.Dropout(dropout)
        width = input_size
        for _ in range(layers):
            layer = _MODULES[cell](width, hidden_size, bidirectional=bidirectional)
            initialise(layer, cell)
            joined = make_connection(connection, input_size=width, output_size=self.output_size)
            self.layers.append(layer)
            self.connections.append(joined)
            width = width + self.output_size if isinstance(joined, Dense) else self.output_size

    def forward(self, embedded: PackedSequence) -> list[PackedSequence]:
        """Reads (all tokens, input size); returns each layer's (all tokens, directions * hidden), lowest first."""
        below = embedded
        representations = []
        for number, (layer, connection) in enumerate(zip(self.layers, self.connections, strict=True)):
            # Only what the layer reads is dropped: the connection carries the input on whole.
            read = repack(self.dropout(below.data), below) if number else below
            output, _ = layer(read)
            joined = connection(below.data, output.data)
            representations.append(repack(joined.representation, below))
            below = repack(joined.above, below)
        return representations


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
