"""A second model reads what the first has answered, and the differences are counted."""

import logging

import pytest
import torch

from model_store import SentimentModel
from service.models.loaded import ModelLoader
from service.models.shadow import MAX_CHARACTERS, Shadow
from service.monitoring import metrics
from service.predictor import Predictor
from service.schemas import PredictRequest, RepresentRequest
from service.settings import Settings
from tests.support.bundles import bundle_of
from training.fit.task import SentimentTask

TEXTS = [
    f"{first} {second}." for first in ("fine", "cold soup", "kind", "terribly") for second in ("day", "film", "we")
]


class Failing:
    """A model that cannot answer."""

    def predict(self, _texts):
        message = "no"
        raise RuntimeError(message)


LABELS = ("negative", "neutral", "positive")


@pytest.fixture
def counted():
    """What was counted since the test began."""
    counters = {
        **{outcome: metrics.SHADOW_TEXTS.labels(outcome) for outcome in ("agreed", "differed", "failed", "dropped")},
        **{("flip", a, b): metrics.SHADOW_FLIPS.labels(a, b) for a in LABELS for b in LABELS if a != b},
    }
    before = {name: counter._value.get() for name, counter in counters.items()}
    return lambda: {name: grown for name, counter in counters.items() if (grown := counter._value.get() - before[name])}


@pytest.fixture(scope="module")
def other(tiny_task, tmp_path_factory):
    """A bundle of other weights."""
    torch.manual_seed(1)
    task = SentimentTask(tiny_task.labels, tiny_task.tokenizer_json, embedding_size=16, hidden_size=12).eval()
    with torch.no_grad():
        for parameter in task.parameters():
            parameter.mul_(3)
    folder = tmp_path_factory.mktemp("other") / "bundle"
    bundle_of(task, folder)
    return folder


def test_its_differences_are_those_of_a_comparison_of_the_same_texts(tiny_bundle, other, counted):
    first, second = SentimentModel.load(tiny_bundle), SentimentModel.load(other)
    expected = {}
    for one, two in zip(first.predict(TEXTS), second.predict(TEXTS), strict=True):
        if one.label != two.label:
            expected["flip", one.label, two.label] = expected.get(("flip", one.label, two.label), 0) + 1
    differing = sum(expected.values())
    assert 0 < differing < len(TEXTS)
    shadow = Shadow(second, share=1.0)
    predictor = Predictor(first, Settings(), observers=[shadow])
    predictor.predict(PredictRequest(texts=TEXTS[:6], sentences=True))
    predictor.represent(RepresentRequest(texts=TEXTS[6:9]))
    predictor.predict_all(TEXTS[9:])
    assert shadow.wait(30)
    assert counted() == {**expected, "differed": differing, "agreed": len(TEXTS) - differing}


def test_its_failures_are_counted_and_logged_once(tiny_bundle, counted, caplog):
    shadow = Shadow(Failing(), share=1.0)
    with caplog.at_level(logging.ERROR):
        shadow.offer(SentimentModel.load(tiny_bundle).predict(["fine", "cold"]))
        assert shadow.wait(30)
    assert counted() == {"failed": 2}
    assert [record.name for record in caplog.records] == ["bentoml.shadow"]
    assert "fine" not in caplog.text


def test_what_finds_no_room_is_dropped(tiny_bundle, counted):
    (answer,) = SentimentModel.load(tiny_bundle).predict(["fine " * 100_000])
    shadow = Shadow(Failing(), share=1.0)
    shadow.offer([answer] * (MAX_CHARACTERS // 500_000 + 2))
    assert shadow.wait(30)
    assert counted()["dropped"] == 2


def test_a_share_is_drawn(tiny_bundle, counted):
    model = SentimentModel.load(tiny_bundle)
    shadow = Shadow(Failing(), share=0.25)
    shadow.offer(model.predict(["fine"]) * 400)
    assert shadow.wait(60)
    assert 50 < counted()["failed"] < 150


def test_it_reads_beside_the_first_model_alone(bundle, other):
    loader = ModelLoader(Settings(shadow=str(other)), first="a")
    model = SentimentModel.load(bundle)
    assert [type(observer) for observer in loader.serve("a", model).predictor._observers] == [Shadow]
    assert not loader.serve("b", model).predictor._observers
