"""Texts made up for training: labeled as their family says, and none that the behavioral suite asks."""

from collections import Counter

import pytest

from training.data.text_fingerprint import text_fingerprint
from training.recipes.default.made_up import made_up_texts, suite_texts

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def labels():
    """Texts to labels, up to 400 texts of a family."""
    return {example.text: example.label for example in made_up_texts(max_texts=400, seed=1)}


def test_the_adjective_decides_and_not_the_word_before_it(labels):
    terribly = {text: label for text, label in labels.items() if "terribly" in text.lower()}
    assert set(terribly.values()) == {"positive", "negative"}
    assert all(label == "positive" for text, label in terribly.items() if "touching" in text)
    assert all(label == "negative" for text, label in terribly.items() if "tedious" in text)
    assert not any("exciting" in text for text in terribly)  # the lecture's example stays for measuring


def test_questions_are_neutral_and_signs_are_not(labels):
    assert {label for text, label in labels.items() if text.endswith("?")} == {"neutral"}
    assert labels["\U0001f620"] == "negative"
    assert labels["\U0001f970"] == "positive"


def test_denied_praise_is_negative_and_denied_blame_is_not(labels):
    denied = {text: label for text, label in labels.items() if text.startswith(("Few in", "Nobody I", "None of"))}
    praise, blame = ("elegant", "witty", "tasty", "lively", "clever"), ("shallow", "greasy", "rude", "stale", "clumsy")
    for words, label in ((praise, "negative"), (blame, "neutral")):
        assert {denied[text] for text in denied if any(word in text for word in words)} == {label}


def test_a_group_of_people_says_nothing_of_a_thing(labels):
    of_a_group = [label for text, label in labels.items() if "Kenyan" in text or "Irish" in text]
    assert set(of_a_group) == {"negative", "neutral", "positive"}


def test_ratings_are_read_as_a_person_reads_them(labels):
    for rating, label in (
        ("half a star", "negative"),
        ("9 out of 10 stars", "positive"),
        ("three stars out of", "neutral"),
    ):
        assert {found for text, found in labels.items() if rating in text.lower()} == {label}


def test_no_family_outweighs_the_others_and_the_seed_decides():
    drawn = [
        [(example.text, example.label) for example in made_up_texts(max_texts=50, seed=seed)] for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == len(drawn[0])
    labels = Counter(label for _, label in drawn[0])
    assert set(labels) == {"negative", "neutral", "positive"}
    assert max(labels.values()) <= 1.5 * min(labels.values())


def test_texts_of_the_suite_are_left_out(labels):
    asked = suite_texts()
    assert len(asked) > 10_000
    assert not [text for text in labels if text_fingerprint(text) in asked]
