"""The families as they are written: readable, complete, and the same cases in every process."""

import hashlib
import os
import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from tests.support.paths import ROOT
from training.evaluation.behavior.changes import CHANGES
from training.evaluation.behavior.expansion import cases
from training.evaluation.behavior.families import Family, TemplateError, read_families

FAMILIES = read_families()


def family(*templates, expect="positive", kind="MFT", change=None, **words):
    return Family("a family", kind, "a capability", expect, templates, change, words)


def digest(seed=0):
    made = [cases(family, max_cases=30, seed=seed) for family in FAMILIES]
    return hashlib.sha256(repr(made).encode()).hexdigest()


def test_there_are_at_least_forty_families_of_all_three_kinds():
    kinds = Counter(family.kind for family in FAMILIES)
    assert sum(kinds.values()) >= 40
    assert set(kinds) == {"MFT", "INV", "DIR"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: f"{family.capability}: {family.name}")
def test_a_family_yields_different_whole_cases_within_its_bound(family):
    made = cases(family, max_cases=100, seed=0)
    assert 10 <= len(made) <= 100
    assert len(set(made)) == len(made)
    for case in made:
        assert len(case) == family.expectation.texts
        assert len(set(case)) == len(case)  # a change changes something
        for text in case:
            assert not re.search(r"[{}]", text)
            assert text == text.strip()
            assert not ("  " in text and family.change != "doubled spaces")


def test_every_word_list_is_used_by_some_template():
    written = " ".join(f"{family.templates} {family.words}" for family in FAMILIES)
    used = set(re.findall(r"\{(?:a )?([a-z_]+)\d?\}", written))
    assert {name for family in FAMILIES for name in family.words} == used


@pytest.mark.slow
def test_another_process_makes_the_same_cases_and_another_seed_others():
    # Python hashes strings otherwise in each process, and the order of a set with them.
    program = f"from {__name__} import digest; print(digest())"
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=surroundings
    )
    assert run.stdout.strip() == digest()
    assert digest(seed=1) != digest()


def test_a_slot_takes_each_word_once_and_every_template_has_its_share():
    fruit = family(("{a fruit} is {good}.",), ("{fruit}",), fruit=["apple", "pear"], good=["fine"])
    expected = ["A pear is fine.", "An apple is fine.", "Apple", "Pear"]
    assert sorted(text for (text,) in cases(fruit, max_cases=10, seed=0)) == expected
    many = family(("one {digit}",), ("two {digit}",), digit=list("0123456789"))
    assert Counter(text[:3] for (text,) in cases(many, max_cases=10, seed=0)) == {"One": 5, "Two": 5}


def test_numbered_slots_take_different_words_and_a_pair_shares_its_words():
    made = cases(family(("{x1} {x2}", "{x2} {x1}"), x=["B", "C"], expect="same", kind="INV"), max_cases=10, seed=0)
    assert sorted(made) == [("B C", "C B"), ("C B", "B C")]


def test_words_may_have_slots_which_are_the_same_on_both_sides():
    nested = family(("{x}", "{x} {y}"), x=["of {y}"], y=list("0123456789"), expect="same", kind="INV")
    for before, after in cases(nested, max_cases=10, seed=0):
        digit = before.removeprefix("Of ")
        assert after == f"Of {digit} {digit}"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("lower case", "It IS.", {"it is."}),
        ("upper case", "It's fun.", {"IT'S FUN."}),
        ("no punctuation", "No, it's fine. Is it?", {"No it's fine Is it"}),
        ("no apostrophes", "It's fun, isn't it?", {"Its fun, isnt it?"}),
        ("typographic apostrophes", "isn't", {"isn\u2019t"}),
        ("doubled spaces", "a b", {"a  b"}),
        ("two letters swapped", "so slow", {"so solw"}),
        ("a letter missing", "so slow", {"so sow", "so slw"}),
        ("a letter doubled", "so slow", {"so sllow", "so sloow"}),
        ("two letters swapped", "a bee", {"a bee"}),  # no word is long enough
    ],
)
def test_a_change_does_what_it_is_called(name, text, expected):
    assert {CHANGES[name](text, random.Random(seed)) for seed in range(20)} == expected  # noqa: S311


def test_a_slip_in_a_template_file_names_the_file_and_the_family(tmp_path):
    (tmp_path / "words.yaml").write_text("thing: [film]\n", encoding="utf-8")
    path = tmp_path / "slips.yaml"
    entry = 'capability: c\nfamilies:\n  - {{name: mine, kind: {kind}, expect: {expect}, texts: ["The {{thing}}."]}}\n'
    path.write_text(entry.format(kind="MFT", expect="happy"), encoding="utf-8")
    with pytest.raises(TemplateError, match=r"slips\.yaml, family 'mine': 'happy' is none of: positive"):
        read_families(tmp_path)
    path.write_text(entry.format(kind="INV", expect="same"), encoding="utf-8")
    with pytest.raises(TemplateError, match=r"slips\.yaml, family 'mine': INV with 'same' is not about"):
        read_families(tmp_path)
