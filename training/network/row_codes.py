"""Numbers in 8 bits, one scale a row: how the frozen embedding is kept, and weights where a bundle stores them so."""

import torch
from torch import Tensor

LARGEST_CODE = 127


def coded(weights: Tensor) -> tuple[Tensor, Tensor]:
    """(..., size) weights as 8-bit codes of the same shape, and (..., 1) scales: codes times scales are the weights.

    Each row has its own scale, by which its largest number is 127; rounding moves a number by at most half of it.
    """
    largest = weights.abs().amax(dim=-1, keepdim=True)
    scales = torch.where(largest > 0, largest / LARGEST_CODE, torch.ones_like(largest))
    return (weights / scales).round().clamp(-LARGEST_CODE, LARGEST_CODE).to(torch.int8), scales
