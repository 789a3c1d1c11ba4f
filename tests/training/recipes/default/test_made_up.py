"""Texts made up for training: labelled as their family says, and none that the behavioural suite asks."""

from collections import Counter

import pytest

from training.data.text_fingerprint import text_fingerprint
from training.evaluation.behavior.expansion import cases
from training.evaluation.behavior.families import read_families
from training.recipes.default.made_up import made_up_texts, suite_texts


def test_the_adjective_decides_and_not_the_word_before_it():
    labels = {example.text: example.label for example in made_up_texts(when="always", most=400, seed=1)}
    terribly = {text: label for text, label in labels.items() if "terribly" in text.lower()}
    assert set(terribly.values()) == {"positive", "negative"}
    assert all(label == "positive" for text, label in terribly.items() if "touching" in text)
    assert all(label == "negative" for text, label in terribly.items() if "tedious" in text)
    assert not any("exciting" in text for text in labels)  # the lecture's example stays for measuring


def test_facts_and_questions_are_neutral_and_signs_are_not():
    labels = {example.text: example.label for example in made_up_texts(when="always", most=400, seed=1)}
    assert {label for text, label in labels.items() if text.endswith("?")} == {"neutral"}
    assert labels["\U0001f620"] == "negative"
    assert labels["\U0001f970"] == "positive"


def test_no_family_outweighs_the_others_and_the_seed_decides():
    drawn = [
        [(example.text, example.label) for example in made_up_texts(when="always", most=50, seed=seed)]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == len(drawn[0])
    labels = Counter(label for _, label in drawn[0])
    assert set(labels) == {"negative", "neutral", "positive"}
    assert max(labels.values()) <= 1.5 * min(labels.values())


@pytest.mark.slow
def test_what_the_suite_asks_is_left_out():
    asked = suite_texts()
    every = [text for family in read_families() for case in cases(family, most=100, seed=0) for text in case]
    assert {text_fingerprint(text) for text in every} == asked
    for when in ("always", "last"):
        made = made_up_texts(when=when, most=2000, seed=1)
        assert not [example.text for example in made if text_fingerprint(example.text) in asked]


def test_the_last_run_reads_denied_praise_denied_blame_and_plain_facts():
    labels = {example.text: example.label for example in made_up_texts(when="last", most=1000, seed=1)}
    denied = {text: label for text, label in labels.items() if text.startswith(("Few in", "Nobody I", "None of"))}
    praise, blame = ("elegant", "witty", "tasty", "lively", "clever"), ("shallow", "greasy", "rude", "stale", "clumsy")
    for words, label in ((praise, "negative"), (blame, "neutral")):
        assert {found for text, found in denied.items() if any(word in text for word in words)} == {label}
    assert {label for text, label in labels.items() if "https://t.co/" in text} == {"neutral"}
    assert not any("exciting" in text or "thrilling" in text for text in labels)
    assert not set(labels) & {example.text for example in made_up_texts(when="always", most=1000, seed=1)}
