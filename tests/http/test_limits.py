"""What every call has in common: its stages in a header, its counts in the metrics, and probes that know the end."""

import importlib
import re

import pytest


def series(client):
    """Every sample of /metrics: name with labels, to value."""
    samples = (line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def added(client, call):
    """How much each sample grew by a call."""
    before = series(client)
    call()
    return {name: value - before.get(name, 0.0) for name, value in series(client).items()}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/predict", {"texts": ["fine"]}),
        ("/v1/represent", {"texts": ["fine"]}),
        (
            "/v2/models/tiny/infer",
            {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["fine"]}]},
        ),
    ],
)
def test_the_stages_of_an_answer_are_in_a_header(client, path, body):
    response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    stages = re.fullmatch(
        r"queue;dur=[\d.]+, tokenize;dur=[\d.]+, inference;dur=[\d.]+, encode;dur=[\d.]+",
        response.headers["server-timing"],
    )
    assert stages


def test_texts_are_counted_as_they_were_answered(client, model):
    texts = ["fine", "xyzzy plugh", "cold " * 500, "  ", "x" * 4001]
    answered = model.predict(texts[:3])
    grown = added(client, lambda: client.post("/v1/predict", json={"texts": texts}))
    assert grown['sentiment_requests_total{endpoint="/v1/predict",status="200"}'] == 1
    assert grown['sentiment_tokens_total{model="tiny"}'] == sum(prediction.token_count for prediction in answered)
    unknown = sum(prediction.unknown_count for prediction in answered)
    assert grown['sentiment_unknown_tokens_total{model="tiny"}'] == unknown >= 2
    assert grown['sentiment_truncated_texts_total{model="tiny"}'] == 1
    assert grown['sentiment_confidence_count{model="tiny"}'] == 3
    assert grown['sentiment_text_errors_total{reason="empty_text"}'] == 1
    assert grown['sentiment_text_errors_total{reason="too_many_characters"}'] == 1
    for label in model.manifest.label_names:
        count = sum(prediction.label == label for prediction in answered)
        assert grown[f'sentiment_texts_total{{label="{label}",model="tiny"}}'] == count


def test_a_request_without_an_answer_is_counted_by_its_reason(client):
    grown = added(client, lambda: client.post("/v1/predict", json={"texts": ["a"] * 9}))
    assert grown['sentiment_rejections_total{reason="too_many_texts"}'] == 1
    assert grown['sentiment_requests_total{endpoint="/v1/predict",status="422"}'] == 1


def test_paths_at_which_there_is_nothing_share_a_series(client):
    grown = added(client, lambda: [client.get(f"/admin/{number}") for number in range(5)])
    assert grown['sentiment_requests_total{endpoint="elsewhere",status="404"}'] == 5


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("path", ["/readyz", "/v2/health/ready"])
def test_the_end_turns_readiness_off_and_nothing_else(client, monkeypatch, path):
    assert client.get(path).status_code == 200
    served = importlib.import_module("service.app").state.served
    monkeypatch.setattr(served.shutdown, "has_begun", True)
    response = client.get(path)
    assert response.status_code == 503
    assert "retry-after" in response.headers
    for still in ("/livez", "/v1/model"):
        assert client.get(still).status_code == 200
    assert client.post("/v1/predict", json={"texts": ["fine"]}).status_code == 200
