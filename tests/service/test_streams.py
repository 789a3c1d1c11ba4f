"""A stream under a client that does not behave: nothing piles up, and work without a reader stops."""

import asyncio
import json
import time

import pytest

from model_store import SentimentModel
from service.bulk import BulkHandler
from service.executor import InferenceExecutor
from service.predictor import Predictor
from service.settings import Settings

LINE = b'{"text": "fine"}\n'


@pytest.fixture(scope="module")
def answers(tiny_bundle):
    return Predictor(SentimentModel.load(tiny_bundle), Settings())


class Client:
    """The other end of one request, which sends ``pieces`` and may stop reading after ``reads`` pieces of answers."""

    def __init__(self, *pieces, reads=None):
        self.pieces = list(pieces)
        self.taken = 0
        self.reads = reads
        self.answers = []

    async def receive(self):
        self.taken += 1
        if not self.pieces:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": self.pieces.pop(0), "more_body": bool(self.pieces)}

    async def send(self, message):
        if message["type"] == "http.response.body":
            if self.reads is not None and len(self.answers) >= self.reads:
                await asyncio.Event().wait()
            self.answers.append(message)


def stream(answers, client, *, query=b""):
    scope = {"type": "http", "method": "POST", "path": "/v1/bulk", "headers": [], "query_string": query}

    async def run():
        executor = InferenceExecutor(1)
        await BulkHandler(lambda _: answers, executor, max_line_bytes=1000, stall_seconds=0.2, idle_seconds=0.5)(
            scope, client.receive, client.send
        )
        executor.close()

    asyncio.run(run())
    return [json.loads(line) for message in client.answers for line in message["body"].splitlines()]


def test_a_line_is_answered_before_the_next_one_comes(answers):
    client = Client(LINE, LINE, LINE)
    stream(answers, client)
    assert [message["body"].count(b"\n") for message in client.answers] == [1, 1, 1, 0]


def test_a_client_that_stops_reading_is_not_read_from_and_is_given_up(answers):
    client = Client(*[LINE] * 1000, reads=2)
    stream(answers, client)
    assert client.taken == 3
    assert client.answers[-1]["more_body"]  # broken off, not ended as if it were complete


def test_a_client_that_goes_away_in_the_middle_is_left(answers):
    client = Client(LINE, LINE)
    client.pieces.append(b"")
    original = client.receive

    async def receive():
        message = await original()
        return {"type": "http.disconnect"} if client.taken == 3 else message

    client.receive = receive
    assert len(stream(answers, client)) == 2
    assert client.answers[-1]["more_body"]


def silent_after(client):
    """The client, which sends nothing more after its last piece, and does not end its body."""
    original = client.receive

    async def receive():
        if not client.pieces:
            await asyncio.Event().wait()
        return {**await original(), "more_body": True}

    client.receive = receive
    return client


@pytest.mark.parametrize("pieces", [(), (LINE, LINE), (LINE, b'{"text": ')])
def test_a_silent_stream_ends_with_a_line_that_says_so(answers, pieces):
    client = silent_after(Client(*pieces))
    lines = stream(answers, client)
    answered = sum(piece == LINE for piece in pieces)
    assert (lines[-1]["index"], lines[-1]["code"]) == (answered, "stream_idle")
    assert len(lines) == answered + 1
    assert not client.answers[-1].get("more_body")  # a proper end


@pytest.mark.parametrize("crumb", [b"\n", b" "])
def test_bytes_that_complete_no_line_do_not_keep_a_stream(answers, crumb):
    async def receive():
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": crumb, "more_body": True}

    client = Client()
    client.receive = receive
    assert [line["code"] for line in stream(answers, client)] == ["stream_idle"]


def test_a_stream_whose_answers_take_long_is_not_silent(answers, monkeypatch):
    results = Predictor.results

    def slow(self, texts, options):
        time.sleep(0.6)  # longer than a client may be silent
        return results(self, texts, options)

    monkeypatch.setattr(Predictor, "results", slow)
    assert [line["index"] for line in stream(answers, Client(LINE, LINE))] == [0, 1]


def test_a_group_is_bounded_by_its_tokens_and_by_its_lines(answers):
    line = json.dumps({"text": "fine " * 100}).encode() + b"\n"
    client = Client(line * 100)
    assert [one["index"] for one in stream(answers, client)] == list(range(100))
    sizes = [message["body"].count(b"\n") for message in client.answers[:-1]]
    assert sizes == [41, 41, 18]  # 4,096 tokens are reached with the 41st text of 100
    client = Client(b"no json\n" * 1200)
    stream(answers, client)
    assert [message["body"].count(b"\n") for message in client.answers[:-1]] == [512, 512, 176]


def test_our_own_failure_is_that_groups_and_the_stream_goes_on(answers, monkeypatch, caplog):
    results = Predictor.results
    calls = []

    def fail_once(self, texts, options):
        calls.append(texts)
        if len(calls) == 2:
            message = "a secret"
            raise RuntimeError(message)
        return results(self, texts, options)

    monkeypatch.setattr(Predictor, "results", fail_once)
    first, second, third = stream(answers, Client(LINE, LINE, LINE))
    assert (first["label"], third["label"]) == (third["label"], first["label"])
    assert (second["index"], second["code"]) == (1, "internal_error")
    assert "secret" not in second["message"]
    assert "1 lines of a stream failed" in caplog.text
