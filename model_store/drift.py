"""How far texts are from those a model was validated on: histograms of what it makes of them, and two distances.

Four quantities tell a text's kind without keeping it: the label given, its score, the number of tokens, and the share
of tokens that the vocabulary lacks.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from model_store.evaluation import Histogram, Reference
from model_store.model import SentimentModel
from model_store.results import Prediction

Quantity = Literal["label", "score", "tokens", "unknown_share"]

NO_LABEL = "(none)"
"""Stands for the label of a text to which a multi-label model gives none."""

FEWEST_TEXTS = 100
"""With fewer, chance alone moves the stability index of ten bins by 0.1."""

SMALLEST = 0.5
"""Added to each count by ``stability_index``, so that a bin empty on one side gives a large number, not infinity."""


class TooFewTextsError(Exception):
    """A reference cannot be made of so few texts."""


class Observation(NamedTuple):
    """The four quantities of one answer; ``score`` is the highest one."""

    label: str
    score: float
    tokens: int
    unknown_share: float


def observe(prediction: Prediction) -> Observation:
    """What an answer adds to the histograms."""
    return Observation(
        " + ".join(prediction.labels) or NO_LABEL,
        max(prediction.scores.values()),
        prediction.token_count,
        prediction.text.unknown_share,
    )


def measure_reference(model: SentimentModel, texts: Iterable[object], *, data: str) -> Reference:
    """The histograms of a model's answers; numbers are put into bins between their tenths.

    Args:
        model: answers the texts.
        texts: those without an answer, such as empty ones, are left out.
        data: their name.

    Raises:
        TooFewTextsError: too few have an answer.
    """
    observations = [observe(answer) for answer in model.stream(texts) if isinstance(answer, Prediction)]
    if len(observations) < FEWEST_TEXTS:
        message = f"{data} has {len(observations):,} texts with an answer; a reference needs {FEWEST_TEXTS}"
        raise TooFewTextsError(message)
    labels, *numbers = zip(*observations, strict=True)
    return Reference(
        data=data,
        rows=len(labels),
        label=dict(Counter(labels).most_common()),
        **{name: _histogram(values) for name, values in zip(get_args(Quantity)[1:], numbers, strict=True)},
    )


class Binning:
    """Finds the bins of a reference into which answers fall.

    Attributes:
        reference: quantity to (bins,) counts; the last bin of the labels is for those the reference lacks.
    """

    def __init__(self, reference: Reference) -> None:
        self._labels = {label: index for index, label in enumerate(reference.label)}
        histograms = (reference.score, reference.tokens, reference.unknown_share)
        self._edges = [histogram.edges for histogram in histograms]
        counts = [[*reference.label.values(), 0], *(histogram.counts for histogram in histograms)]
        self.reference = dict(zip(get_args(Quantity), map(np.array, counts), strict=True))

    def bins(self, observation: Observation) -> tuple[int, ...]:
        """The bin of each quantity."""
        label, *numbers = observation
        edges = zip(self._edges, numbers, strict=True)
        return self._labels.get(label, len(self._labels)), *(bisect_left(limits, number) for limits, number in edges)


def stability_index(expected: NDArray[np.integer], actual: NDArray[np.integer]) -> float:
    """The population stability index of two histograms' (bins,) counts: sum of (q - p) ln(q / p).

    Siddiqi, "Credit Risk Scorecards" (2006), calls less than 0.1 stable and more than 0.25 a shift to be looked into.
    """
    p, q = (_shares(counts + SMALLEST) for counts in (expected, actual))
    return float(((q - p) * np.log(q / p)).sum())


def jensen_shannon(expected: NDArray[np.integer], actual: NDArray[np.integer]) -> float:
    """The Jensen-Shannon divergence of two histograms' (bins,) counts in bits, from 0 to 1 (Lin 1991)."""
    p, q = _shares(expected), _shares(actual)
    middle = (p + q) / 2
    return (_divergence(p, middle) + _divergence(q, middle)) / 2


def _histogram(values: Sequence[float]) -> Histogram:
    tenths = np.quantile(values, np.arange(1, 10) / 10, method="inverted_cdf")
    edges: list[float] = np.unique(tenths).tolist()
    counts = np.bincount([bisect_left(edges, value) for value in values], minlength=len(edges) + 1)
    return Histogram(edges=edges, counts=counts.tolist())


def _shares(counts: NDArray[np.number]) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = counts / counts.sum()
    return shares


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Kullback-Leibler, in bits; a bin that ``p`` lacks adds nothing."""
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())
