"""Finding the model that a call asks for."""

import gc
import weakref

import pytest

from service.errors import RequestError
from service.models.loaded import ModelLoader
from service.models.references import ModelReference
from service.monitoring import metrics
from service.settings import Settings
from tests.support.served import served_models

SETTINGS = Settings()


@pytest.fixture
def models(bundle, tiny_8_bit_bundle):
    return served_models(bundle, tiny_8_bit_bundle, settings=SETTINGS, names=["first", "second"])


def test_a_model_is_found_by_its_name_or_with_its_version_and_the_first_without(models):
    assert models.get() is models.get("first") is models.get("first:1")
    assert models.get("second").card.arithmetic == "int8"
    assert [entry.id for entry in models.list().data] == ["first", "second"]


@pytest.mark.parametrize("name", ["third", "first:2", "second:", ""])
def test_a_model_that_is_not_there_is_named_with_those_that_are(models, name):
    with pytest.raises(RequestError, match=r"this server has first:1, second:1\.") as raised:
        models.get(name)
    assert (raised.value.code, raised.value.param) == ("unknown_model", "model")


def test_a_model_that_was_exchanged_answers_those_that_hold_it_and_is_freed_then(models, renew):
    held = models.get()
    verified = ModelReference("first", str(renew("2"))).read()
    models.put(ModelLoader(SETTINGS).load("first", verified.path, verified.sha256))
    assert models.get().card.version == "2"
    assert [held.card.version, held.predictor.predict_all(["fine"])[0].label] == [
        "1",
        models.get().predictor.predict_all(["fine"])[0].label,
    ]
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


def test_what_is_removed_is_listed_as_unavailable_and_its_series_falls_to_0(models):
    labels = ("second", "1", models.get("second").card.sha256)
    assert metrics.MODEL.labels(*labels)._value.get() == 1
    models.remove("second")
    assert metrics.MODEL.labels(*labels)._value.get() == 0
    assert [(model.name, model.state) for model in models.index().root] == [
        ("first", "READY"),
        ("second", "UNAVAILABLE"),
    ]
    assert [entry.id for entry in models.list().data] == ["first"]
    models.remove("first")
    with pytest.raises(RequestError, match="The model first is not served; this server has no model"):
        models.get()


def test_the_description_names_all_models_and_follows_them(models):
    def names():
        return models.openapi()["paths"]["/v2/models/{name}"]["get"]["parameters"][0]["schema"]["enum"]

    assert names() == ["first", "second"]
    models.remove("second")
    assert names() == ["first"]
