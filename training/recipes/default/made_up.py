"""Texts generated for what reviews rarely contain: plain facts, ratings, company news, messages, irony, lone emoji.

None of them is a text that the behavioral suite asks. The suite's families about the same things are still easier for
a model that has read these; which ones, and how it does on the others, docs/reference/behavior.md tells.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from training.data.examples import Example
from training.data.text_fingerprint import text_fingerprint
from training.evaluation.behavior.expansion import cases
from training.evaluation.behavior.families import read_families
from training.evaluation.behavior.suite import CASES_A_FAMILY, SEED

FOLDER = Path(__file__).parent / "templates"


def made_up_texts(*, max_texts: int, seed: int) -> Iterator[Example]:
    """Texts with what their family expects as their label.

    Args:
        max_texts: maximum number of texts of each family.
        seed: of the choice of words.
    """
    asked = suite_texts()
    for family in read_families(FOLDER):
        for number, (text,) in enumerate(cases(family, max_cases=max_texts, seed=seed), start=1):
            if text_fingerprint(text) not in asked:
                yield Example(text=text, label=family.expect, line=number)


@cache
def suite_texts() -> frozenset[str]:
    """Every text that the behavioral suite asks as it is run by default, in the form in which texts are compared."""
    suite_cases = (case for family in read_families() for case in cases(family, max_cases=CASES_A_FAMILY, seed=SEED))
    return frozenset(text_fingerprint(text) for case in suite_cases for text in case)
