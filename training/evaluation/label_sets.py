"""Outcomes of a classifier that gives a text any number of labels, and their metrics.

``outcomes_of`` is the one place of this package that knows whether a text has one label or several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from training.data.examples import Example
from training.evaluation.metrics import (
    METRICS,
    LabelCounts,
    Metric,
    Outcomes,
    Scores,
    expected_calibration_error,
    macro_f1,
)

Truth = NDArray[np.int64] | NDArray[np.bool_]
"""(texts,) indices of the true labels, or for any number of labels (texts, labels), true for those a text has."""

NO_LABEL = "none"
"""The labels of a text without one, in words."""

Thresholds = NDArray[np.float64]
"""(labels,) the smallest score with which each label is given."""


@dataclass(frozen=True, slots=True)
class LabelSets:
    """A multi-label classifier's predictions for a set of texts, with the true labels.

    Attributes:
        true, predicted: (texts, labels) whether the text has, and gets, the label.
        scores: (texts, labels) probabilities; 0 for a text without a token.
    """

    true: NDArray[np.bool_]
    predicted: NDArray[np.bool_]
    scores: Scores

    def __len__(self) -> int:
        return len(self.true)

    @property
    def table(self) -> Mapping[str, Metric]:
        """The metrics that apply."""
        return LABEL_SET_METRICS

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(texts,) the highest scores."""
        confidence: NDArray[np.float64] = self.scores.max(axis=1)
        return confidence

    @property
    def wrongness(self) -> NDArray[np.float64]:
        """(texts,) how sure the answer is where it is most wrong: the largest gap between a score and the truth."""
        wrongness: NDArray[np.float64] = np.abs(self.scores - self.true).max(axis=1)
        return wrongness

    def named(self, labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """Each text's true and predicted labels in words."""
        true, predicted = (
            [", ".join(labels[index] for index in np.flatnonzero(row).tolist()) or NO_LABEL for row in side]
            for side in (self.true, self.predicted)
        )
        return true, predicted

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(texts,) whether the text gets exactly the labels that it has."""
        correct: NDArray[np.bool_] = (self.predicted == self.true).all(axis=1)
        return correct

    @property
    def label_counts(self) -> LabelCounts:
        """For each label the texts that rightly get it, that have it, and that get it."""
        return LabelCounts((self.true & self.predicted).sum(axis=0), self.true.sum(axis=0), self.predicted.sum(axis=0))

    def rows(self, indices: NDArray[np.int64]) -> Self:
        """The outcomes of some texts, repeats included."""
        return type(self)(self.true[indices], self.predicted[indices], self.scores[indices])


def micro_f1(outcomes: LabelSets) -> float:
    """F1 of all labels' decisions together; NaN if no text has or gets a label."""
    correct, true, predicted = (int(counts.sum()) for counts in outcomes.label_counts)
    return 2 * correct / (true + predicted) if true + predicted else float("nan")


def subset_accuracy(outcomes: LabelSets) -> float:
    """The share of texts that get exactly the labels that they have."""
    return float(outcomes.correct.mean())


def calibration_error(outcomes: LabelSets) -> float:
    """Expected calibration error of every label's score as the probability of that label."""
    return expected_calibration_error(outcomes.scores.ravel(), outcomes.true.ravel())


LABEL_SET_METRICS: Mapping[str, Metric] = {
    "macro_f1": Metric("macro-F1", macro_f1),
    "micro_f1": Metric("micro-F1", micro_f1),
    "subset_accuracy": Metric("subset accuracy", subset_accuracy),
    "calibration_error": Metric("calibration error", calibration_error),
}
"""As ``METRICS``, for any number of labels a text."""

ALL_METRICS: Mapping[str, Metric] = {**METRICS, **LABEL_SET_METRICS}
"""Both, for their titles."""


def true_labels(examples: Sequence[Example], labels: Sequence[str]) -> Truth:
    """The true labels as numbers into ``labels``, or the sets of them."""
    if any(example.labels is not None for example in examples):
        return np.array([[label in example.label_names for label in labels] for example in examples])
    return np.array([labels.index(example.label) for example in examples], dtype=np.int64)


def outcomes_of(
    scores: Scores,
    true: Truth,
    *,
    thresholds: Thresholds | None = None,
    polarities: Sequence[float | None] | None = None,
) -> Outcomes | LabelSets:
    """The outcomes of (texts, labels) probabilities for texts with one label, or by the shape of ``true`` any number.

    Without thresholds a classifier gives each text one label, the one with the highest score.
    """
    if true.ndim == 1:
        numbers = true.astype(np.int64)
        return Outcomes.of_scores(scores, numbers, polarities=polarities or [None] * scores.shape[1])
    known = np.nan_to_num(scores)
    best = known.argmax(axis=1)[:, np.newaxis] == np.arange(scores.shape[1])
    return LabelSets(true.astype(np.bool_), best if thresholds is None else known >= thresholds, known)
