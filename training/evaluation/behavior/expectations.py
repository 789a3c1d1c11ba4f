"""What a person expects of a model's answers, and whether they are so. Says of each test what a failure is."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Answer = Literal["negative", "neutral", "positive"]

STRONG = 0.5
"""Beyond this a polarity is strong: nearer to wholly positive or negative than to neutral."""

TOLERANCE = 0.1
"""A smaller move of the polarity is none, as in CheckList's own suite for sentiment (Ribeiro et al. 2020)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of one text.

    Attributes:
        answer: the side whose labels' scores are the highest together, whatever shades of it there are. None where the
            text holds no token for the model, which fails every expectation.
        polarity: expectation of the labels' polarities under the scores, in [-1, 1]; NaN where there is no answer.
    """

    answer: Answer | None
    polarity: float

    def __str__(self) -> str:
        return "no answer" if self.answer is None else f"{self.answer}, {self.polarity:+.2f}"


@dataclass(frozen=True, slots=True)
class Expectation:
    """Of one text, or of a text and a changed one.

    Attributes:
        meaning: in words, for a report.
        texts: how many it is about: 1 or 2.
        holds: whether the readings are as expected.
        needs_neutral: whether it can only be asked of a model that has a neutral label.
    """

    meaning: str
    texts: Literal[1, 2]
    holds: Callable[[Sequence[Reading]], bool]
    needs_neutral: bool = False


def readings(scores: NDArray[np.float64], polarities: Sequence[float]) -> list[Reading]:
    """Each text's reading from (texts, labels) scores; a row of NaN is a text without an answer."""
    values = np.array(polarities)
    # With two classes no label is neutral, and that side never has the highest score. Ties go to the first side named.
    sides: dict[Answer, NDArray[np.bool_]] = {"negative": values < 0, "neutral": values == 0, "positive": values > 0}
    result = []
    for row in scores:
        if np.isnan(row).any():
            result.append(Reading(None, float("nan")))
            continue
        together = {side: float(row[labels].sum()) for side, labels in sides.items() if labels.any()}
        answer: Answer = max(together, key=together.__getitem__)
        result.append(Reading(answer, float(row @ values)))
    return result


def _answers(*wanted: Answer) -> Callable[[Sequence[Reading]], bool]:
    return lambda seen: seen[0].answer in wanted


def _not_strong(seen: Sequence[Reading]) -> bool:
    return abs(seen[0].polarity) <= STRONG  # false for NaN


def _same(seen: Sequence[Reading]) -> bool:
    before, after = seen
    if before.answer is None or after.answer is None:
        return False
    return before.answer == after.answer or abs(after.polarity - before.polarity) <= TOLERANCE


def _moves(*, least: float = -np.inf, most: float = np.inf) -> Callable[[Sequence[Reading]], bool]:
    return lambda seen: least <= seen[1].polarity - seen[0].polarity <= most  # false for NaN


EXPECTATIONS: Mapping[str, Expectation] = {
    "positive": Expectation("positive", 1, _answers("positive")),
    "negative": Expectation("negative", 1, _answers("negative")),
    "not negative": Expectation("positive or neutral", 1, _answers("positive", "neutral")),
    "not positive": Expectation("negative or neutral", 1, _answers("negative", "neutral")),
    "neutral": Expectation(f"not strongly polar: within {STRONG} of 0", 1, _not_strong, needs_neutral=True),
    "same": Expectation(f"the same answer, or a polarity that moves by at most {TOLERANCE}", 2, _same),
    "not lower": Expectation(f"a polarity not lower by more than {TOLERANCE}", 2, _moves(least=-TOLERANCE)),
    "not higher": Expectation(f"a polarity not higher by more than {TOLERANCE}", 2, _moves(most=TOLERANCE)),
    "lower": Expectation(f"a polarity lower by at least {TOLERANCE}", 2, _moves(most=-TOLERANCE)),
    "higher": Expectation(f"a polarity higher by at least {TOLERANCE}", 2, _moves(least=TOLERANCE)),
}
"""By the word that template files use."""
