"""The stacked bidirectional encoder: a contextual representation of every token.

Lecture "Vanishing Gradients and Fancy RNNs": LSTM and GRU cells, several layers, both directions, and connections that
let gradients reach the lowest layer. Connections, layer norm and dropout see real tokens alone, and padding can never
leak into a state.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from model_store.manifest import CellName
from training.network.cells import FORGET_GATE, Cell, RecurrentLayer, get_cell
from training.network.connections import Dense, make_connection
from training.network.flat_options import flat_options
from training.network.options import ENCODER, NO_REGULARIZATION, EncoderOptions, RegularizationOptions
from training.network.padded_kernels import PaddedLayout, pad_layout, run_padded
from training.network.regularization import LockedDropout, dropped_weights, read_with_weights
from training.network.validation import MAX_LAYERS, check_int, check_probability


@flat_options()
class StackedEncoder(nn.Module):
    """One-layer recurrent modules; between two of them a connection, layer norm and dropout.

    Layer norm and dropout are applied to the input of the next layer only. The connection carries its input on
    unchanged, so an unbroken identity path runs from the top to the bottom. For layer norm this is the "pre-norm"
    position, where gradients stay even over many layers from the first step on (Xiong et al. 2020, sections 3.2 and
    3.3). Each token is normalized by itself (Ba et al. 2016, equation 3).

    Texts are packed once and stay packed. In training on a CPU, texts of similar length are padded instead, which gives
    the same numbers faster and does not call the modules in ``layers``; see ``padded_kernels``.

    Args:
        input_size: width of one embedded token.
        encoder: the encoder's shape.
        regularization: of these, dropout between layers, locked dropout and weight drop.

    Raises:
        OptionError: an option is out of its range.
    """

    def __init__(
        self,
        input_size: int,
        *,
        encoder: EncoderOptions = ENCODER,
        regularization: RegularizationOptions = NO_REGULARIZATION,
    ) -> None:
        super().__init__()
        cell = get_cell(encoder.cell)
        check_int("layers", encoder.layers, minimum=1, maximum=MAX_LAYERS)
        check_int("hidden_size", encoder.hidden_size, minimum=1)
        check_probability("dropout", regularization.dropout)
        check_probability("weight_drop", regularization.weight_drop)
        self.cell: CellName = encoder.cell
        self.output_size = (2 if encoder.bidirectional else 1) * encoder.hidden_size
        self.weight_drop = regularization.weight_drop
        self.layers = nn.ModuleList()
        self.norms = nn.ModuleList()
        self.connections = nn.ModuleList()
        self.dropout = nn.Dropout(regularization.dropout)
        self.locked_dropout = LockedDropout(regularization.locked_dropout)
        width = input_size
        for index in range(encoder.layers):
            layer = cell.module(width, encoder.hidden_size, bidirectional=encoder.bidirectional)
            initialize(layer, cell)
            joined = make_connection(encoder.connection, input_size=width, output_size=self.output_size)
            self.layers.append(layer)
            self.norms.append(nn.LayerNorm(width) if encoder.layer_norm and index else nn.Identity())
            self.connections.append(joined)
            width = width + self.output_size if isinstance(joined, Dense) else self.output_size

    def forward(self, embedded: PackedSequence) -> list[PackedSequence]:
        """Encode (all tokens, input size); returns each layer's (all tokens, directions * hidden), lowest first."""
        layout = pad_layout(embedded) if self.training else None
        below = embedded
        representations = []
        for index, connection in enumerate(self.connections):
            joined = connection(below.data, self._read(index, below, layout).data)
            representations.append(repack(joined.representation, below))
            below = repack(joined.above, below)
        return representations

    def _read(self, index: int, below: PackedSequence, layout: PaddedLayout | None) -> PackedSequence:
        """One layer's output: (all tokens, input size) to (all tokens, directions * hidden)."""
        layer = cast("RecurrentLayer", self.layers[index])
        if index:
            below = repack(self.dropout(self.norms[index](below.data)), below)
        below = self.locked_dropout(below)
        weight_drop = self.weight_drop if self.training else 0.0
        if layout is not None:
            return run_padded(layer, below, layout, weights=dropped_weights(layer, weight_drop))
        if weight_drop:
            return read_with_weights(layer, below, weights=dropped_weights(layer, weight_drop))
        output: PackedSequence = layer(below)[0]
        return output


def repack(data: Tensor, like: PackedSequence) -> PackedSequence:
    """Pack (all tokens, any size) data in the order of ``like``."""
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)


def initialize(layer: nn.Module, cell: Cell) -> None:
    """Initialize recurrent weights orthogonally and input weights by Glorot, gate by gate; open the forget gate.

    The orthogonal start keeps a gradient's norm over time (Saxe et al. 2013); a forget bias of 1 lets a fresh LSTM
    remember (Jozefowicz et al. 2015, section 2.2). Torch adds two biases, so only ``bias_ih`` has the 1.
    """
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.startswith("bias"):
                parameter.zero_()
                if FORGET_GATE in cell.gates and name.startswith("bias_ih"):
                    parameter.chunk(len(cell.gates))[cell.gates.index(FORGET_GATE)].fill_(1.0)
                continue
            for gate in parameter.chunk(len(cell.gates)):
                nn.init.orthogonal_(gate) if name.startswith("weight_hh") else nn.init.xavier_uniform_(gate)
