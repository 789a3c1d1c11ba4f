"""Small requests that come together are computed together, and each gets its own."""

import asyncio
from functools import partial

import numpy as np
import pytest

from model_store import SentimentModel
from service.middleware.request_context import current_request, request_variable
from service.middleware.together import FEW, LOOK_AGAIN, MOST_TOKENS, Together, predict_together

TEXTS = ("The soup was cold.", "A warm, funny evening.", "fine", "Not bad at all, and the music was good.")


class Spied:
    """A model that notes how many texts each of its runs had."""

    def __init__(self, model):
        self.model = model
        self.runs = []
        self.tokenize = model.tokenize
        self.error = None

    def predict_tokenized(self, texts, **options):
        self.runs.append(len(texts))
        if self.error is not None:
            raise self.error
        return self.model.predict_tokenized(texts, **options)


@pytest.fixture
def model(tiny_8_bit_bundle):
    return Spied(SentimentModel.load(tiny_8_bit_bundle))


def nothing():
    """Let every request go on."""


def ask(model, *texts, explain=False, layers=()):
    """What a request computes: it asks the model for some texts."""
    tokenized = [model.tokenize(text) for text in texts]
    return predict_together(model, tokenized, explain=explain, layers=layers, before_each_run=nothing)


def run(*functions, together=None):
    """Each function as one of several requests at the same time."""
    together = together or Together()

    async def all_of_them():
        return await asyncio.gather(*(together.run(function) for function in functions), return_exceptions=True)

    return asyncio.run(all_of_them())


def test_what_is_asked_at_the_same_time_is_computed_in_one_run_and_shared_out(model):
    requests = [partial(ask, model, *TEXTS[:2]), partial(ask, model, TEXTS[2]), partial(ask, model, TEXTS[3])]
    found = [prediction for predictions in run(*requests) for prediction in predictions]
    assert model.runs == [4]
    for text, prediction in zip(TEXTS, found, strict=True):
        (alone,) = model.model.predict([text])
        assert prediction.text.text == text
        np.testing.assert_array_equal(prediction.logits, alone.logits)


def test_other_options_are_another_run(model):
    options = [{"explain": explain, "layers": layers} for explain in (False, True) for layers in ((), (1,))]
    requests = [partial(ask, model, "fine", **chosen) for chosen in options]
    answers = run(*requests, *requests)
    assert model.runs == [2, 2, 2, 2]
    assert [predictions[0].contributions is not None for predictions in answers] == [False, False, True, True] * 2
    assert [list(predictions[0].representations) for predictions in answers] == [[], [1], [], [1]] * 2


def test_one_turn_of_the_loop_computes_so_many_tokens_at_most(model):
    long = " ".join(["fine"] * (MOST_TOKENS // 2 - 1))
    run(*[partial(ask, model, long)] * 5)
    assert model.runs == [2, 2, 1]


def test_a_request_may_ask_more_than_once(model):
    def twice():
        return ask(model, "fine")[0].label, ask(model, "cold")[0].label

    expected = tuple(answer.label for answer in model.model.predict(["fine", "cold"]))
    assert run(twice, twice) == [expected] * 2
    assert model.runs == [2, 2]


def test_each_request_keeps_its_context(model):
    def whose():
        before = current_request()
        ask(model, "fine")
        return before, current_request()

    async def request(number, together):
        request_variable.set(number)
        return await together.run(whose)

    async def three():
        together = Together()
        return await asyncio.gather(*(request(number, together) for number in (1, 2, 3)))

    assert asyncio.run(three()) == [(1, 1), (2, 2), (3, 3)]


def test_an_error_of_the_run_is_raised_where_each_request_asked(model):
    model.error = MemoryError("no room")

    def careful():
        with pytest.raises(MemoryError, match="no room"):
            ask(model, "fine")
        return "answered"

    caught, raised = run(careful, partial(ask, model, "fine"))
    assert caught == "answered"
    assert raised is model.error


def test_an_error_of_one_request_is_its_own(model):
    def fails():
        ask(model, "fine")
        raise ValueError

    error, answer = run(fails, partial(ask, model, "fine"))
    assert isinstance(error, ValueError)
    assert len(answer) == 1


def test_a_request_that_is_given_up_harms_no_other(model):
    async def one_leaves():
        together = Together()
        leaving, staying = (asyncio.ensure_future(together.run(partial(ask, model, "fine"))) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        return len(await staying), leaving.cancelled()

    assert asyncio.run(one_leaves()) == (1, True)
    assert model.runs == [1]


def test_after_few_requests_the_next_ones_do_not_look_for_company_and_after_many_they_do(model):
    together = Together()
    request = partial(ask, model, "fine")
    run(*[request] * FEW, together=together)
    run(*[request] * (LOOK_AGAIN + FEW + 1), together=together)
    run(*[request] * (FEW + 1), together=together)
    assert model.runs == [FEW] + [1] * LOOK_AGAIN + [FEW + 1, FEW + 1]


def test_in_a_thread_a_request_asks_by_itself(model):
    assert len(ask(model, "fine")) == 1
