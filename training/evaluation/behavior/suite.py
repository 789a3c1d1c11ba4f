"""Runs the families on a model: how many cases fail, and which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.behavior.expansion import Case, cases
from training.evaluation.behavior.expectations import Reading, readings
from training.evaluation.behavior.families import Family, Kind
from training.evaluation.metrics import wilson_interval

CASES_A_FAMILY = 100
"""At most: the whole suite then reads some 15,000 short texts."""

SEED = 0
"""Of the words that are chosen, unless another is asked for."""

EXAMPLES = 3

Scorer = Callable[[Sequence[str]], NDArray[np.float64]]
"""Texts to (texts, labels) probabilities, a row of NaN for a text that holds no token."""


class NoPolarityError(ValueError):
    """A model whose labels do not say what is positive and what negative, of which the suite can ask nothing."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One case that did not go as expected: its texts, and what the model makes of each, in words."""

    texts: Case
    readings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """How a family's cases went.

    Attributes:
        name: of the family.
        kind: MFT, INV or DIR.
        capability: what the family belongs to.
        expected: what should have come out, in words.
        cases: how many were put to the model; 0 where the family does not apply.
        failures: how many of them failed.
        low: lower bound of the failure rate's 95% interval (Wilson); None without cases.
        high: upper bound.
        examples: the first few failures.
        not_applicable: why the family was left out; None where it was not.
    """

    name: str
    kind: Kind
    capability: str
    expected: str
    cases: int
    failures: int
    low: float | None
    high: float | None
    examples: tuple[Failure, ...]
    not_applicable: str | None


def run_suite(
    families: Sequence[Family],
    score: Scorer,
    polarities: Sequence[float | None],
    *,
    most: int = CASES_A_FAMILY,
    seed: int = SEED,
) -> list[FamilyResult]:
    """Each family's result, in the families' order.

    Args:
        families: see ``read_families``.
        score: the model; it is called once, with every different text.
        polarities: of the model's labels, in the order of the scores.
        most: cases a family.
        seed: of the choice of words.

    Raises:
        NoPolarityError: a label has no polarity, or none is positive, or none negative.
    """
    known = [polarity for polarity in polarities if polarity is not None]
    if len(known) < len(polarities) or not min(known) < 0 < max(known):
        message = f"the labels' polarities are {list(polarities)}; the suite needs one for each, on both sides of 0"
        raise NoPolarityError(message)
    has_neutral = 0.0 in known
    asked = {
        family.name: cases(family, most=most, seed=seed)
        for family in families
        if has_neutral or not family.expectation.needs_neutral
    }
    texts = list(dict.fromkeys(text for of_family in asked.values() for case in of_family for text in case))
    by_text = dict(zip(texts, readings(score(texts), known), strict=True)) if texts else {}
    return [_result(family, asked.get(family.name), by_text) for family in families]


def _result(family: Family, asked: Sequence[Case] | None, by_text: dict[str, Reading]) -> FamilyResult:
    failures = [
        Failure(case, tuple(str(by_text[text]) for text in case))
        for case in asked or ()
        if not family.expectation.holds([by_text[text] for text in case])
    ]
    low, high = wilson_interval(len(failures), len(asked)) if asked else (None, None)
    return FamilyResult(
        name=family.name,
        kind=family.kind,
        capability=family.capability,
        expected=family.expectation.meaning,
        cases=len(asked or ()),
        failures=len(failures),
        low=low,
        high=high,
        examples=tuple(failures[:EXAMPLES]),
        not_applicable="the model has no neutral label" if asked is None else None,
    )
