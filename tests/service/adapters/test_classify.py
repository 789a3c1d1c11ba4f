"""The forms of Hugging Face's pipelines, vLLM and infinity for the same labels and scores."""

import time

import pytest

TEXTS = ["The soup was cold.", "Très bien 🎉 fine"]
LONG = "fine " * 500  # the model reads 400 tokens


def labels(prediction):
    """Labels and scores, the highest first."""
    pairs = sorted(prediction.scores.items(), key=lambda pair: -pair[1])
    return [{"label": label, "score": pytest.approx(score, abs=1e-6)} for label, score in pairs]


@pytest.fixture(scope="module")
def infinity(start):
    with start(adapters="infinity") as client:
        yield client


@pytest.mark.parametrize("inputs", [TEXTS[0], TEXTS])
def test_hugging_face_gets_a_list_of_lists_also_for_one_text(client, model, inputs):
    expected = [labels(one) for one in model.predict([inputs] if isinstance(inputs, str) else inputs)]
    assert client.post("/", json={"inputs": inputs, "options": {"wait_for_model": True}}).json() == expected


def test_hugging_face_options(client, model):
    best, other = model.predict(TEXTS)
    answer = client.post("/", json={"inputs": TEXTS, "parameters": {"top_k": 1}}).json()
    assert answer == [labels(best)[:1], labels(other)[:1]]
    answer = client.post("/", json={"inputs": TEXTS[0], "parameters": {"function_to_apply": "none"}}).json()
    assert sorted(one["score"] for one in answer[0]) == pytest.approx(sorted(best.logits.tolist()), abs=1e-6)
    answer = client.post("/", json={"inputs": LONG, "parameters": {"truncation": True}}).json()
    assert answer == [labels(*model.predict([LONG]))]


@pytest.mark.parametrize(
    ("body", "status", "part"),
    [
        ({"inputs": LONG}, 400, "the limit is 400"),
        ({"inputs": {"text": "a", "text_pair": "b"}}, 422, "inputs: Input should be a string, or a list"),
        ({"inputs": "fine", "parameters": {"function_to_apply": "sigmoid"}}, 422, "'softmax' or 'none'"),
    ],
)
def test_hugging_face_errors_are_one_sentence(client, body, status, part):
    answer = client.post("/", json=body)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert part in answer.json()["error"]


@pytest.mark.parametrize("given", [TEXTS[0], TEXTS])
def test_vllm_gets_probabilities_in_the_order_of_the_labels(client, model, given):
    predictions = model.predict([given] if isinstance(given, str) else given)
    answer = client.post("/classify", json={"model": "tiny", "input": given}).json()
    assert answer["data"] == [
        {
            "index": index,
            "label": prediction.label,
            "probs": pytest.approx(list(prediction.scores.values()), abs=1e-6),
            "num_classes": 3,
        }
        for index, prediction in enumerate(predictions)
    ]
    assert (answer["object"], answer["model"], answer["id"][:9]) == ("list", "tiny", "classify-")
    assert abs(answer["created"] - time.time()) < 60
    tokens = sum(prediction.token_count for prediction in predictions)
    assert answer["usage"] == {
        "prompt_tokens": tokens,
        "total_tokens": tokens,
        "completion_tokens": 0,
        "prompt_tokens_details": None,
    }


def test_vllm_options(client, model):
    (prediction,) = model.predict(TEXTS[:1])
    for name in ("use_activation", "activation"):
        answer = client.post("/classify", json={"input": TEXTS[0], name: False}).json()
        assert answer["data"][0]["probs"] == pytest.approx(prediction.logits.tolist(), abs=1e-6)
    answer = client.post("/classify", json={"input": LONG, "truncate_prompt_tokens": -1}).json()
    assert answer["usage"]["total_tokens"] == 400


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"input": [1, 2, 3]}, 400, "invalid_request", "input"),
        ({"input": "fine", "truncate_prompt_tokens": 7}, 400, "invalid_request", "truncate_prompt_tokens"),
        ({"input": "fine", "model": "another"}, 404, "model_not_found", "model"),
        ({"input": LONG}, 400, "bad_request", None),
    ],
)
def test_vllm_errors_have_openais_form(client, body, status, code, param):
    answer = client.post("/classify", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


@pytest.mark.parametrize("model_name", ["tiny", "tiny:1", "default/not-specified", None])
def test_infinity_gets_labels_and_scores(infinity, model, model_name):
    predictions = model.predict(TEXTS)
    body = {"input": TEXTS, "model": model_name} if model_name else {"input": TEXTS}
    answer = infinity.post("/classify", json=body).json()
    assert answer["data"] == [labels(prediction) for prediction in predictions]
    tokens = sum(prediction.token_count for prediction in predictions)
    assert answer["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    assert (answer["object"], answer["model"], answer["id"][:9]) == ("classify", "tiny", "infinity-")


def test_infinity_cuts_long_texts_and_gives_logits(infinity, model):
    (prediction,) = model.predict([LONG])
    answer = infinity.post("/classify", json={"input": [LONG], "raw_scores": True}).json()
    assert sorted(one["score"] for one in answer["data"][0]) == pytest.approx(sorted(prediction.logits), abs=1e-5)


def test_infinity_refuses_another_model(infinity):
    answer = infinity.post("/classify", json={"input": TEXTS, "model": "another"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
