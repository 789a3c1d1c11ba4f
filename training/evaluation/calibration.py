"""Calibration: a temperature that makes scores match accuracy (Guo et al. 2017, section 4.2), then a threshold."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from model_store.manifest import Calibration
from training.evaluation.predictions import Predictions
from training.evaluation.selective import choose_max_unknown_share, choose_threshold

BOUNDS = (0.05, 20.0)
"""Temperatures outside are a sign of separable or random logits, on which the likelihood has no finite optimum."""


def calibrate(
    predictions: Predictions, *, target_accuracy: float, predict_unknown: Callable[[float], Predictions] | None = None
) -> Calibration:
    """Fit the temperature on held-out texts, then choose the thresholds of a confident answer.

    Args:
        predictions: for the held-out texts.
        target_accuracy: what confident answers should reach.
        predict_unknown: the predictions with a share of each text's tokens made unknown; None chooses no limit on it.
    """
    temperature = fit_temperature(torch.from_numpy(predictions.logits), torch.from_numpy(predictions.true))
    outcomes = predictions.outcomes(temperature=temperature)
    threshold = choose_threshold(outcomes.confidence, outcomes.correct, target=target_accuracy)
    max_unknown_share = predict_unknown and choose_max_unknown_share(
        predict_unknown, temperature=temperature, threshold=threshold, target=target_accuracy
    )
    return Calibration(
        temperature=temperature,
        data=predictions.data,
        rows=len(outcomes),
        threshold=threshold,
        target_accuracy=target_accuracy,
        max_unknown_share=max_unknown_share,
    )


def fit_temperature(logits: Tensor, labels: Tensor, *, steps: int = 60) -> float:
    """The temperature under which the labels are most likely.

    The negative log-likelihood is convex in 1 / temperature, so the sign of its slope halves the interval each step.

    Args:
        logits: (texts, labels).
        labels: (texts,) indices of the true labels.
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
