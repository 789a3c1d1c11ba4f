"""Calibration of a multi-label model on held-out texts, then a threshold for each label.

Calibration is one temperature for all labels and a shift for each ("bias-corrected temperature scaling", Alexandari et
al. 2020, here with sigmoids). The shift also takes out what weights of rare labels in training add to their logits.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from model_store.decision import sigmoid
from model_store.manifest import Calibration, LabelChoice
from training.evaluation.calibration import BOUNDS
from training.evaluation.label_sets import Thresholds
from training.evaluation.metrics import Scores
from training.evaluation.predictions import Predictions

FEWEST_POSITIVE = 10
"""With fewer held-out texts of a label, its best threshold is luck; the best common one of all labels is taken."""

DEFAULT_THRESHOLD = 0.5
BETWEEN = (1e-4, 1 - 1e-4)
"""Thresholds stay inside, so that a label is neither always nor never given whatever the score."""


def uncalibrated(labels: Sequence[str]) -> dict[str, LabelChoice]:
    """The choice of labels where no held-out texts are at hand."""
    return {label: LabelChoice(threshold=DEFAULT_THRESHOLD) for label in labels}


def calibrate_labels(predictions: Predictions, *, labels: Sequence[str]) -> tuple[Calibration, dict[str, LabelChoice]]:
    """Fit temperature and shifts, then choose each label's threshold by its F1.

    Args:
        predictions: for the held-out texts, with (texts, labels) truth.
        labels: in the order of the logits.
    """
    true = predictions.true.astype(np.bool_)
    temperature, shifts = fit_temperature_and_shifts(torch.from_numpy(predictions.logits), torch.from_numpy(true))
    scores = sigmoid(predictions.logits / temperature + shifts)
    thresholds = choose_thresholds(scores, true)
    choices = {
        label: LabelChoice(threshold=float(threshold), shift=float(shift))
        for label, threshold, shift in zip(labels, thresholds, shifts, strict=True)
    }
    return Calibration(temperature=temperature, data=predictions.data, rows=len(true)), choices


def fit_temperature_and_shifts(logits: Tensor, true: Tensor) -> tuple[float, NDArray[np.float64]]:
    """The temperature and the (labels,) shifts under which the labels are most likely; convex in 1 / T and the shifts.

    The targets are a little inside 0 and 1 (Platt 1999, section 2.2), or a label that no held-out text has would get a
    shift without bound.

    Args:
        logits: (texts, labels).
        true: (texts, labels) whether the text has the label.
    """
    logits, positive = logits.double(), true.double().sum(dim=0)
    targets = torch.where(true, (positive + 1) / (positive + 2), 1 / (len(true) - positive + 2))
    inverse = torch.ones((), dtype=torch.float64, requires_grad=True)
    shifts = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([inverse, shifts], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = binary_cross_entropy_with_logits(logits * inverse + shifts, targets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    temperature = 1 / min(max(inverse.item(), 1 / BOUNDS[1]), 1 / BOUNDS[0])
    return temperature, shifts.detach().numpy()


def choose_thresholds(scores: Scores, true: NDArray[np.bool_]) -> Thresholds:
    """The threshold of each label that gives it the highest F1 on held-out texts.

    A rare label, see ``FEWEST_POSITIVE``, gets the one that gives all labels together the highest F1, in the manner of
    SCutFBR (Yang 2001, "A Study of Thresholding Strategies for Text Categorization"). With calibrated scores the best
    threshold is half of the F1 that it reaches (Lipton et al. 2014), so at most a half.
    """
    common = best_threshold(scores.ravel(), true.ravel())
    own = [
        best_threshold(scores[:, label], true[:, label]) if true[:, label].sum() >= FEWEST_POSITIVE else common
        for label in range(scores.shape[1])
    ]
    return np.clip(own, *BETWEEN)


def best_threshold(scores: NDArray[np.float64], true: NDArray[np.bool_]) -> float:
    """The threshold with the highest F1: half way between the lowest score kept and the next one below."""
    if not true.any():
        return DEFAULT_THRESHOLD
    order = np.argsort(-scores, kind="stable")
    ordered = np.append(scores[order], 0.0)
    kept = np.arange(1, len(scores) + 1)
    f1 = 2 * np.cumsum(true[order]) / (kept + true.sum())
    f1[ordered[:-1] == ordered[1:]] = -1.0  # texts of equal score are kept together
    last = int(f1.argmax())
    return float(ordered[last] + ordered[last + 1]) / 2
