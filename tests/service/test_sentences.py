"""Sentences in answers: read as if each had come alone, and only of what was read."""

import pytest

from model_store import SentimentModel
from service.predictor import Predictor
from service.schemas import PredictRequest
from service.settings import Settings


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="module")
def shipped():
    return SentimentModel.load("default")


def test_a_sentence_is_read_as_if_it_had_come_alone(shipped):
    texts = ["The movie was terribly exciting! But the end was flat. Not bad, then.", "Only one sentence here."]
    answer = Predictor(shipped, Settings()).predict(PredictRequest(texts=texts, sentences=True))
    assert [len(result.sentences) for result in answer.results] == [3, 1]
    for text, result in zip(texts, answer.results, strict=True):
        for sentence in result.sentences:
            (alone,) = shipped.predict([text[sentence.start : sentence.end]])
            assert sentence.label == alone.label
            assert sentence.scores == pytest.approx(alone.scores, abs=1e-5)
            assert sentence.polarity == pytest.approx(alone.polarity, abs=1e-5)


def test_sentences_come_only_when_asked_for(shipped):
    (result,) = Predictor(shipped, Settings()).predict(PredictRequest(texts=["Fine. Cold."])).results
    assert result.sentences is None


@pytest.mark.parametrize("truncate", ["end", "start"])
def test_of_a_text_that_is_too_long_only_what_was_read_has_sentences(model, truncate):
    text = "fine cold. " * 400  # three tokens each, and the limit is 400
    (result,) = (
        Predictor(model, Settings())
        .predict(PredictRequest(texts=[text], sentences=True, explain=True, truncate=truncate))
        .results
    )
    assert result.truncated
    assert (result.sentences[0].start, result.sentences[-1].end) == (result.tokens[0].start, result.tokens[-1].end)
    assert len(result.sentences) == 134  # 400 tokens are 133 sentences and a third
