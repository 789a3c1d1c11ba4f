"""BentoML's own client against a real server, as the README shows it."""

import base64

import bentoml
import numpy as np
import pytest


@pytest.fixture(scope="module")
def sentiment(server):
    with bentoml.SyncHTTPClient(server.url) as client:
        yield client


def test_predict(sentiment, model):
    answer = sentiment.predict({"texts": ["The soup was cold.", ""]})
    (result,) = answer["results"]
    assert result["label"] == model.predict(["The soup was cold."])[0].label
    assert (result["tokens"], result["sentences"]) == (None, None)
    assert [error["code"] for error in answer["errors"]] == ["empty_text"]


def test_predict_as_the_documents_of_bentoml_call_it(sentiment):
    texts = ["The soup was cold.", "fine"]
    assert sentiment.predict(texts=texts) == sentiment.predict({"texts": texts})
    (result,) = sentiment.predict(texts=["fine"], explain=True, sentences=True)["results"]
    assert [token["text"] for token in result["tokens"]] == ["fine"]
    assert len(result["sentences"]) == 1
    assert sentiment.represent(texts=["fine"], layers=[1])["results"][0]["representations"][0]["layer"] == 1


def test_reasons_and_sentences(sentiment):
    text = "The soup was cold. Fine!"
    (result,) = sentiment.predict({"texts": [text], "explain": True, "sentences": True})["results"]
    assert [token["text"] for token in result["tokens"]] == ["The", "soup", "was", "cold", ".", "Fine", "!"]
    assert [text[sentence["start"] : sentence["end"]] for sentence in result["sentences"]] == [
        "The soup was cold.",
        "Fine!",
    ]


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_represent(sentiment, model, encoding):
    (result,) = sentiment.represent({"texts": ["fine"], "encoding": encoding})["results"]
    (representation,) = result["representations"]
    data = representation["data"]
    if encoding == "base64":
        data = np.frombuffer(base64.b64decode(data), "<f4").reshape(representation["shape"])
    np.testing.assert_allclose(np.array(data), model.represent(["fine"])[0].representations[2], atol=1e-6)


def test_an_error_is_an_exception_that_carries_the_envelope(sentiment):
    with pytest.raises(bentoml.exceptions.BentoMLException, match="at least 1 item") as caught:
        sentiment.predict({"texts": []})
    assert caught.value.error_code == 422
    with pytest.raises(bentoml.exceptions.BentoMLException, match="at least 1 item"):
        sentiment.predict(texts=[])
    with pytest.raises(TypeError, match="explian"):
        sentiment.predict(texts=["fine"], explian=True)
