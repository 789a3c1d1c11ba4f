"""Temperature scaling: one number that makes scores mean what they say (Guo et al. 2017, section 4.2)."""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

BOUNDS = (0.05, 20.0)
"""Temperatures outside are a sign of separable or random logits, on which the likelihood has no finite optimum."""


def fit_temperature(logits: Tensor, labels: Tensor, *, steps: int = 60) -> float:
    """The temperature under which the labels are most likely.

    The negative log-likelihood is convex in 1 / temperature, so the sign of its slope halves the interval each step.

    Args:
        logits: (texts, labels).
        labels: (texts,) true label numbers.
        steps: halvings; 60 exhaust double precision.
    """
    logits = logits.double()
    low, high = 1 / BOUNDS[1], 1 / BOUNDS[0]
    for _ in range(steps):
        middle = (low + high) / 2
        inverse = torch.tensor(middle, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(cross_entropy(logits * inverse, labels), inverse)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return 2 / (low + high)
