"""Adapters are off by default, refused where two contradict each other, and under the limits of all calls."""

import os
import subprocess
import sys
from typing import get_args

import pytest

from service.adapters.table import ADAPTERS, adapter_endpoints
from service.endpoints import Body
from service.routes import ENDPOINTS, endpoints_of
from service.settings import AdapterName, Settings, SettingsError
from tests.support.paths import ROOT

ALL = [endpoint for endpoints in ADAPTERS.values() for endpoint in endpoints]


def test_by_default_there_are_none():
    assert endpoints_of(Settings()) == ENDPOINTS


def test_every_name_has_its_endpoints():
    assert set(ADAPTERS) == set(get_args(AdapterName))


def test_two_that_answer_differently_at_a_path_are_refused_by_name():
    with pytest.raises(SettingsError, match="vllm and infinity answer differently at POST /classify; leave one"):
        adapter_endpoints(["openai", "vllm", "infinity"])


def test_the_service_does_not_start_with_them():
    environment = {**os.environ, "SENTIMENT_ADAPTERS": "vllm,infinity", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", "import service.app"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[1].startswith("SENTIMENT_ADAPTERS=vllm,infinity: vllm and infinity answer")


def test_an_endpoint_that_several_share_is_served_once():
    paths = [endpoint.path for endpoint in adapter_endpoints(["tei", "vllm", "tei"])]
    assert sorted(paths) == ["/classify", "/embed", "/health", "/info", "/predict"]


def test_all_but_the_probe_need_a_key_and_every_post_has_the_limits_on_body_slots_and_time():
    assert {endpoint.path for endpoint in ALL if not endpoint.needs_key} == {"/health"}
    assert all(endpoint.body is Body.WHOLE for endpoint in ALL if endpoint.method == "POST")


def test_an_adapter_does_not_take_the_place_of_a_native_endpoint():
    native = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    assert native.isdisjoint((endpoint.method, endpoint.path) for endpoint in ALL)


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_every_example_of_the_document_runs_as_shown(start, adapter):
    with start(adapters=adapter) as client:
        paths = client.get("/openapi.json").json()["paths"]
        calls = [endpoint for endpoint in ADAPTERS[adapter] if endpoint.method == "POST"]
        for endpoint in calls:
            content = paths[endpoint.path]["post"]["requestBody"]["content"]["application/json"]
            assert content["examples"]
            for example in content["examples"].values():
                answer = client.post(endpoint.path, json=example["value"])
                assert answer.status_code == 200, answer.text
                described = endpoint.operation.response.model_validate_json(answer.content)
                assert described.model_dump(mode="json") == answer.json()
    assert calls


def test_the_document_has_the_statuses_that_are_sent(client):
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths["/predict"]["post"]["responses"]) >= {"200", "413", "422", "424", "429"}
    assert "422" not in paths["/v1/embeddings"]["post"]["responses"]


def test_the_page_is_still_at_the_root(client):
    assert "<!doctype html>" in client.get("/").text
    assert client.put("/").status_code == 405


def test_requests_are_counted_under_the_path_and_texts_as_elsewhere(client):
    before = client.get("/metrics").text
    client.post("/predict", json={"inputs": [["fine"], ["cold"]]})
    after = client.get("/metrics").text
    assert (
        _value(after, 'sentiment_requests_total{endpoint="/predict",status="200"}')
        - _value(before, 'sentiment_requests_total{endpoint="/predict",status="200"}')
        == 1
    )
    assert _value(after, "sentiment_texts_per_batch_sum") - _value(before, "sentiment_texts_per_batch_sum") == 2


def _value(metrics, name):
    return sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith(name))


def test_a_key_is_needed_as_elsewhere_and_its_lack_has_the_form_of_the_server(start):
    with start(adapters="tei,openai", api_keys="shop:0123456789abcdef") as client:
        refused = client.post("/predict", json={"inputs": "fine"})
        assert (refused.status_code, set(refused.json())) == (401, {"error", "error_type"})
        refused = client.post("/v1/embeddings", json={"input": "fine"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        headers = {"authorization": "Bearer 0123456789abcdef"}
        assert client.post("/predict", json={"inputs": "fine"}, headers=headers).status_code == 200
        assert client.get("/health").status_code == 200
