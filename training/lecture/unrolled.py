"""One direction of a layer, unrolled token by token, so that the gradient of every state can be taken.

Torch's fused modules hand out the states they passed through, but no gradient that flows along them; here each state is
a node of the graph. The weights are the layer's own, and the numbers equal the fused module's.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from training.network.cells import RecurrentLayer, cell_of, weight_names


class States(NamedTuple):
    """A direction's states in reading order: ``hidden`` and, for an LSTM, ``cells``; each (texts, hidden)."""

    hidden: list[Tensor]
    cells: list[Tensor]


def read_step_by_step(layer: RecurrentLayer, inputs: Tensor, *, backward: bool = False) -> States:
    """Run one direction of ``layer`` over inputs of (tokens, texts, input size).

    Args:
        layer: a one-layer recurrent module.
        inputs: what it reads; the backward direction takes it from the end.
        backward: which direction's weights.

    Raises:
        OptionError: the layer's cell is not in ``CELLS``.
    """
    cell = cell_of(layer)
    weights = [getattr(layer, name) for name in weight_names(backward=backward)]
    state = (inputs.new_zeros(inputs.shape[1], layer.hidden_size),) * cell.state_count
    states = States([], [])
    for token in reversed(inputs.unbind()) if backward else inputs.unbind():
        state = cell.step(token, state, weights)
        states.hidden.append(state[0])
        states.cells.extend(state[1:])
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
