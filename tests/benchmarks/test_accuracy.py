"""The accuracy benchmark: its systems, its sets and its figures."""

import json
from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import accuracy, baselines
from benchmarks.baselines import System
from benchmarks.labeled_sets import LabeledSet, sets_to_measure, training_set
from model_store import SentimentModel
from training.recipes.default.measured_sets import THREE, TWO

WARM = ["a fine warm film", "a fine cast", "a warm room"] * 5
COLD = ["a cold dull film", "a dull cast", "a cold room"] * 5
LESSON = LabeledSet("lesson", TWO, WARM + COLD, ["positive"] * 15 + ["negative"] * 15)


def first_of_two(texts, labels):
    return None if labels == THREE else np.array([[0.8, 0.2]] * len(texts))


def test_a_system_is_measured_by_hand_and_asked_for_no_text_twice():
    asked = []

    def score(texts, labels):
        asked.extend(texts)
        return first_of_two(texts, labels)

    labeled = LabeledSet("some", TWO, ["a", "b", "c", "a"], ["negative", "negative", "positive", "negative"])
    known = {}
    system = System("constant", None, score, probabilities=True, size=len)
    measured = accuracy.measure(system, labeled, known, seed=0)
    assert accuracy.measure(system, labeled, known, seed=0) == replace(measured, milliseconds=None)
    assert asked == ["a", "a", "b", "c"]  # the first text before, so that learning does not count as its time
    assert measured.rows == 4
    assert measured.figures["accuracy"].value == 0.75
    assert measured.figures["macro_f1"].value == pytest.approx((6 / 7 + 0) / 2)  # negative: precision 3/4, recall 1
    assert measured.figures["calibration_error"].value == pytest.approx(0.05)  # 80% sure, right 75% of the time


def test_a_system_without_probabilities_has_no_calibration_error():
    two = LabeledSet("some", TWO, ["a"], ["negative"])
    measured = accuracy.measure(System("constant", None, first_of_two, probabilities=False, size=len), two, {}, seed=0)
    assert set(measured.figures) == {"accuracy", "macro_f1"}
    lines = list(accuracy.markdown([measured]))
    assert "| some | 1 | 100.0 (100.0-100.0) |" in lines
    assert "| test data | texts | constant |" in lines


def test_what_was_measured_stays_for_the_same_texts_only(tmp_path):
    options = Namespace(bundle="default", rows=2, seed=0, no_opinion="positive", to=tmp_path / "figures.json")
    two = LabeledSet("some", TWO, ["a", "b"], ["negative", "positive"])
    system = System("constant", None, first_of_two, probabilities=True, size=len)
    measured = accuracy.measure(system, two, {}, seed=0)
    options.to.write_text(json.dumps(accuracy.as_json([measured], options)))
    assert accuracy.kept(options) == [measured]
    with pytest.raises(SystemExit, match=r"figures\.json has figures of other texts"):
        accuracy.kept(Namespace(**{**vars(options), "rows": 3}))


def test_a_system_without_a_neutral_label_is_not_measured_on_three():
    three = LabeledSet("facts", THREE, ["a"], ["neutral"])
    assert (
        accuracy.measure(System("constant", None, first_of_two, probabilities=True, size=len), three, {}, seed=0)
        is None
    )


def test_a_bundle_shares_its_neutral_score_out_among_two_labels(tiny_bundle):
    texts = ["The soup was cold.", "\u200b"]
    scores = SentimentModel.load(tiny_bundle).predict(texts[:1])[0].scores
    polar = scores["negative"] + scores["positive"]
    system = baselines.bundle(str(tiny_bundle))
    assert system.score(texts, TWO)[0] == pytest.approx([scores["negative"] / polar, scores["positive"] / polar])
    assert system.score(texts, THREE)[0] == pytest.approx(list(scores.values()))


def test_a_lexicon_without_an_opinion_says_positive_of_two_and_neutral_of_three():
    polarity = {"good": 0.5, "bad": -0.5, "nothing": 0.0, "hardly": 0.04}.__getitem__
    system = baselines.lexicon("a lexicon", polarity, neutral=0.05)
    texts = ["good", "bad", "nothing", "hardly"]
    assert system.score(texts, TWO).argmax(axis=1).tolist() == [1, 0, 1, 1]
    other = baselines.lexicon("a lexicon", polarity, neutral=0.05, no_opinion="negative")
    assert other.score(texts, TWO).argmax(axis=1).tolist() == [1, 0, 0, 1]
    assert system.score(texts, THREE).argmax(axis=1).tolist() == [2, 0, 1, 1]


@pytest.mark.parametrize(("learner", "package"), [("linear", "sklearn"), ("fasttext", "fasttext")])
def test_a_learner_learns_words_and_is_trained_once(learner, package):
    pytest.importorskip(package, reason="the extra benchmarks is not installed")
    lessons = []

    def lesson(labels):
        lessons.append(labels)
        return LESSON

    system = getattr(baselines, learner)(lesson, data="six sentences", kinds=(TWO,))
    scores = system.score(["what a dull room", "what a warm room\nand a fine film"], TWO)
    assert scores.sum(axis=1) == pytest.approx([1, 1])
    assert system.score(["cold"], THREE) is None
    assert system.score(["cold"], TWO).shape == (1, 2)
    assert lessons == [TWO]
    if learner == "linear":  # six sentences are too few for fastText's steps
        assert scores.argmax(axis=1).tolist() == [0, 1]


def test_the_sets_have_the_sizes_that_their_source_gives(real_data):
    # data/README.md; four of the 3,775 lines of CR have no text. The last two: counted with json and gzip alone.
    sets = list(sets_to_measure(real_data))
    assert {labeled.name: len(labeled) for labeled in sets} == {
        "SST-2 test": 1821, "IMDb test": 25_000, "CR": 3771, "amazon_reviews": 8000, "amazon_reviews: books": 2000,
        "amazon_reviews: dvd": 2000, "amazon_reviews: electronics": 2000, "amazon_reviews: kitchen": 2000,
        "Yelp sentences": 126_670, "SST test": 2210, "airline tweets": 14_640, "PhraseBank": 4846,
        "NewsMTSC validation": 427, "GoEmotions validation": 4547,
    }  # fmt: skip
    for labeled in sets:
        assert set(labeled.truth) == set(labeled.labels)
        assert not any("<br" in text for text in labeled.texts)
    tweets = next(labeled for labeled in sets if labeled.name == "airline tweets")
    assert [tweets.truth.count(label) for label in THREE] == [9178, 3099, 2363]


def test_what_the_learners_learn_from_leaves_the_test_texts_out(real_data):
    assert len(training_set(real_data, "IMDb train", TWO)) == 25_000 - 123
