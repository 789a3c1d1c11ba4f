"""OpenAI's embeddings, checked against ``SentimentModel.embed``."""

import base64

import numpy as np
import pytest

TEXTS = ["The soup was cold.", "Très bien 🎉 fine"]


def post(client, **body):
    return client.post("/v1/embeddings", json={"model": "tiny", **body})


@pytest.mark.parametrize("given", [TEXTS[0], TEXTS])
def test_numbers(client, model, given):
    expected = [given] if isinstance(given, str) else given
    answer = post(client, input=given, encoding_format="float").json()
    assert [one["index"] for one in answer["data"]] == list(range(len(expected)))
    assert np.array_equal(np.float32([one["embedding"] for one in answer["data"]]), model.embed(expected))
    tokens = sum(len(model.tokenize(text)) for text in expected)
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (answer["object"], answer["data"][0]["object"], answer["model"]) == ("list", "embedding", "tiny")


def test_base64_is_little_endian_float32(client, model):
    answer = post(client, input=TEXTS, encoding_format="base64", dimensions=48, user="me").json()
    vectors = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in answer["data"]]
    assert np.array_equal(vectors, model.embed(TEXTS))


def test_many_long_texts_are_pooled_group_by_group(start, model):
    texts = [f"{word} " * 390 for word in ("fine", "cold", "soup") * 12]  # 14,040 tokens, of which a group has 4,096
    with start(adapters="openai", max_request_numbers=24 * 1_000) as client:  # less than the representations have
        answer = post(client, input=texts)
    vectors = np.float32([one["embedding"] for one in answer.json()["data"]])
    assert np.allclose(vectors, model.embed(texts), atol=1e-6)


@pytest.mark.parametrize(
    ("body", "status", "code", "part"),
    [
        ({"input": [1, 2, 3]}, 400, "invalid_request", "tokens of another model's vocabulary cannot be read"),
        ({"input": [[1, 2], [3]]}, 400, "invalid_request", "tokens of another model's vocabulary cannot be read"),
        ({"input": []}, 400, "invalid_request", "a string or a list of strings"),
        ({"input": ["fine", ""]}, 400, "bad_request", "text 1: the text has no tokens"),
        ({"input": "fine " * 500}, 400, "bad_request", "500 tokens and the limit is 400"),
        ({"input": "fine", "dimensions": 16}, 400, "bad_request", "48 dimensions"),
        ({"input": "fine", "encoding_format": "hex"}, 400, "invalid_request", "'float' or 'base64'"),
        ({"input": "fine", "model": "text-embedding-3-small"}, 404, "model_not_found", "this server has tiny"),
    ],
)
def test_an_error_has_openais_form_and_names_its_cause(client, body, status, code, part):
    answer = post(client, **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, code, "invalid_request_error")
    assert part in error["message"]
