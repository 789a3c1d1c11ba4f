"""The cliff: the loss surface of a recurrent network with one unit and two parameters, and descents on it.

Pascanu, Mikolov and Bengio 2013, section 2.3 and figure 6: h(t) = w sigmoid(h(t-1)) + b from h(0) = 0.5 over 50 steps,
and the loss (sigmoid(h(50)) - 0.7)^2.
"""

from typing import NamedTuple

import torch
from torch import Tensor

STEPS = 50
START = 0.5
TARGET = 0.7

WEIGHTS = (3.0, 8.0)
BIASES = (-4.5, -1.5)
"""The examined part of the surface: two stable states exist above a weight of 4 and meet along the cliff."""


class Surface(NamedTuple):
    """Loss and gradient norm on a grid: (points, points), rows along the bias."""

    weights: Tensor
    biases: Tensor
    loss: Tensor
    norm: Tensor


class Descents(NamedTuple):
    """Many descents at once: positions (steps + 1, starts, 2) and losses (steps + 1, starts)."""

    positions: Tensor
    losses: Tensor

    def longest_steps(self) -> Tensor:
        """(starts,) the longest step of each descent."""
        lengths: Tensor = self.positions.diff(dim=0).norm(dim=-1)  # (steps, starts)
        return lengths.amax(dim=0)


def loss_at(positions: Tensor) -> Tensor:
    """(any shape, 2) weight and bias to (any shape) losses."""
    weight, bias = positions.unbind(dim=-1)
    state = torch.full_like(weight, START)
    for _ in range(STEPS):
        state = weight * torch.sigmoid(state) + bias
    return torch.square(torch.sigmoid(state) - TARGET)


def gradient_at(positions: Tensor) -> tuple[Tensor, Tensor]:
    """Losses, and their gradients in the shape of the positions."""
    positions = positions.detach().requires_grad_()
    losses = loss_at(positions)
    (gradients,) = torch.autograd.grad(losses.sum(), positions)
    return losses.detach(), gradients


def surface(points: int) -> Surface:
    """The loss and its gradient's norm on a square grid."""
    weights = torch.linspace(*WEIGHTS, points, dtype=torch.float64)
    biases = torch.linspace(*BIASES, points, dtype=torch.float64)
    grid = torch.stack(torch.meshgrid(weights, biases, indexing="xy"), dim=-1)  # (points, points, 2)
    loss, gradients = gradient_at(grid)
    return Surface(weights, biases, loss, gradients.norm(dim=-1))


def clipped(gradients: Tensor, threshold: float) -> Tensor:
    """The lecture's Algorithm 1 (Pascanu et al. 2013): g becomes threshold * g / |g| wherever |g| >= threshold."""
    norms = gradients.norm(dim=-1, keepdim=True)
    return torch.where(norms >= threshold, threshold * gradients / norms, gradients)


def random_starts(count: int, *, seed: int) -> Tensor:
    """(count, 2) points, uniformly at random on the examined part of the surface."""
    low = torch.tensor([WEIGHTS[0], BIASES[0]], dtype=torch.float64)
    high = torch.tensor([WEIGHTS[1], BIASES[1]], dtype=torch.float64)
    numbers = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * numbers


def descend(starts: Tensor, *, steps: int, learning_rate: float, threshold: float | None) -> Descents:
    """Plain gradient descent from (starts, 2) positions, independently of each other."""
    position, positions, losses = starts, [starts], []
    for _ in range(steps):
        loss, gradients = gradient_at(position)
        losses.append(loss)
        position = position - learning_rate * (gradients if threshold is None else clipped(gradients, threshold))
        positions.append(position)
    losses.append(loss_at(position))
    return Descents(torch.stack(positions), torch.stack(losses))
