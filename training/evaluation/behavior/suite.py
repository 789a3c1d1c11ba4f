"""The behavioral suite run on a model: how many cases of each family fail, and which."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.evaluation.behavior.expansion import Case, cases
from training.evaluation.behavior.expectations import Answer, answers
from training.evaluation.behavior.families import Family, Kind
from training.evaluation.metrics import Scores, wilson_interval

CASES_A_FAMILY = 100
"""Default maximum; the whole suite then has some 15,000 short texts."""

SEED = 0
"""Default seed of the choice of words."""

EXAMPLES = 3


class NoPolarityError(ValueError):
    """The labels have no positive and negative polarity, so the suite does not apply."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that failed: its texts, and the model's answer to each, in words."""

    texts: Case
    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """The result of a family's cases.

    Attributes:
        name: of the family.
        kind: MFT, INV or DIR.
        capability: the group that the family belongs to.
        expected: the expectation, in words.
        cases: number of cases; 0 if the family does not apply.
        failures: number of cases that failed.
        low: lower bound of the failure rate's 95% interval (Wilson); None without cases.
        high: upper bound.
        examples: the first few failures.
        not_applicable: why the family does not apply; None if it does.
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
    score: Callable[[Sequence[str]], Scores],
    polarities: Sequence[float | None],
    *,
    max_cases: int = CASES_A_FAMILY,
    seed: int = SEED,
) -> list[FamilyResult]:
    """Each family's result, in the families' order.

    Args:
        families: see ``read_families``.
        score: the model: texts to scores. It is called once, with every distinct text.
        polarities: of the model's labels, in the order of the scores.
        max_cases: maximum number of cases of a family.
        seed: of the choice of words.

    Raises:
        NoPolarityError: a label has no polarity, or the labels do not have both signs.
    """
    known = [polarity for polarity in polarities if polarity is not None]
    if len(known) < len(polarities) or not min(known) < 0 < max(known):
        message = f"the labels' polarities are {list(polarities)}; the suite needs one for each, on both sides of 0"
        raise NoPolarityError(message)
    has_neutral = 0.0 in known
    cases_of = {
        family.name: cases(family, max_cases=max_cases, seed=seed)
        for family in families
        if has_neutral or not family.expectation.needs_neutral
    }
    texts = list(dict.fromkeys(text for family_cases in cases_of.values() for case in family_cases for text in case))
    by_text = dict(zip(texts, answers(score(texts), known), strict=True)) if texts else {}
    return [_result(family, cases_of.get(family.name), by_text) for family in families]


def _result(family: Family, family_cases: Sequence[Case] | None, by_text: dict[str, Answer]) -> FamilyResult:
    failures = [
        Failure(case, tuple(str(by_text[text]) for text in case))
        for case in family_cases or ()
        if not family.expectation.holds([by_text[text] for text in case])
    ]
    low, high = wilson_interval(len(failures), len(family_cases)) if family_cases else (None, None)
    return FamilyResult(
        name=family.name,
        kind=family.kind,
        capability=family.capability,
        expected=family.expectation.meaning,
        cases=len(family_cases or ()),
        failures=len(failures),
        low=low,
        high=high,
        examples=tuple(failures[:EXAMPLES]),
        not_applicable="the model has no neutral label" if family_cases is None else None,
    )
