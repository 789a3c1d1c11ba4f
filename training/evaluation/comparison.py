"""Two models on the same texts: paired differences, McNemar's test, and the texts on which they disagree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model_store.progress import track
from training.data.examples import Example
from training.evaluation.label_sets import LabelSets, Thresholds, outcomes_of, true_labels
from training.evaluation.metrics import COVERAGE, RESAMPLES, Estimate, Outcomes, Scores, with_intervals

NOT_COMPARED = ("polar_accuracy",)
"""Metrics that need the labels' polarities, which two models may see differently."""

Verdict = Literal["better", "worse", "not distinguishable"]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much higher the second model's metric is, with the 95% interval of a paired bootstrap."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> Verdict:
        """The second model compared with the first: better or worse only if the interval lies on one side of 0."""
        return "better" if self.low > 0 else "worse" if self.high < 0 else "not distinguishable"


@dataclass(frozen=True, slots=True)
class Disagreements:
    """Texts that only one model gets right, and McNemar's test on them (McNemar 1947).

    Attributes:
        only_first, only_second: numbers of texts that only that model gets right.
        both_wrong: texts that both get wrong, with different labels.
        p_value: exact two-sided: how likely so uneven numbers are if both models err equally often.
    """

    only_first: int
    only_second: int
    both_wrong: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Flip:
    """A text that the two models label differently, with their scores for their own labels."""

    line: int
    text: str
    label: str
    first: str
    first_score: float
    second: str
    second_score: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same texts; differences are second minus first."""

    rows: int
    without_tokens: int
    first: Mapping[str, Estimate]
    second: Mapping[str, Estimate]
    differences: Mapping[str, Difference]
    disagreements: Disagreements
    flips: list[Flip]


def compare(
    examples: Sequence[Example],
    scores: tuple[Scores, Scores],
    labels: Sequence[str],
    *,
    thresholds: tuple[Thresholds | None, Thresholds | None] = (None, None),
    max_flips: int,
    seed: int = 0,
) -> Comparison:
    """Compare two models by their (texts, labels) probabilities.

    Args:
        examples: the texts with their true labels; at least one has a token.
        scores: of the first and of the second model; see ``in_label_space``.
        labels: names of the columns.
        thresholds: of the labels, for a model that gives a text any number of them.
        max_flips: keep so many of the texts that changed their label, the surest of the second model first.
        seed: of the bootstrap.
    """
    has_tokens = ~np.isnan(scores[0][:, 0]) & ~np.isnan(scores[1][:, 0])
    kept = np.nonzero(has_tokens)[0].tolist()
    true = true_labels([examples[row] for row in kept], labels)
    first, second = (
        outcomes_of(side[kept], true, thresholds=own) for side, own in zip(scores, thresholds, strict=True)
    )
    changed = (first.predicted != second.predicted).reshape(len(kept), -1).any(axis=1)
    only_first = int((first.correct & ~second.correct).sum())
    only_second = int((second.correct & ~first.correct).sum())
    return Comparison(
        rows=len(kept),
        without_tokens=len(examples) - len(kept),
        first=_estimates(first, seed),
        second=_estimates(second, seed),
        differences=differences(first, second, seed=seed),
        disagreements=Disagreements(
            only_first,
            only_second,
            both_wrong=int(changed.sum()) - only_first - only_second,
            p_value=mcnemar(only_first, only_second),
        ),
        flips=_flips([examples[row] for row in kept], first, second, labels, changed=changed)[:max_flips],
    )


def in_label_space(scores: Scores, own: Sequence[str], labels: Sequence[str]) -> Scores:
    """A model's (texts, own labels) scores as (texts, labels), 0 for labels that it does not have."""
    wide = np.zeros((len(scores), len(labels)))
    wide[:, [labels.index(name) for name in own]] = scores
    wide[np.isnan(scores).any(axis=1)] = np.nan
    return wide


def thresholds_in_label_space(
    thresholds: Thresholds | None, own: Sequence[str], labels: Sequence[str]
) -> Thresholds | None:
    """A model's thresholds for its own labels as (labels,): labels that it does not have are never given."""
    if thresholds is None:
        return None
    wide: Thresholds = np.full(len(labels), np.inf)
    wide[[labels.index(name) for name in own]] = thresholds
    return wide


def compared(outcomes: Outcomes | LabelSets) -> list[str]:
    """The names of the metrics that two models are compared by."""
    return [name for name in outcomes.table if name not in NOT_COMPARED]


def differences(first: Outcomes | LabelSets, second: Outcomes | LabelSets, *, seed: int = 0) -> dict[str, Difference]:
    """Each metric's difference, second minus first; each resample redraws the same texts for both models."""
    generator = np.random.default_rng(seed)
    size = len(first)
    tails = [50 * (1 - COVERAGE), 50 * (1 + COVERAGE)]  # percent
    names = compared(first)
    resampled = np.empty((RESAMPLES, len(names)))
    for row in track(range(RESAMPLES), "Computing intervals", unit="resamples"):
        indices = generator.integers(size, size=size)
        resampled[row] = _gaps(first.rows(indices), second.rows(indices))
    low, high = np.nanpercentile(resampled, tails, axis=0)
    values = _gaps(first, second)
    return {
        name: Difference(float(values[column]), float(low[column]), float(high[column]))
        for column, name in enumerate(names)
    }


def mcnemar(only_first: int, only_second: int) -> float:
    """The exact two-sided p-value of McNemar's test: a fair coin's, thrown for each text that only one gets right.

    Computed by the logarithms of the binomial probabilities, so that thousands of such texts do not overflow.
    """
    thrown = only_first + only_second
    if not thrown:
        return 1.0
    steps = np.arange(1, min(only_first, only_second) + 1)
    logs = np.cumsum(np.concatenate([[0.0], np.log((thrown - steps + 1) / steps)])) - thrown * np.log(2)
    return min(1.0, 2 * float(np.exp(logs).sum()))


def _gaps(first: Outcomes | LabelSets, second: Outcomes | LabelSets) -> NDArray[np.float64]:
    computed = [first.table[name].compute for name in compared(first)]
    return np.array([compute(second) - compute(first) for compute in computed])


def _estimates(outcomes: Outcomes | LabelSets, seed: int) -> dict[str, Estimate]:
    names = compared(outcomes)
    return {name: estimate for name, estimate in with_intervals(outcomes, seed=seed).items() if name in names}


def _flips(
    examples: Sequence[Example],
    first: Outcomes | LabelSets,
    second: Outcomes | LabelSets,
    labels: Sequence[str],
    *,
    changed: NDArray[np.bool_],
) -> list[Flip]:
    """The texts whose answer changed, the surest of the second model first."""
    (true, here), (_, there) = first.named(labels), second.named(labels)
    return [
        Flip(
            line=examples[row].line,
            text=examples[row].text,
            label=true[row],
            first=here[row],
            first_score=float(first.confidence[row]),
            second=there[row],
            second_score=float(second.confidence[row]),
        )
        for row in sorted(np.nonzero(changed)[0].tolist(), key=lambda row: -second.confidence[row])
    ]
