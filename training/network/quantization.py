"""Numbers in 8 bits, one scale a row: how the frozen embedding is kept, and weights where a bundle stores them so."""

import torch
from torch import Tensor

LARGEST_CODE = 127


def quantize_rows(weights: Tensor, *, largest: int = LARGEST_CODE) -> tuple[Tensor, Tensor]:
    """(..., size) weights as 8-bit codes of the same shape, and (..., 1) scales: codes times scales are the weights.

    Each row has its own scale, by which its largest code is ``largest``; rounding moves a number by at most half of it.
    """
    most = weights.abs().amax(dim=-1, keepdim=True)
    scales = torch.where(most > 0, most / largest, torch.ones_like(most))
    return (weights / scales).round().clamp(-largest, largest).to(torch.int8), scales


def dequantize(codes: Tensor, scales: Tensor) -> Tensor:
    """The weights that codes and scales stand for, in the precision of the scales."""
    return codes.to(scales.dtype) * scales
