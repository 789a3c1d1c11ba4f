"""Waiting for an answer: its turn, its deadline, and a client that leaves."""

import asyncio
import threading
import time
from functools import partial
from threading import Event
from types import SimpleNamespace

import pytest

from model_store import SentimentModel
from service.errors import ClientGoneError, RequestError
from service.executor import INLINE_BYTES, WATCH_AFTER_SECONDS, InferenceExecutor
from service.middleware.concurrency import ConcurrencyLimiter
from service.middleware.request_context import RequestContext, current_request, request_variable
from service.middleware.turns import Turn
from service.middleware.workload import LARGE_BYTES, Job
from service.predictor import Predictor
from service.schemas import PredictRequest, RepresentRequest
from service.settings import Settings

ROOM = ConcurrencyLimiter(max_in_flight=1, max_streams=1, max_bytes=10**6)


async def stays():
    await asyncio.sleep(60)


async def leaves():
    await asyncio.sleep(2 * WATCH_AFTER_SECONDS)
    return {"type": "http.disconnect"}


def run(*functions, seconds=30.0, receive=stays, room=ROOM, size=INLINE_BYTES + 1):
    """Gives one thread several things to do for as many requests at once."""

    async def one(inference, function):
        work = RequestContext(room, seconds=seconds, receive=receive)
        work.start_clock()
        request_variable.set(work)
        return await inference.run(function, size=size)

    async def together():
        inference = InferenceExecutor(1)
        try:
            return await asyncio.gather(*(one(inference, function) for function in functions), return_exceptions=True)
        finally:
            inference.close()

    return asyncio.run(together())


def test_a_thread_knows_whose_work_it_does():
    def work():
        return current_request()

    first, second = run(work, work)
    assert first != second
    assert current_request() not in {first, second}


@pytest.mark.parametrize(("size", "in_the_loop"), [(INLINE_BYTES, True), (INLINE_BYTES + 1, False)])
def test_only_a_short_request_is_computed_in_the_event_loop(size, in_the_loop):
    async def answer():
        work = RequestContext(ROOM, seconds=30)
        work.start_clock()
        request_variable.set(work)
        inference = InferenceExecutor(1)
        try:
            return await inference.run(threading.current_thread, size=size), work
        finally:
            inference.close()

    thread, work = asyncio.run(answer())
    assert (thread is threading.main_thread()) == in_the_loop
    assert list(work.stages) == ["queue", "encode"]


def test_a_short_request_past_its_deadline_is_not_computed():
    computed = []

    async def answer():
        work = RequestContext(ROOM, seconds=-1)
        work.start_clock()
        request_variable.set(work)
        await InferenceExecutor(1).run(lambda: computed.append(1), size=1)

    with pytest.raises(RequestError) as refused:
        asyncio.run(answer())
    assert refused.value.code == "deadline_exceeded"
    assert computed == []


def test_what_waits_past_the_deadline_is_never_computed():
    computed = []
    slow, queued = run(lambda: time.sleep(0.3), lambda: computed.append(1), seconds=0.1)
    assert isinstance(slow, RequestError)
    assert (slow.code, queued.code) == ("deadline_exceeded", "deadline_exceeded")
    assert computed == []


def goes_on_until(event):
    """Work in many pieces, as a large request is."""
    while not event.is_set():
        time.sleep(0.001)
        current_request().check()
    return current_request()


@pytest.mark.parametrize("size", [INLINE_BYTES + 1, LARGE_BYTES + 1])
def test_a_request_in_many_pieces_lets_another_one_go_first(size):
    done = Event()
    large, _ = run(lambda: goes_on_until(done), done.set, size=size)
    assert large.stages["queue"] > 0  # what it waited for its turns is not counted as computing
    assert sum(large.stages.values()) < 30


def test_a_part_of_a_stream_lets_a_request_go_first():
    done = Event()

    async def both():
        inference = InferenceExecutor(1)
        part = inference.run_part(lambda: goes_on_until(done), current_request(), Turn(inference.turns))
        stream = asyncio.create_task(part)
        await asyncio.sleep(0.05)
        request = RequestContext(ROOM, seconds=30)
        request.start_clock()
        request_variable.set(request)
        await inference.run(done.set, size=INLINE_BYTES + 1)
        await stream
        inference.close()

    asyncio.run(asyncio.wait_for(both(), 30))


def test_large_requests_are_begun_a_few_at_a_time():
    begun, done = [], Event()

    def work(name):
        begun.append(name)
        if len(begun) == 4:
            time.sleep(0.1)  # a fifth would begin now
            assert len(begun) == 4
            done.set()
        goes_on_until(done)
        return name

    names = run(*(partial(work, name) for name in range(8)), size=LARGE_BYTES + 1)
    assert names == list(range(8))


def test_what_would_be_late_is_refused_before_it_is_begun():
    done = Event()
    begun = []

    async def one(inference, function):
        request = RequestContext(ROOM, seconds=10.1)
        request.start_clock()
        request_variable.set(request)
        return await inference.run(function, size=30_000)

    async def together():
        inference = InferenceExecutor(1)
        known = RequestContext(ROOM, seconds=10.1)
        known.tokens, known.knows_tokens, known.turn = 1000, True, SimpleNamespace(seconds=1.0)
        inference.workload.learn(Job(4_000, known))
        first = asyncio.create_task(one(inference, lambda: goes_on_until(done)))  # 7.5 seconds
        await asyncio.sleep(0)
        with pytest.raises(RequestError) as refused:
            await asyncio.create_task(one(inference, lambda: begun.append(1)))  # both of them 15
        done.set()
        await first
        inference.close()
        return refused.value

    refused = asyncio.run(together())
    assert (refused.code, refused.headers["retry-after"]) == ("overloaded", "7")
    assert begun == []


@pytest.mark.parametrize(("receive", "seconds", "error"), [(leaves, 30, ClientGoneError), (stays, 0.1, RequestError)])
def test_work_stops_when_nobody_waits(receive, seconds, error):
    stopped = Event()

    def work():
        while True:
            time.sleep(0.005)
            try:
                current_request().check()
            except RequestError:
                stopped.set()
                raise

    (result,) = run(work, receive=receive, seconds=seconds)
    assert isinstance(result, error)
    assert stopped.wait(5)


def test_the_stages_of_an_answer(tiny_bundle):
    settings = Settings()
    predictor = Predictor(SentimentModel.load(tiny_bundle), settings)

    def work():
        predictor.predict(PredictRequest(texts=["fine", "cold"]))
        return current_request()

    (done,) = run(work)
    assert list(done.stages) == ["queue", "tokenize", "inference", "encode"]
    assert all(seconds >= 0 for seconds in done.stages.values())
    assert done.tokens == 2


@pytest.fixture(scope="module")
def limited(tiny_bundle):
    """At most 10 tokens and 500 numbers a request; the tiny model has 24 numbers a token and layer."""
    settings = Settings(max_request_tokens=10, max_request_numbers=500)
    return Predictor(SentimentModel.load(tiny_bundle), settings)


@pytest.mark.parametrize(("texts", "code"), [(["fine"] * 10, None), (["fine"] * 11, "too_much_work")])
def test_all_tokens_of_a_request_are_bounded(limited, texts, code):
    (result,) = run(lambda: limited.predict(PredictRequest(texts=texts)))
    assert getattr(result, "code", None) == code
    assert code is None or result.param == "texts"


def test_numbers_within_their_limit(limited):
    (result,) = run(lambda: limited.represent(RepresentRequest(texts=["fine"] * 10, layers=[1, 2, -1])))
    assert len(result.results) == 10  # 10 x 24 x 2 numbers: a repeated layer is answered, and counted, once


def test_numbers_beyond_their_limit(tiny_bundle):
    settings = Settings(max_request_numbers=479)  # one less than 10 x 24 x 2
    predictor = Predictor(SentimentModel.load(tiny_bundle), settings)
    (result,) = run(lambda: predictor.represent(RepresentRequest(texts=["fine"] * 10, layers=[1, 2])))
    assert (result.code, result.param) == ("too_much_work", "texts")
    assert "480" in result.message


def test_a_thread_reserves_nothing_for_a_request_that_is_over():
    room = ConcurrencyLimiter(max_in_flight=1, max_streams=1, max_bytes=1000)
    context = RequestContext(room, seconds=5)
    context.reserve(100)
    assert context.finish() == 100
    with pytest.raises(RequestError, match="not ready in time"):
        context.reserve(100)
    assert room.bytes_held == 0


def test_an_answer_that_has_no_room_is_refused(tiny_bundle):
    settings = Settings()
    predictor = Predictor(SentimentModel.load(tiny_bundle), settings)
    room = ConcurrencyLimiter(max_in_flight=1, max_streams=1, max_bytes=100_000)
    room.reserve(97_900)  # 2,053 bytes are reserved for the text, and then 24 numbers of 5 bytes do not fit
    (result,) = run(lambda: predictor.represent(RepresentRequest(texts=["fine"])), room=room)
    assert result.code == "overloaded"
