"""Text Embeddings Inference's form: flat for one text, nested for a batch, with its statuses and error types."""

import numpy as np
import pytest

from service.adapters.tei import error_form
from service.errors import ERRORS, RequestError
from tests.service.adapters.conftest import MAX_TEXTS

TEXTS = ["The soup was cold.", "Très bien 🎉 fine"]
LONG = "cold " * 300 + "fine " * 200  # the model reads 400 tokens


def labels(prediction, values=None):
    """Labels and scores, the highest first, as Text Embeddings Inference sorts them."""
    scores = dict(zip(prediction.scores, values, strict=True)) if values is not None else prediction.scores
    return [
        {"label": label, "score": pytest.approx(score, abs=1e-6)}
        for label, score in sorted(scores.items(), key=lambda pair: -pair[1])
    ]


@pytest.mark.parametrize("inputs", [TEXTS[0], [TEXTS[0]]])
def test_one_text_gets_a_flat_list(client, model, inputs):
    (prediction,) = model.predict(TEXTS[:1])
    assert client.post("/predict", json={"inputs": inputs}).json() == labels(prediction)


def test_a_batch_gets_a_list_of_lists(client, model):
    answer = client.post("/predict", json={"inputs": [[text] for text in TEXTS]}).json()
    assert answer == [labels(prediction) for prediction in model.predict(TEXTS)]


def test_raw_scores_are_logits(client, model):
    (prediction,) = model.predict(TEXTS[:1])
    answer = client.post("/predict", json={"inputs": TEXTS[0], "raw_scores": True}).json()
    assert answer == labels(prediction, prediction.logits.tolist())


@pytest.mark.parametrize(
    ("options", "truncate"),
    [
        ({"truncate": True}, "end"),
        ({"truncate": True, "truncation_direction": "Left"}, "start"),
        ({"truncate": True, "truncation_direction": "left"}, "start"),
    ],
)
def test_a_long_text_is_cut_if_that_is_requested(client, model, options, truncate):
    (prediction,) = model.predict([LONG], truncate=truncate)
    assert client.post("/predict", json={"inputs": LONG, **options}).json() == labels(prediction)


@pytest.mark.parametrize(
    ("inputs", "status", "part"),
    [
        (["good", "bad"], 413, "not pairs"),
        ([["fine"], ["good", "bad"]], 413, "not pairs"),
        (LONG, 413, "500 tokens and the limit is 400"),
        ("", 413, "text 0: the text has no tokens"),
        ([["fine"]] * (MAX_TEXTS + 1), 413, f"one request may hold {MAX_TEXTS}"),
        (["a", "b", "c"], 422, "a list of lists of one string"),
        ([["a", "b", "c"]], 422, "a list of lists of one string"),
        ([], 422, "a list of lists of one string"),
        ([[1]], 422, "a list of lists of one string"),
        (None, 422, "a list of lists of one string"),
    ],
)
def test_what_cannot_be_answered_is_a_validation_error(client, inputs, status, part):
    answer = client.post("/predict", json={"inputs": inputs})
    assert (answer.status_code, answer.json()["error_type"]) == (status, "Validation")
    assert part in answer.json()["error"]


def test_options_that_only_text_embeddings_inference_knows_are_ignored(client):
    assert client.post("/predict", json={"inputs": "fine", "prompt_name": "query"}).status_code == 200


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("overloaded", 429, "Overloaded"),
        ("not_ready", 503, "Unhealthy"),
        ("internal_error", 424, "Backend"),
        ("deadline_exceeded", 424, "Backend"),
        ("body_too_large", 413, "Validation"),
    ],
)
def test_errors_have_its_statuses_and_types(code, status, kind):
    given, body = error_form(RequestError(code), ERRORS[code].status, "id")
    assert given == status
    assert f'"error_type":"{kind}"'.encode() in body


@pytest.mark.parametrize("inputs", [TEXTS[0], TEXTS])
def test_vectors_are_those_of_embed_scaled_to_length_1(client, model, inputs):
    expected = model.embed([inputs] if isinstance(inputs, str) else inputs)
    vectors = client.post("/embed", json={"inputs": inputs, "normalize": False}).json()
    assert np.allclose(vectors, expected, atol=1e-6)
    vectors = client.post("/embed", json={"inputs": inputs}).json()
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True), atol=1e-6)


def test_info_has_the_model_and_the_limits(client, model):
    info = client.get("/info").json()
    assert (info["model_id"], info["model_sha"]) == ("tiny", model.sha256)
    assert info["model_type"] == {
        "classifier": {
            "id2label": {"0": "negative", "1": "neutral", "2": "positive"},
            "label2id": {"negative": 0, "neutral": 1, "positive": 2},
        }
    }
    assert (info["max_input_length"], info["max_client_batch_size"], info["auto_truncate"]) == (400, MAX_TEXTS, False)


def test_health_follows_readiness(client, monkeypatch):
    assert client.get("/health").status_code == 200
    monkeypatch.setattr(client.app.state.served.shutdown, "has_begun", True)
    assert client.get("/health").status_code == 503
