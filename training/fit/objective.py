"""What a network's logits mean in training: one label a text, or any number. Loss, scores, weights and metrics.

Everything else in this package only passes label tensors on; see ``Batch.labels`` for their shapes.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassF1Score,
    MultilabelExactMatch,
    MultilabelF1Score,
)

from training.data.tokenized import UNLABELED, count_labels


class Objective(Protocol):
    """How logits are scored, and compared with labels."""

    def losses(
        self, logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, label_smoothing: float = 0.0
    ) -> Tensor:
        """(texts,) negative log-likelihood of each text's labels, which sums and averages are made of.

        Args:
            logits: (texts, labels).
            labels: as those of a ``Batch``.
            weights: (labels,) from ``balanced``; None counts all alike.
            label_smoothing: part of the target that says nothing about the label.
        """

    def scores(self, logits: Tensor) -> Tensor:
        """(texts, labels) probabilities."""

    def balanced(self, labels: Tensor, size: int) -> Tensor:
        """(size,) weights for ``losses`` by how rare labels are."""

    def metrics(self, size: int) -> MetricCollection:
        """The metrics of a validation, by name."""


class OneLabel:
    """Softmax and cross-entropy: exactly one label a text."""

    def losses(
        self, logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, label_smoothing: float = 0.0
    ) -> Tensor:
        """As ``Objective``; 0 for a text without a label."""
        each = cross_entropy(logits, labels, ignore_index=UNLABELED, reduction="none", label_smoothing=label_smoothing)
        return each if weights is None else each * weights[labels.clamp(min=0)]

    def scores(self, logits: Tensor) -> Tensor:
        """As ``Objective``."""
        return logits.softmax(dim=1)

    def balanced(self, labels: Tensor, size: int) -> Tensor:
        """Weights with which all labels weigh alike, and the texts 1 on average; 0 for a label without texts."""
        counts = count_labels(labels, size)
        present = counts > 0
        weights = counts.sum() / (present.sum() * counts.clamp(min=1))
        return torch.where(present, weights, torch.zeros_like(weights))

    def metrics(self, size: int) -> MetricCollection:
        """As ``Objective``."""
        accuracy, macro_f1 = MulticlassAccuracy(size, average="micro"), MulticlassF1Score(size, average="macro")
        return MetricCollection({"accuracy": accuracy, "macro_f1": macro_f1})


ONE_LABEL = OneLabel()


class SeveralLabels:
    """A sigmoid and binary cross-entropy for each label by itself: any number of labels a text."""

    def losses(
        self, logits: Tensor, labels: Tensor, *, weights: Tensor | None = None, label_smoothing: float = 0.0
    ) -> Tensor:
        """As ``Objective``: the sum over labels, in which a weight counts the texts that have the label."""
        targets = labels.to(logits.dtype) * (1 - label_smoothing) + label_smoothing / 2
        return binary_cross_entropy_with_logits(logits, targets, pos_weight=weights, reduction="none").sum(dim=1)

    def scores(self, logits: Tensor) -> Tensor:
        """As ``Objective``."""
        return logits.sigmoid()

    def balanced(self, labels: Tensor, size: int) -> Tensor:
        """For each label the texts without it for one with it, so that both sides weigh alike; 1 if there is none."""
        counts = count_labels(labels, size)
        weights = (len(labels) - counts) / counts.clamp(min=1)
        return torch.where((counts > 0) & (weights > 0), weights, torch.ones_like(weights))

    def metrics(self, size: int) -> MetricCollection:
        """As ``Objective``, at a threshold of 0.5 for every label."""
        micro_f1, macro_f1 = (MultilabelF1Score(size, average=average) for average in ("micro", "macro"))
        subset_accuracy = MultilabelExactMatch(size)
        return MetricCollection({"subset_accuracy": subset_accuracy, "micro_f1": micro_f1, "macro_f1": macro_f1})


def objective_of(*, multi_label: bool) -> Objective:
    """The objective of data in which a text has one label, or any number."""
    return SeveralLabels() if multi_label else ONE_LABEL
