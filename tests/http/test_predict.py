"""POST /v1/predict answers what the model answers."""

import pytest

from service.schemas import PredictResponse

TEXTS = ["The movie was terribly exciting!", "The soup was cold.", "fine"]


def predict(client, **request):
    response = client.post("/v1/predict", json=request)
    assert response.status_code == 200, response.text
    PredictResponse.model_validate_json(response.content)
    return response.json()


def test_the_answer_is_the_models_answer(client, model):
    answer = predict(client, texts=TEXTS)
    for index, (result, direct) in enumerate(zip(answer["results"], model.predict(TEXTS), strict=True)):
        assert result == {
            "index": index,
            "label": direct.label,
            "score": direct.score,
            "confident": direct.confident,
            "reasons": list(direct.reasons),
            "scores": direct.scores,
            "polarity": direct.polarity,
            "token_count": direct.token_count,
            "unknown_count": direct.unknown_count,
            "truncated": False,
            "tokens": None,
            "mixed": None,
            "sentences": None,
        }
    assert answer["errors"] == []
    assert answer["model"] == {
        "name": model.manifest.name,
        "version": model.manifest.version,
        "sha256": model.sha256,
    }


def test_explained_tokens_are_the_models_and_add_up_to_its_scores(client, model):
    (result,) = predict(client, texts=TEXTS[:1], explain=True)["results"]
    (direct,) = model.predict(TEXTS[:1], explain=True)
    assert [token["text"] for token in result["tokens"]] == [token.text for token in direct.tokens]
    for position, label in enumerate(model.manifest.labels):
        total = sum(token["contributions"][label.name] for token in result["tokens"]) + label.bias
        assert total == pytest.approx(float(direct.logits[position]), abs=1e-5)


def test_every_sentence_has_a_sentiment_of_its_own(client, model):
    text = "🎉 The movie was terribly exciting! The soup was cold."
    (result,) = predict(client, texts=[text], sentences=True)["results"]
    surfaces = [text[sentence["start"] : sentence["end"]] for sentence in result["sentences"]]
    assert surfaces[1] == "The soup was cold."
    assert result["mixed"] is model.predict([text], sentences=True)[0].mixed
    for surface, sentence in zip(surfaces, result["sentences"], strict=True):
        assert sentence["scores"] == pytest.approx(model.predict([surface])[0].scores, abs=1e-5)


def test_offsets_count_code_points(client):
    text = "🎉 e\u0301té 👩‍👩‍👧 fine"
    (result,) = predict(client, texts=[text], explain=True)["results"]
    assert result["tokens"][-1]["text"] == "fine"
    for token in result["tokens"]:
        assert text[token["start"] : token["end"]] == token["text"]


def test_a_bad_text_has_its_error_and_the_others_their_answers(client):
    answer = predict(client, texts=["fine", "", "   ", "bad " * 1001, "cold"])
    assert [result["index"] for result in answer["results"]] == [0, 4]
    assert [(error["index"], error["code"]) for error in answer["errors"]] == [
        (1, "empty_text"),
        (2, "empty_text"),
        (3, "too_many_characters"),
    ]
    assert all(error["message"] for error in answer["errors"])


def test_only_bad_texts_is_still_an_answer(client):
    answer = predict(client, texts=["", ""])
    assert answer["results"] == []
    assert len(answer["errors"]) == 2


def test_a_text_gets_the_same_answer_alone_and_among_others(client):
    together = predict(client, texts=TEXTS)["results"]
    for text, beside in zip(TEXTS, together, strict=True):
        (alone,) = predict(client, texts=[text])["results"]
        assert alone["label"] == beside["label"]
        assert alone["scores"] == pytest.approx(beside["scores"], abs=1e-5)


def test_a_long_text_is_cut_where_asked(client, model):
    limit = model.manifest.limits.max_tokens
    text = "cold " + "fine " * (limit - 1) + "soup"
    (end,) = predict(client, texts=[text], explain=True)["results"]
    (start,) = predict(client, texts=[text], explain=True, truncate="start")["results"]
    assert end["truncated"]
    assert start["truncated"]
    assert end["token_count"] == start["token_count"] == limit
    assert (end["tokens"][0]["text"], start["tokens"][-1]["text"]) == ("cold", "soup")
    never = predict(client, texts=[text], truncate="never")
    assert [error["code"] for error in never["errors"]] == ["too_many_tokens"]


@pytest.mark.parametrize("text", ["a\u0000b", "\u202efine\u200b", "\ufffd\uffff", "ﬁne", "fine\r\n\tfine"])
def test_strange_characters_are_answered_with_true_offsets(client, text):
    answer = predict(client, texts=[text], explain=True)
    assert len(answer["results"]) + len(answer["errors"]) == 1
    for result in answer["results"]:
        for token in result["tokens"]:
            assert text[token["start"] : token["end"]] == token["text"]
