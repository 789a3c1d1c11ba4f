"""The gauges say how far the last texts are from the bundle's reference."""

import math
import shutil

import pytest

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.drift import Binning, jensen_shannon, measure_reference, observe, stability_index
from service.models.loaded import ModelLoader
from service.monitoring import drift, metrics
from service.schemas import PredictRequest
from service.settings import Settings

USUAL = [" ".join(["fine"] * (1 + number % 10)) for number in range(200)]
OTHER = ["cold soup " * 40] * 50


@pytest.fixture(scope="module")
def bundle(tiny_bundle, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched") / "bundle"
    shutil.copytree(tiny_bundle, folder)
    content = bundles.read(folder)
    reference = measure_reference(SentimentModel(content), USUAL, data="usual")
    bundles.rewrite(content, evaluation=content.evaluation.replace(reference=reference))
    return folder


@pytest.fixture
def predictor(bundle, monkeypatch):
    monkeypatch.setattr(drift, "PUBLISHED_SECONDS", 0)
    loader = ModelLoader(Settings(drift_window=50))
    return loader.serve("watched", SentimentModel.load(bundle)).predictor


def gauge(metric, quantity):
    return metric.labels("watched", quantity)._value.get()


def test_nothing_is_said_before_the_window_is_full(predictor):
    predictor.predict(PredictRequest(texts=USUAL[:49]))
    assert math.isnan(gauge(metrics.DRIFT_INDEX, "tokens"))
    predictor.predict(PredictRequest(texts=USUAL[49:50]))
    assert 0 <= gauge(metrics.DRIFT_INDEX, "tokens") < 0.25
    assert 0 <= gauge(metrics.DRIFT_DIVERGENCE, "tokens") < 0.1


def test_the_gauges_are_about_the_last_texts_alone(predictor, bundle):
    model = SentimentModel.load(bundle)
    binning = Binning(model.evaluation.reference)
    predictor.predict(PredictRequest(texts=USUAL))
    for shifted in (20, 50):
        predictor.predict(PredictRequest(texts=OTHER[:shifted]))
        last = [*USUAL, *OTHER[:shifted]]
        bins = [binning.bins(observe(answer)) for answer in model.predict(last[-50:])]
        for number, (quantity, expected) in enumerate(binning.reference.items()):
            actual = expected * 0
            for observed in bins:
                actual[observed[number]] += 1
            assert gauge(metrics.DRIFT_INDEX, quantity) == pytest.approx(stability_index(expected, actual))
            assert gauge(metrics.DRIFT_DIVERGENCE, quantity) == pytest.approx(jensen_shannon(expected, actual))
    assert gauge(metrics.DRIFT_INDEX, "tokens") > 1


def test_a_model_without_a_reference_is_not_watched(tiny_bundle):
    ModelLoader(Settings()).serve("watched", SentimentModel.load(tiny_bundle))
    assert math.isnan(gauge(metrics.DRIFT_INDEX, "tokens"))


def test_the_window_can_be_switched_off(bundle, monkeypatch):
    monkeypatch.setattr(drift, "PUBLISHED_SECONDS", 0)
    loaded = ModelLoader(Settings(drift_window=0)).serve("watched", SentimentModel.load(bundle))
    loaded.predictor.predict(PredictRequest(texts=USUAL))
    assert math.isnan(gauge(metrics.DRIFT_INDEX, "label"))
