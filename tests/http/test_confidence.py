"""Of each answer the API says whether the model is sure of it, wherever an answer is given."""

from collections.abc import Iterator

import httpx
import pytest

from model_store import SentimentModel

TEXTS = ["cold soup", "fine"]


@pytest.fixture(scope="module")
def sure(sure_bundle) -> SentimentModel:
    return SentimentModel.load(sure_bundle)


@pytest.fixture(scope="module")
def expected(sure):
    return [answer.score >= sure.manifest.calibration.threshold for answer in sure.predict(TEXTS)]


@pytest.fixture(scope="module")
def http(sure_bundle, start_server) -> Iterator[httpx.Client]:
    """A real server over a bundle with a threshold. The service in this process has a bundle without one."""
    with (
        start_server(model=sure_bundle, threads=1) as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


def test_every_answer_says_whether_it_reaches_the_threshold(http, sure, expected):
    assert sorted(expected) == [False, True]
    results = http.post("/v1/predict", json={"texts": TEXTS}).json()["results"]
    assert [result["confident"] for result in results] == expected
    results = http.post("/v1/represent", json={"texts": TEXTS}).json()["results"]
    assert [result["confident"] for result in results] == expected
    lines = "".join(f'{{"text": "{text}"}}\n' for text in TEXTS)
    bulk = http.post("/v1/bulk", content=lines, headers={"content-type": "application/x-ndjson"})
    assert [httpx.Response(200, content=line).json()["confident"] for line in bulk.text.splitlines()] == expected
    calibration = http.get("/v1/model").json()["calibration"]
    assert calibration["threshold"] == sure.manifest.calibration.threshold
    assert calibration["target_accuracy"] == 0.95


def test_a_text_that_was_not_read_is_not_confident_says_why_and_is_counted(http):
    def unread():
        text = http.get("/metrics").text
        return float(text.partition('\nsentiment_unread_texts_total{model="tiny"} ')[2].split()[0])

    before = unread()
    (result,) = http.post("/v1/predict", json={"texts": ["привет мир 日本"]}).json()["results"]
    assert result["unknown_count"] == result["token_count"]
    assert result["confident"] is False
    assert "unknown_tokens" in result["reasons"]
    assert unread() == before + 1
    (low,) = (r for r in http.post("/v1/predict", json={"texts": TEXTS}).json()["results"] if not r["confident"])
    assert low["reasons"] == ["low_score"]


def test_every_sentence_says_so_for_itself(http, sure):
    text = "The soup was cold. The movie was terribly exciting!"
    (result,) = http.post("/v1/predict", json={"texts": [text], "sentences": True}).json()["results"]
    assert len(result["sentences"]) == 2
    for sentence in result["sentences"]:
        assert sentence["confident"] is (sentence["score"] >= sure.manifest.calibration.threshold)


def test_the_protocol_has_a_tensor_of_truth_values(http, expected):
    described = {tensor["name"]: tensor for tensor in http.get("/v2/models/tiny").json()["outputs"]}["confident"]
    assert (described["datatype"], described["shape"]) == ("BOOL", [-1])
    body = {
        "inputs": [{"name": "text", "shape": [2], "datatype": "BYTES", "data": TEXTS}],
        "outputs": [{"name": "confident"}],
    }
    (tensor,) = http.post("/v2/models/tiny/infer", json=body).json()["outputs"]
    assert tensor == {"name": "confident", "datatype": "BOOL", "shape": [2], "data": expected}
    body["outputs"][0]["parameters"] = {"binary_data": True}
    response = http.post("/v2/models/tiny/infer", json=body)
    behind = response.content[int(response.headers["inference-header-content-length"]) :]
    assert behind == bytes(expected)  # the extension for binary tensors: one byte each, 1 for true


def test_answers_below_the_threshold_are_counted(http):
    def counted():
        text = http.get("/metrics").text
        return float(text.partition('\nsentiment_unconfident_texts_total{model="tiny"} ')[2].split()[0])

    before = counted()
    http.post("/v1/predict", json={"texts": TEXTS})
    assert counted() - before == 1


def test_a_model_without_a_threshold_does_not_say(client):
    (result,) = client.post("/v1/predict", json={"texts": ["fine"]}).json()["results"]
    assert result["confident"] is None
    assert "confident" not in [tensor["name"] for tensor in client.get("/v2/models/tiny").json()["outputs"]]
    body = {
        "inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["fine"]}],
        "outputs": [{"name": "confident"}],
    }
    response = client.post("/v2/models/tiny/infer", json=body)
    assert response.status_code == 400
    assert "this model has no threshold" in response.json()["error"]
