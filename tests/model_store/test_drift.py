"""How far texts are from a reference: two distances, and the histograms they compare."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.cli import main
from model_store.drift import (
    FEWEST_TEXTS,
    Binning,
    Observation,
    TooFewTextsError,
    jensen_shannon,
    measure_reference,
    stability_index,
)
from model_store.evaluation import Histogram, Reference

WORDS = ("fine", "cold soup", "terribly kind", "unheardof")
TEXTS = [" ".join([WORDS[number % 4]] * (1 + number % 10)) for number in range(200)]


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="module")
def measured(model):
    return measure_reference(model, TEXTS, data="some texts")


def test_the_stability_index_is_the_one_of_the_books():
    """With half a text added to each bin the shares are 0.3 and 0.7, and 0.7 and 0.3."""
    expected = (0.7 - 0.3) * np.log(0.7 / 0.3) + (0.3 - 0.7) * np.log(0.3 / 0.7)
    assert stability_index(np.array([1, 3]), np.array([3, 1])) == pytest.approx(expected)
    assert stability_index(np.array([5, 9]), np.array([5, 9])) == 0
    assert 1 < stability_index(np.array([100, 0]), np.array([0, 100])) < np.inf


def test_the_divergence_is_the_one_of_scipy():
    generator = np.random.default_rng(0)
    for _ in range(20):
        one, two = generator.integers(0, 9, (2, 6))
        distance = jensenshannon(one / one.sum(), two / two.sum(), base=2)
        assert jensen_shannon(one, two) == pytest.approx(distance**2, abs=1e-12)
    assert jensen_shannon(np.array([3, 0]), np.array([0, 8])) == 1


def test_a_reference_counts_what_the_model_says(model, measured):
    answers = model.predict(TEXTS)
    assert measured.rows == len(TEXTS)
    labels = [answer.label for answer in answers]
    assert measured.label == {label: labels.count(label) for label in set(labels)}
    lengths = np.array([answer.token_count for answer in answers])
    edges = [0, *measured.tokens.edges, np.inf]
    within = [((lengths > low) & (lengths <= high)).sum() for low, high in pairwise(edges)]
    assert measured.tokens.counts == within
    assert len(within) > 5
    unknown = sum(answer.unknown_count > 0 for answer in answers)
    assert measured.unknown_share.edges[0] == 0
    assert sum(measured.unknown_share.counts[1:]) == unknown


def test_texts_without_an_answer_are_left_out_of_a_reference(model, measured):
    assert measure_reference(model, ["", None, *TEXTS], data="some texts") == measured


def test_too_few_texts_are_no_reference(model):
    with pytest.raises(TooFewTextsError, match=r"few\.csv has 99 texts with an answer; a reference needs 100"):
        measure_reference(model, TEXTS[: FEWEST_TEXTS - 1], data="few.csv")


def test_a_label_that_the_reference_lacks_has_a_bin():
    one = Histogram(edges=[0.5], counts=[50, 50])
    binning = Binning(Reference(data="x", rows=100, label={"a": 60, "b": 40}, score=one, tokens=one, unknown_share=one))
    assert binning.bins(Observation("b", 0.5, 1, 0.0)) == (1, 0, 1, 0)
    assert binning.bins(Observation("c", 0.6, 0, 0.9)) == (2, 1, 0, 1)
    assert binning.reference["label"].tolist() == [60, 40, 0]


def test_histograms_that_do_not_fit_are_refused():
    for edges, counts in (([0.5], [1]), ([0.5, 0.1], [1, 1, 1])):
        with pytest.raises(ValueError, match="edges in order need"):
            Histogram(edges=edges, counts=counts)


def test_the_command_keeps_a_reference_in_the_bundle(tiny_bundle, measured, tmp_path, capsys):
    bundle, texts = tmp_path / "bundle", tmp_path / "texts.jsonl"
    shutil.copytree(tiny_bundle, bundle)
    texts.write_text("".join(json.dumps({"body": text}) + "\n" for text in TEXTS))
    before = bundles.read(bundle)
    assert main(["reference", str(bundle), str(texts), "--text_column", "body"]) == 0
    assert "against 200 texts of texts.jsonl" in capsys.readouterr().out
    after = bundles.read(bundle)
    assert after.evaluation == before.evaluation.replace(reference=measured.replace(data="texts.jsonl"))
    assert after.sha256 == before.sha256


def test_the_command_says_when_there_are_too_few_texts(tiny_bundle, tmp_path, capsys):
    texts = tmp_path / "texts.txt"
    texts.write_text("fine\n" * 3)
    assert main(["reference", str(tiny_bundle), str(texts)]) == 1
    assert "texts.txt has 3 texts with an answer" in capsys.readouterr().err
