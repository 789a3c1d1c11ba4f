"""Metrics of a classifier's scores, each with the uncertainty that a finite test file leaves.

A metric is an entry of ``METRICS``: reports, model cards and the ``test`` command show what that table holds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from model_store.evaluation import Measurement
from model_store.progress import track

CALIBRATION_BINS = 15
"""As in Guo et al. 2017."""

RESAMPLES = 1000
"""Bootstrap resamples; the bounds of a 95% interval then move by a few hundredths of its width with the seed."""

COVERAGE = 0.95

Scores = NDArray[np.float64]
"""(texts, labels) probabilities; a row of NaN for a text without a token, which a network cannot score."""

_NORMAL_QUANTILE = NormalDist().inv_cdf((1 + COVERAGE) / 2)  # 1.96 standard deviations


class LabelCounts(NamedTuple):
    """(labels,) numbers of texts: that rightly get a label, that have it, and that get it."""

    correct: NDArray[np.int64]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]


class Measurable(Protocol):
    """Outcomes of any kind of classifier."""

    @property
    def table(self) -> "Mapping[str, Metric]":
        """The metrics that apply."""

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(texts,) whether the answer is right."""

    @property
    def confidence(self) -> NDArray[np.float64]:
        """(texts,) the highest scores."""

    @property
    def wrongness(self) -> NDArray[np.float64]:
        """(texts,) how sure a wrong answer is."""

    def named(self, labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """Each text's true and predicted label in words."""

    @property
    def label_counts(self) -> LabelCounts:
        """What precision and recall are made of."""

    def rows(self, indices: NDArray[np.int64]) -> Self:
        """The outcomes of some texts, repeats included."""

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A classifier's predictions for a set of texts, with the true labels: the input of all metrics.

    Attributes:
        label_count: number of labels that the classifier chooses among.
        true: (texts,) indices of the true labels.
        predicted: (texts,) indices of the labels with the highest scores.
        confidence: (texts,) those scores.
        polar: (texts,) 1 if the text's label is not neutral and the polarity is correct, 0 if it is wrong, -1
            if the text does not count; see ``polar_outcomes``. None if the labels have no polarities.
    """

    label_count: int
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    polar: NDArray[np.int8] | None

    @classmethod
    def of_scores(cls, scores: Scores, labels: NDArray[np.int64], *, polarities: Sequence[float | None]) -> Self:
        """The outcomes of (texts, labels) probabilities for texts with (texts,) true label indices."""
        return cls(
            label_count=scores.shape[1],
            true=labels.astype(np.int64),
            predicted=scores.argmax(axis=1),
            confidence=scores.max(axis=1).astype(np.float64),
            polar=polar_outcomes(scores, labels, polarities=polarities),
        )

    def __len__(self) -> int:
        return len(self.true)

    @property
    def table(self) -> "Mapping[str, Metric]":
        """The metrics that apply."""
        return METRICS

    @property
    def label_counts(self) -> LabelCounts:
        """For each label the texts that rightly get it, that have it, and that get it."""
        matrix = confusion(self)
        return LabelCounts(matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """(texts,) whether the predicted label is the true one."""
        correct: NDArray[np.bool_] = self.predicted == self.true
        return correct

    @property
    def wrongness(self) -> NDArray[np.float64]:
        """(texts,) how sure the answer is."""
        return self.confidence

    def named(self, labels: Sequence[str]) -> tuple[list[str], list[str]]:
        """Each text's true and predicted label."""
        return [labels[index] for index in self.true], [labels[index] for index in self.predicted]

    def rows(self, indices: NDArray[np.int64]) -> Self:
        """The outcomes of some texts, repeats included."""
        polar = None if self.polar is None else self.polar[indices]
        columns = (self.true[indices], self.predicted[indices], self.confidence[indices])
        return type(self)(self.label_count, *columns, polar)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric's value in [0, 1], its 95% bootstrap interval, and the number of texts it was measured on."""

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class LabelMetrics:
    """Metrics of one label. None if no text has or gets the label, so that the metric is undefined."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def polar_outcomes(
    scores: Scores, labels: NDArray[np.int64], *, polarities: Sequence[float | None]
) -> NDArray[np.int8] | None:
    """Whether the positive labels together outweigh the negative ones, for texts whose label is not neutral.

    This is how a model with a neutral label, or with shades of positive and negative, is compared on data that has two
    classes. None unless every label has a polarity, some label is negative and some positive, and a text is polar.
    """
    known = [polarity for polarity in polarities if polarity is not None]
    if len(known) < len(polarities) or not min(known) < 0 < max(known):
        return None
    sign = np.sign(known)  # (labels,)
    expected = sign[labels]
    if not expected.any():
        return None
    correct = np.sign(scores @ sign) == expected
    return np.where(expected == 0, -1, correct).astype(np.int8)


def accuracy(outcomes: Outcomes) -> float:
    """The share of texts whose predicted label is the true one."""
    return float(outcomes.correct.mean())


def macro_f1(outcomes: Measurable) -> float:
    """The mean F1 of the labels that occur among the true ones, as scikit-learn's with ``labels`` set to those.

    A label that no text has would count with an F1 of 0 as soon as it is predicted once. An answer with such a label
    still costs the text's own label its recall.
    """
    correct, support, predicted = outcomes.label_counts
    occurs = support > 0
    f1 = 2 * correct[occurs] / (support + predicted)[occurs]  # (labels that occur,)
    return float(f1.mean()) if len(f1) else float("nan")


def calibration_error(outcomes: Outcomes) -> float:
    """Expected calibration error of the score of the predicted label."""
    return expected_calibration_error(outcomes.confidence, outcomes.correct)


def expected_calibration_error(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> float:
    """The gap between confidence and accuracy (Guo et al. 2017, equation 3), in bins (a, b] of equal width.

    A bin's gap is weighted by its share of the answers, so its size cancels out.
    """
    bins = np.ceil(confidence * CALIBRATION_BINS).astype(np.int64).clip(1, CALIBRATION_BINS)
    gaps = np.bincount(bins, weights=correct - confidence)
    return float(np.abs(gaps).sum() / len(confidence))


def polar_accuracy(outcomes: Outcomes) -> float:
    """The share of polar texts whose polarity is correct; NaN without a polar text, as a small resample may be."""
    polar = np.array([]) if outcomes.polar is None else outcomes.polar[outcomes.polar >= 0]
    return float(polar.mean()) if len(polar) else float("nan")


def polar_texts(outcomes: Outcomes) -> int:
    """The number of texts that count towards the polar accuracy."""
    return 0 if outcomes.polar is None else int((outcomes.polar >= 0).sum())


@dataclass(frozen=True, slots=True)
class Metric:
    """A headline metric.

    Attributes:
        title: its name in tables.
        compute: outcomes to a value in [0, 1], or NaN.
        rows: outcomes to the number of texts that count; the metric does not apply if that is 0.
    """

    title: str
    compute: Callable[[Any], float]
    rows: Callable[[Any], int] = len


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric("accuracy", accuracy),
    "macro_f1": Metric("macro-F1", macro_f1),
    "calibration_error": Metric("calibration error", calibration_error),
    "polar_accuracy": Metric("polar accuracy", polar_accuracy, rows=polar_texts),
}
"""All headline metrics, by the name that reports and bundles use, in the order in which they are shown."""


def compute_metrics(outcomes: Measurable) -> dict[str, float]:
    """Every headline metric by name; NaN for one that does not apply."""
    return {name: metric.compute(outcomes) for name, metric in outcomes.table.items()}


def with_intervals(outcomes: Measurable, *, seed: int = 0) -> dict[str, Estimate]:
    """The metrics that apply, with percentile bootstrap intervals (Efron 1979): texts redrawn with replacement."""
    generator = np.random.default_rng(seed)
    size = len(outcomes)
    resamples = [
        compute_metrics(outcomes.rows(generator.integers(size, size=size)))
        for _ in track(range(RESAMPLES), "Computing intervals", unit="resamples")
    ]
    tails = [50 * (1 - COVERAGE), 50 * (1 + COVERAGE)]  # percent
    estimates = {}
    for name, value in compute_metrics(outcomes).items():
        if rows := outcomes.table[name].rows(outcomes):
            low, high = np.nanpercentile([resample[name] for resample in resamples], tails)
            estimates[name] = Estimate(value, float(low), float(high), rows)
    return estimates


def measurements(outcomes: Measurable, *, data: str, command: str | None) -> list[Measurement]:
    """The metrics with their intervals as a bundle records them.

    Args:
        outcomes: the bundle's own predictions.
        data: name of the file that they are of.
        command: the command that measured them.
    """
    return [
        Measurement(
            data=data,
            rows=estimate.rows,
            metric=name,
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            command=command,
        )
        for name, estimate in with_intervals(outcomes).items()
    ]


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """95% interval of a rate seen ``count`` times in ``of`` (Wilson 1927), which holds at 0% and 100% too."""
    rate, z = count / of, _NORMAL_QUANTILE
    center = (rate + z**2 / (2 * of)) / (1 + z**2 / of)
    reach = z / (1 + z**2 / of) * sqrt(rate * (1 - rate) / of + z**2 / (4 * of**2))
    return max(0.0, center - reach), min(1.0, center + reach)


def confusion(outcomes: Outcomes) -> NDArray[np.int64]:
    """(labels, labels) counts: a row for the true label, a column for the predicted one."""
    size = outcomes.label_count
    cells = outcomes.true * size + outcomes.predicted
    return np.bincount(cells, minlength=size**2).reshape(size, size)


def by_label(outcomes: Measurable, names: Sequence[str]) -> list[LabelMetrics]:
    """Precision, recall, F1 and support of each label."""
    correct, true, predicted = outcomes.label_counts
    return [
        LabelMetrics(
            label=name,
            precision=_ratio(correct[index], predicted[index]),
            recall=_ratio(correct[index], true[index]),
            f1=_ratio(2 * correct[index], true[index] + predicted[index]),
            support=int(true[index]),
        )
        for index, name in enumerate(names)
    ]


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
