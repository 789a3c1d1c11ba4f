"""How good a classifier's scores are, as plain numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_calibration_error,
    multiclass_f1_score,
)

CALIBRATION_BINS = 15
"""As in Guo et al. 2017."""


def evaluate(scores: Tensor, labels: Tensor, *, polarities: Sequence[float | None]) -> dict[str, tuple[float, int]]:
    """Metric name to its value in [0, 1] and the number of texts it was measured on.

    Args:
        scores: (texts, labels) probabilities.
        labels: (texts,) true label numbers.
        polarities: each label's polarity; where all are known and some are negative and some positive, polar accuracy
            is added: over texts whose label is not neutral, whether the positive labels together outweigh the negative.
    """
    classes, rows = scores.shape[1], len(labels)
    measured = {
        "accuracy": (float(multiclass_accuracy(scores, labels, classes, average="micro")), rows),
        "macro_f1": (float(multiclass_f1_score(scores, labels, classes, average="macro")), rows),
        "calibration_error": (
            float(multiclass_calibration_error(scores, labels, classes, n_bins=CALIBRATION_BINS, norm="l1")),
            rows,
        ),
    }
    known = [polarity for polarity in polarities if polarity is not None]
    if len(known) == classes and min(known) < 0 < max(known):
        sign = torch.tensor(known).sign()  # (labels,)
        polar = sign[labels] != 0
        if polar.any():
            right = (scores[polar] @ sign.to(scores.dtype)).sign() == sign[labels[polar]]
            measured["polar_accuracy"] = (float(right.float().mean()), int(polar.sum()))
    return measured
