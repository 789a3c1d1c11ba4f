"""One direction of an encoder's layer, read token by token, so that the gradient of every state in between is at hand.

Torch's fused modules hand out the states they passed through, but no gradient that flows along them; here each state is
a node of the graph. The weights are the layer's own, and the numbers equal the fused module's.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from training.network.encoder import RecurrentLayer


class States(NamedTuple):
    """A direction's states in reading order: ``hidden`` and, for an LSTM, ``cells``; each (texts, hidden)."""

    hidden: list[Tensor]
    cells: list[Tensor]


def read_step_by_step(layer: RecurrentLayer, inputs: Tensor, *, backward: bool = False) -> States:
    """Reads (tokens, texts, input size) with one direction of ``layer``.

    Args:
        layer: a one-layer recurrent module.
        inputs: what it reads; the backward direction takes it from the end.
        backward: which direction's weights.
    """
    suffix = "_l0_reverse" if backward else "_l0"
    weights = [getattr(layer, f"{part}{suffix}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    hidden = cell = inputs.new_zeros(inputs.shape[1], layer.hidden_size)
    states = States([], [])
    for token in reversed(inputs.unbind()) if backward else inputs.unbind():
        if isinstance(layer, nn.LSTM):
            hidden, cell = torch.lstm_cell(token, (hidden, cell), *weights)
            states.cells.append(cell)
        else:
            step = torch.gru_cell if isinstance(layer, nn.GRU) else torch.rnn_tanh_cell
            hidden = step(token, hidden, *weights)
        states.hidden.append(hidden)
    return states


def gradient_norms(loss: Tensor, states: list[Tensor]) -> Tensor:
    """(distances, texts): norm of the gradient of a loss at the last step, from that step backwards.

    Args:
        loss: a sum over texts, so that each text's gradient is its own.
        states: in reading order; those the loss does not depend on count as zero.
    """
    gradients = torch.autograd.grad(loss, states[::-1], retain_graph=True, allow_unused=True)
    return torch.stack(
        [
            state.new_zeros(len(state)) if gradient is None else gradient.norm(dim=-1)
            for gradient, state in zip(gradients, reversed(states), strict=True)
        ]
    )
