"""8-bit quantization with one scale a row, for the frozen embedding and for the weights of a small bundle."""

import torch
from torch import Tensor

MAX_CODE = 127


def quantize_rows(weights: Tensor, *, largest: int = MAX_CODE) -> tuple[Tensor, Tensor]:
    """Quantize each row to 8 bits with its own scale.

    Args:
        weights: (..., size).
        largest: the largest code of a row. Rounding moves a number by at most half the row's scale.

    Returns:
        codes: (..., size) int8. scales: (..., 1); codes times scales are the weights.
    """
    maximum = weights.abs().amax(dim=-1, keepdim=True)
    scales = torch.where(maximum > 0, maximum / largest, torch.ones_like(maximum))
    return (weights / scales).round().clamp(-largest, largest).to(torch.int8), scales


def dequantize(codes: Tensor, scales: Tensor) -> Tensor:
    """Multiply codes by scales, in the precision of the scales."""
    return codes.to(scales.dtype) * scales
