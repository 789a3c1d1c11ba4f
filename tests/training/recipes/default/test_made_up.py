"""Texts made up for training: labelled as their family says, and none that the behavioral suite has."""

from collections import Counter

from training.data.text_fingerprint import text_fingerprint
from training.evaluation.behavior.expansion import cases
from training.evaluation.behavior.families import read_families
from training.recipes.default.made_up import made_up_texts, suite_texts


def test_the_adjective_decides_and_not_the_word_before_it():
    labels = {example.text: example.label for example in made_up_texts(most=400, seed=1)}
    terribly = {text: label for text, label in labels.items() if "terribly touching" in text.lower()}
    assert set(terribly.values()) == {"positive"}
    assert not any("terribly exciting" in text.lower() for text in labels)  # the lecture's example is for measuring


def test_no_family_outweighs_the_others_and_the_seed_decides():
    drawn = [[(example.text, example.label) for example in made_up_texts(most=50, seed=seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(set(drawn[0])) == len(drawn[0])
    labels = Counter(label for _, label in drawn[0])
    assert set(labels) == {"negative", "neutral", "positive"}


def test_texts_of_the_suite_are_left_out():
    suite = suite_texts()
    texts = [text for family in read_families() for case in cases(family, max_cases=100, seed=0) for text in case]
    assert {text_fingerprint(text) for text in texts} == suite
    made_up = made_up_texts(most=2000, seed=1)
    assert not [example.text for example in made_up if text_fingerprint(example.text) in suite]
