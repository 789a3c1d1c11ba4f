"""Expectations: what the answers to a case should be, and when a case fails."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Side = Literal["negative", "neutral", "positive"]

STRONG = 0.5
"""Beyond this a polarity is strong: nearer to wholly positive or negative than to neutral."""

TOLERANCE = 0.1
"""A smaller move of the polarity is none, as in CheckList's own suite for sentiment (Ribeiro et al. 2020)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer to one text.

    Attributes:
        side: the side whose labels have the highest sum of scores. None for a text without a token, which fails every
            expectation.
        polarity: expected value of the labels' polarities under the scores, in [-1, 1]; NaN where ``side`` is None.
    """

    side: Side | None
    polarity: float

    def __str__(self) -> str:
        return "no answer" if self.side is None else f"{self.side}, {self.polarity:+.2f}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """What should be true of the answer to a text, or of the answers to a text and a changed one.

    Attributes:
        meaning: in words, for a report.
        texts: number of texts of a case: 1 or 2.
        holds: whether the answers are as expected.
        needs_neutral: whether it applies only to models with a neutral label.
    """

    meaning: str
    texts: Literal[1, 2]
    holds: Callable[[Sequence[Answer]], bool]
    needs_neutral: bool = False


def answers(scores: NDArray[np.float64], polarities: Sequence[float]) -> list[Answer]:
    """Each text's answer from (texts, labels) scores; a row of NaN is a text without an answer."""
    values = np.array(polarities)
    # With two classes no label is neutral, and that side never has the highest score. Ties go to the first side named.
    sides: dict[Side, NDArray[np.bool_]] = {"negative": values < 0, "neutral": values == 0, "positive": values > 0}
    result = []
    for row in scores:
        if np.isnan(row).any():
            result.append(Answer(None, float("nan")))
            continue
        sums = {side: float(row[labels].sum()) for side, labels in sides.items() if labels.any()}
        side: Side = max(sums, key=sums.__getitem__)
        result.append(Answer(side, float(row @ values)))
    return result


def _one_of(*expected: Side) -> Callable[[Sequence[Answer]], bool]:
    return lambda answers: answers[0].side in expected


def _not_strong(answers: Sequence[Answer]) -> bool:
    return abs(answers[0].polarity) <= STRONG  # false for NaN


def _same(answers: Sequence[Answer]) -> bool:
    before, after = answers
    if before.side is None or after.side is None:
        return False
    return before.side == after.side or abs(after.polarity - before.polarity) <= TOLERANCE


def _moves(*, minimum: float = -np.inf, maximum: float = np.inf) -> Callable[[Sequence[Answer]], bool]:
    return lambda answers: minimum <= answers[1].polarity - answers[0].polarity <= maximum  # false for NaN


EXPECTATIONS: Mapping[str, Expectation] = {
    "positive": Expectation("positive", 1, _one_of("positive")),
    "negative": Expectation("negative", 1, _one_of("negative")),
    "not negative": Expectation("positive or neutral", 1, _one_of("positive", "neutral")),
    "not positive": Expectation("negative or neutral", 1, _one_of("negative", "neutral")),
    "neutral": Expectation(f"not strongly polar: within {STRONG} of 0", 1, _not_strong, needs_neutral=True),
    "same": Expectation(f"the same answer, or a polarity that moves by at most {TOLERANCE}", 2, _same),
    "not lower": Expectation(f"a polarity not lower by more than {TOLERANCE}", 2, _moves(minimum=-TOLERANCE)),
    "not higher": Expectation(f"a polarity not higher by more than {TOLERANCE}", 2, _moves(maximum=TOLERANCE)),
    "lower": Expectation(f"a polarity lower by at least {TOLERANCE}", 2, _moves(maximum=-TOLERANCE)),
    "higher": Expectation(f"a polarity higher by at least {TOLERANCE}", 2, _moves(minimum=TOLERANCE)),
}
"""By the word that template files use."""
