"""Connections between the layers of a deep encoder, through which gradients reach the lower layers.

Each connection turns ``below`` (the layer's input, (tokens, input size)) and ``output`` (what the layer made of it,
(tokens, directions * hidden)) into the layer's representation and the input of the layer above.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model_store.manifest import ConnectionName
from training.network.validation import check_choice

CARRY_BIAS = -2.0
"""Srivastava et al. 2015 (Highway Networks, section 2.2): a negative bias makes a new layer carry its input."""


class Connected(NamedTuple):
    """A layer's representation (tokens, directions * hidden) and what the layer above reads."""

    representation: Tensor
    above: Tensor


class Plain(nn.Module):
    """No connection: the layer above only reads the output."""

    def forward(self, below: Tensor, output: Tensor) -> Connected:  # noqa: ARG002 - all connections are called alike
        """Leave ``below`` behind."""
        return Connected(output, output)


class Residual(nn.Module):
    """The layer learns what to add to its input (He et al. 2015, equation 1)."""

    def forward(self, below: Tensor, output: Tensor) -> Connected:
        """Adds; both have the same width."""
        joined = below + output
        return Connected(joined, joined)


class Dense(nn.Module):
    """The layer above reads every layer below it side by side (Huang et al. 2016, equation 2)."""

    def forward(self, below: Tensor, output: Tensor) -> Connected:
        """Represent tokens by the output only, and pass input and output up."""
        return Connected(output, torch.cat([below, output], dim=-1))


class Highway(nn.Module):
    """A gate chooses, unit by unit, between the output and the input (Srivastava et al. 2015, equation 3)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.gate = nn.Linear(size, size)
        nn.init.constant_(self.gate.bias, CARRY_BIAS)

    def forward(self, below: Tensor, output: Tensor) -> Connected:
        """Mixes; both have the same width."""
        transform = torch.sigmoid(self.gate(below))
        joined = below + transform * (output - below)  # torch.lerp refuses the mixed types of autocast
        return Connected(joined, joined)


Connection = Plain | Residual | Dense | Highway

CONNECTIONS: dict[ConnectionName, Callable[[int, int], Connection]] = {
    "none": lambda input_size, output_size: Plain(),  # noqa: ARG005 - all are made alike, from both widths
    "residual": lambda input_size, output_size: Residual() if input_size == output_size else Plain(),
    "dense": lambda input_size, output_size: Dense(),  # noqa: ARG005
    "highway": lambda input_size, output_size: Highway(output_size) if input_size == output_size else Plain(),
}
"""Residual and highway connections add input and output, so a layer that changes the width gets a plain one."""


def make_connection(name: ConnectionName, *, input_size: int, output_size: int) -> Connection:
    """Make the connection of one layer.

    Raises:
        OptionError: ``CONNECTIONS`` does not have the name.
    """
    check_choice("connection", name, choices=tuple(CONNECTIONS))
    return CONNECTIONS[name](input_size, output_size)
