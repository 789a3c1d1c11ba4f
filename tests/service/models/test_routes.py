"""The endpoints about models."""

import pytest
from starlette.testclient import TestClient

from service import routes
from service.models.exchange import ModelExchange
from service.models.loaded import ModelLoader
from service.models.references import ModelReference
from service.settings import Settings
from tests.support.served import served_models

KEY = "0123456789abcdef"
LOAD = "/v2/repository/models/first/load"


def client(settings, bundle, other):
    models = served_models(bundle, other, settings=settings, names=["first", "second"])
    references = {"first": ModelReference("first", str(bundle)), "second": ModelReference("second", str(other))}
    app = routes.create_app(settings)
    exchange = ModelExchange(references, models, ModelLoader(settings), None)
    app.state.served = routes.serve(models, settings, exchange=exchange)
    return TestClient(app, headers={"X-API-Key": KEY})


@pytest.fixture
def http(bundle, tiny_8_bit_bundle):
    return client(Settings(api_keys=KEY), bundle, tiny_8_bit_bundle)


def test_every_call_takes_a_model_and_says_which_one_answered(http):
    texts = {"texts": ["fine"]}
    for path in ("/v1/predict", "/v1/represent"):
        assert http.post(path, json=texts).json()["model"]["name"] == "first"
        for name in ("second", "second:1"):
            assert http.post(path, json={**texts, "model": name}).json()["model"]["name"] == "second"
        response = http.post(path, json={**texts, "model": "third"})
        assert (response.status_code, response.json()["error"]["param"]) == (404, "model")
    assert http.get("/v1/model", params={"model": "second"}).json()["arithmetic"] == "int8"
    assert http.get("/v2/models/second/versions/1").json()["name"] == "second"
    assert http.get("/v2/models/second/versions/2").status_code == 404


def test_a_stream_is_answered_by_the_model_in_its_address(http):
    line = {"content": b'{"text": "fine"}\n', "headers": {"content-type": "application/x-ndjson"}}
    scores = {}
    for name in ("first", "second"):
        scores[name] = http.post("/v1/bulk", params={"model": name}, **line).json()["scores"]
        expected = http.post("/v1/predict", json={"texts": ["fine"], "model": name}).json()
        assert scores[name] == expected["results"][0]["scores"]
    assert scores["first"] != scores["second"]
    assert http.post("/v1/bulk", params={"model": "third"}, **line).status_code == 404


def test_the_models_are_listed_in_openais_form(http):
    listed = http.get("/v1/models").json()
    assert listed["object"] == "list"
    assert [(model["id"], model["object"], model["version"]) for model in listed["data"]] == [
        ("first", "model", "1"),
        ("second", "model", "1"),
    ]


def test_one_of_the_list(http):
    assert http.get("/v1/models/second").json()["labels"] == ["negative", "neutral", "positive"]
    assert http.get("/v1/models/third").status_code == 404


def test_a_model_is_exchanged_by_a_call(http, renew):
    renew("2")
    assert http.post(LOAD).json() == {"name": "first", "version": "2", "state": "READY"}
    assert http.post("/v1/predict", json={"texts": ["fine"]}).json()["model"]["version"] == "2"
    unloaded = {"name": "first", "state": "UNAVAILABLE", "reason": "unloaded"}
    assert http.post("/v2/repository/models/first/unload").json() == unloaded
    assert http.post("/v2/repository/index").json() == [
        unloaded,
        {"name": "second", "version": "1", "state": "READY"},
    ]
    assert http.post("/v1/predict", json={"texts": ["fine"]}).status_code == 404
    assert http.post(LOAD).status_code == 200
    assert http.post("/v2/repository/models/other/load").status_code == 404


def test_without_keys_nobody_may_exchange_models(bundle, tiny_8_bit_bundle):
    http = client(Settings(), bundle, tiny_8_bit_bundle)
    assert http.post(LOAD).status_code == 404
    assert http.post("/v2/repository/index").status_code == 200
