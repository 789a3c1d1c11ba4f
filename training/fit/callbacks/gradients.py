"""Gradients as the callbacks read them: after the backward pass, before clipping."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer


def gradients_of(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The gradients there are; of a sparse one the rows that are not zero."""
    found = (parameter.grad for parameter in parameters)
    return [
        gradient.coalesce().values() if gradient.is_sparse else gradient for gradient in found if gradient is not None
    ]


def total_norm(gradients: list[Tensor]) -> Tensor:
    """() Euclidean norm of all gradients together, still on their device; what clipping by norm compares."""
    return get_total_norm(gradients) if gradients else torch.zeros(())


def largest_value(gradients: list[Tensor]) -> Tensor:
    """() largest absolute value in any gradient, still on their device; what clipping by value compares."""
    return get_total_norm(gradients, norm_type=float("inf")) if gradients else torch.zeros(())


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """Every parameter the optimiser moves."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
