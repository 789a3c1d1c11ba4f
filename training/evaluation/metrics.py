"""How good a classifier's scores are, as plain numbers with the uncertainty that a finite test file leaves."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

CALIBRATION_BINS = 15
"""As in Guo et al. 2017."""

RESAMPLES = 1000
"""Bootstrap resamples; the bounds of a 95% interval then move by a few hundredths of its width with the seed."""

COVERAGE = 0.95

_NORMAL_QUANTILE = NormalDist().inv_cdf((1 + COVERAGE) / 2)  # 1.96 standard deviations


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a classifier did with each text; all that any figure needs.

    Attributes:
        labels: how many the classifier chooses among.
        true: (texts,) true label numbers.
        predicted: (texts,) the labels with the highest scores.
        confidence: (texts,) those scores.
        polar: (texts,) 1 where the text's label is not neutral and the polarity is right, 0 where it is wrong, -1 where
            the text does not count; see ``polar_outcomes``. None where the labels have no polarities.
    """

    labels: int
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]
    confidence: NDArray[np.float64]
    polar: NDArray[np.int8] | None

    def __len__(self) -> int:
        return len(self.true)

    def of(self, rows: NDArray[np.int64]) -> "Outcomes":
        """Those of some texts, repeats included."""
        polar = None if self.polar is None else self.polar[rows]
        return Outcomes(self.labels, self.true[rows], self.predicted[rows], self.confidence[rows], polar)


@dataclass(frozen=True, slots=True)
class Figure:
    """A headline figure in [0, 1], its 95% bootstrap interval, and the number of texts it was measured on."""

    value: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True, slots=True)
class LabelFigures:
    """How one label fared. None where nothing was predicted or nothing was true, so that there is no such figure."""

    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


def outcomes(scores: NDArray[np.float64], labels: NDArray[np.int64], *, polarities: Sequence[float | None]) -> Outcomes:
    """What (texts, labels) probabilities did with texts of (texts,) true label numbers; see ``polar_outcomes``."""
    return Outcomes(
        labels=scores.shape[1],
        true=labels.astype(np.int64),
        predicted=scores.argmax(axis=1),
        confidence=scores.max(axis=1).astype(np.float64),
        polar=polar_outcomes(scores, labels, polarities=polarities),
    )


def polar_outcomes(
    scores: NDArray[np.float64], labels: NDArray[np.int64], *, polarities: Sequence[float | None]
) -> NDArray[np.int8] | None:
    """Of texts whose label is not neutral: whether positive labels together outweigh the negative, as they should.

    This is how a model with a neutral label, or with shades of positive and negative, is compared on data that has two
    classes. None unless every label has a polarity, some label is negative and some positive, and a text is polar.
    """
    known = [polarity for polarity in polarities if polarity is not None]
    if len(known) < len(polarities) or not min(known) < 0 < max(known):
        return None
    sign = np.sign(known)  # (labels,)
    wanted = sign[labels]
    if not wanted.any():
        return None
    right = np.sign(scores @ sign) == wanted
    return np.where(wanted == 0, -1, right).astype(np.int8)


def figures(measured: Outcomes) -> dict[str, float]:
    """The headline figures: accuracy, macro-averaged F1, calibration error and, where it applies, polar accuracy.

    Macro-F1 averages over labels that were true or predicted at least once, as torchmetrics and scikit-learn do: on a
    file without neutral texts, a neutral answer counts against the label neutral too.
    """
    f1 = _f1(confusion(measured))
    result = {
        "accuracy": float((measured.true == measured.predicted).mean()),
        "macro_f1": float(np.nanmean(f1)),
        "calibration_error": _calibration_error(measured),
    }
    if measured.polar is not None:
        counted = measured.polar >= 0
        result["polar_accuracy"] = float(measured.polar[counted].mean()) if counted.any() else float("nan")
    return result


def with_intervals(measured: Outcomes, *, seed: int = 0) -> dict[str, Figure]:
    """The headline figures with percentile bootstrap intervals (Efron 1979): texts drawn anew, with replacement."""
    generator = np.random.default_rng(seed)
    size = len(measured)
    drawn = [figures(measured.of(generator.integers(size, size=size))) for _ in range(RESAMPLES)]
    tails = [50 * (1 - COVERAGE), 50 * (1 + COVERAGE)]  # percent
    counts = _rows(measured)
    result = {}
    for name, value in figures(measured).items():
        # A tiny file's resample can be without a polar text, and so without a polar accuracy.
        low, high = np.nanpercentile([resample[name] for resample in drawn], tails)
        result[name] = Figure(value, float(low), float(high), counts[name])
    return result


def wilson_interval(count: int, of: int) -> tuple[float, float]:
    """95% interval of a rate seen ``count`` times in ``of`` (Wilson 1927): of use at 0% and 100% too."""
    rate, z = count / of, _NORMAL_QUANTILE
    centre = (rate + z**2 / (2 * of)) / (1 + z**2 / of)
    reach = z / (1 + z**2 / of) * sqrt(rate * (1 - rate) / of + z**2 / (4 * of**2))
    return max(0.0, centre - reach), min(1.0, centre + reach)


def confusion(measured: Outcomes) -> NDArray[np.int64]:
    """(labels, labels) counts: a row for the true label, a column for the predicted one."""
    cells = measured.true * measured.labels + measured.predicted
    return np.bincount(cells, minlength=measured.labels**2).reshape(measured.labels, measured.labels)


def by_label(measured: Outcomes, names: Sequence[str]) -> list[LabelFigures]:
    """Precision, recall, F1 and support of each label."""
    matrix = confusion(measured)
    right, true, predicted = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        LabelFigures(
            label=name,
            precision=_ratio(right[label], predicted[label]),
            recall=_ratio(right[label], true[label]),
            f1=_ratio(2 * right[label], true[label] + predicted[label]),
            support=int(true[label]),
        )
        for label, name in enumerate(names)
    ]


def _rows(measured: Outcomes) -> dict[str, int]:
    counts = dict.fromkeys(("accuracy", "macro_f1", "calibration_error"), len(measured))
    if measured.polar is not None:
        counts["polar_accuracy"] = int((measured.polar >= 0).sum())
    return counts


def _f1(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """(labels,) F1, NaN for a label that was neither true nor predicted."""
    total = matrix.sum(axis=0) + matrix.sum(axis=1)
    f1: NDArray[np.float64] = np.divide(2 * matrix.diagonal(), total, out=np.full(len(matrix), np.nan), where=total > 0)
    return f1


def _calibration_error(measured: Outcomes) -> float:
    """Expected calibration error (Guo et al. 2017, equation 3), in bins (a, b] of equal width.

    A bin's gap between accuracy and confidence is weighted by its share of the texts, so its size cancels out.
    """
    bins = np.ceil(measured.confidence * CALIBRATION_BINS).astype(np.int64).clip(1, CALIBRATION_BINS)
    gaps = np.bincount(bins, weights=(measured.true == measured.predicted) - measured.confidence)
    return float(np.abs(gaps).sum() / len(measured))


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
