"""Groups of texts: in order, bounded, and read no further than needed."""

from itertools import count

import pytest

from model_store import SentimentModel, TextError
from model_store.scoring.groups import answer_group, token_groups


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


def tokenized(model, *texts):
    return [model.tokenize(text) for text in texts]


def test_a_group_ends_with_the_text_that_fills_it(model):
    texts = tokenized(model, "a b", "c d", "e", "f")
    assert list(token_groups(texts, max_tokens=4)) == [texts[:2], texts[2:]]


def test_a_group_has_at_most_so_many_members_whatever_they_are():
    assert list(token_groups(["bad"] * 5, max_texts=2)) == [["bad", "bad"], ["bad", "bad"], ["bad"]]


def test_no_text_after_a_full_group_is_read(model):
    read = []
    texts = (read.append(number) or model.tokenize("one two three") for number in count())
    next(token_groups(texts, max_tokens=6))
    assert read == [0, 1]


def test_answers_stand_in_the_places_of_their_texts(model):
    texts = tokenized(model, "good", "bad")
    error = TextError("empty_text", "nothing")
    answers = answer_group([texts[0], error, texts[1]], lambda group: [text.text.upper() for text in group])
    assert answers == ["GOOD", error, "BAD"]
