"""What is let in, what is refused at once, and what is given back."""

import asyncio

import pytest

from service.endpoints import set_endpoint
from service.errors import RequestError
from service.middleware.concurrency import ConcurrencyLimiter
from service.middleware.limits import PIECE, RequestLimitMiddleware
from service.middleware.request_context import current_request
from service.routes import TABLE
from service.server.memory import MemoryGuard

LIMIT = 100


class Client:
    """One request's body, chunk by chunk, and what the gate sent to it."""

    def __init__(self, *chunks, delay=0.0, disconnects=False):
        self.sent = []
        self._messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        end = {"type": "http.disconnect"} if disconnects else {"type": "http.request", "body": b"", "more_body": False}
        self._messages.append(end)
        self._delay = delay

    async def receive(self):
        await asyncio.sleep(self._delay)
        return self._messages.pop(0)

    async def send(self, message):
        self.sent.append(message)

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def code(self):
        return self.sent[0]["error"].code


async def answering(_scope, receive, send):
    message = await receive()
    assert not message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def limiter(*, requests=1, streams=1, held=1_000):
    return ConcurrencyLimiter(max_in_flight=requests, max_streams=streams, max_bytes=held)


def ask(client, app=answering, *, room=None, path="/v1/predict", method="POST", headers=(), seconds=5.0):
    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    set_endpoint(scope, TABLE.at(path))
    layer = RequestLimitMiddleware(app, limiter=room or limiter(), max_body_bytes=LIMIT, deadline_seconds=seconds)
    return layer(scope, client.receive, client.send)


def test_the_call_gets_the_whole_body_at_once():
    client = Client(b"one", b"two")
    asyncio.run(ask(client))
    assert [message.get("body") for message in client.sent] == [None, b"onetwo"]


@pytest.mark.parametrize(("size", "status"), [(LIMIT, 200), (LIMIT + 1, 413)])
def test_a_body_is_read_up_to_the_limit(size, status):
    client = Client(b"x" * 60, b"x" * (size - 60))
    asyncio.run(ask(client))
    assert client.status == status


@pytest.mark.parametrize("length", [b"101", b"9" * 10_000])
def test_an_announced_length_is_refused_unread(length):
    client = Client()
    asyncio.run(ask(client, headers=[(b"content-length", length)]))
    assert (client.status, client.code) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("path", "media_type", "status"),
    [
        ("/v1/predict", b"application/json", 200),
        ("/v1/predict", b"application/octet-stream", 415),
        ("/v2/models/a/infer", b"application/octet-stream", 200),
        ("/v2/models/a/versions/1/infer", b"text/plain", 415),
    ],
)
def test_a_body_is_of_a_kind_the_call_can_read(path, media_type, status):
    client = Client(b"x")
    asyncio.run(ask(client, path=path, headers=[(b"content-type", media_type)]))
    assert client.status == status


def test_a_slow_body_is_given_up():
    client = Client(b"x", b"y", delay=0.05)
    asyncio.run(ask(client, seconds=0.01))
    assert (client.status, client.code) == (408, "body_too_slow")


def test_a_client_that_leaves_while_sending_is_answered_nothing():
    client, room = Client(b"x", disconnects=True), limiter()
    asyncio.run(ask(client, room=room))
    assert client.sent == []
    assert room.bytes_held == 0


def test_bodies_together_are_bounded_too():
    client, room = Client(b"x" * 60), limiter(held=200)
    room.reserve(90)  # another request's
    asyncio.run(ask(client, room=room))
    assert (client.status, client.code) == (429, "overloaded")  # a body of 60 bytes takes 120
    assert room.bytes_held == 90


def test_a_request_that_could_never_fit_is_not_told_to_come_again():
    client, room = Client(b"x" * 60), limiter(held=119)
    asyncio.run(ask(client, room=room))
    assert (client.status, client.code) == (422, "too_much_work")
    assert room.bytes_held == 0


def test_a_process_that_is_short_of_memory_refuses_the_body():
    guard = MemoryGuard(100, lambda: 80)
    room = ConcurrencyLimiter(max_in_flight=9, max_streams=9, max_bytes=1000, guard=guard)
    room.reserve(1)
    client = Client(b"x" * 10)
    asyncio.run(ask(client, room=room))
    assert (client.status, client.code) == (429, "overloaded")


def test_an_answer_counts_while_it_is_read():
    room = limiter(held=10_000)
    held = []

    class Reader(Client):
        async def send(self, message):
            await super().send(message)
            held.append(room.bytes_held)

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for size in (1000, 500, 2000):
            await send({"type": "http.response.body", "body": b"x" * size, "more_body": True})

    asyncio.run(ask(Reader(b""), app, room=room))
    assert held == [0, 1000, 1000, 2000]  # pieces follow one another
    assert room.bytes_held == 0


def test_one_request_too_many_is_refused_without_reading_it():
    room = limiter(requests=1)
    release_slot = room.acquire("requests")
    client = Client(b"x")
    asyncio.run(ask(client, room=room))
    assert (client.status, client.code) == (429, "overloaded")
    release_slot()
    release_slot()  # a second time does nothing
    assert room.in_flight == 0
    client = Client(b"x")
    asyncio.run(ask(client, room=room))
    assert client.status == 200


def test_a_place_is_free_again_when_the_answer_is_ready_not_when_it_is_read():
    room = limiter()
    places = []

    async def app(_scope, _receive, send):
        places.append(room.in_flight)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        places.append(room.in_flight)

    asyncio.run(ask(Client(b"x"), app, room=room))
    assert places == [1, 0]


def test_a_place_is_free_again_after_a_failure():
    room = limiter()

    async def failing(_scope, _receive, _send):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(Client(b"x"), failing, room=room))
    assert (room.in_flight, room.bytes_held) == (0, 0)


def test_a_large_answer_goes_out_in_pieces_and_stops_at_a_client_that_reads_nothing():
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x" * (2 * PIECE + 1)})

    client = Client(b"x")
    asyncio.run(ask(client, app))
    assert [len(message["body"]) for message in client.sent[1:]] == [PIECE, PIECE, 1]
    assert [message["more_body"] for message in client.sent[1:]] == [True, True, False]

    class Deaf(Client):
        async def send(self, message):
            await super().send(message)
            if len(self.sent) == 3:
                await asyncio.sleep(60)

    deaf = Deaf(b"x")
    asyncio.run(asyncio.wait_for(ask(deaf, app, seconds=0.05), 5))
    assert len(deaf.sent) == 3


def test_an_answer_that_comes_in_pieces_stops_at_a_client_that_reads_nothing():
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for more in (True, True, False):
            await send({"type": "http.response.body", "body": b"x" if more else b"", "more_body": more})

    class Deaf(Client):
        async def send(self, message):
            await super().send(message)
            if not message.get("more_body", True):
                await asyncio.sleep(60)

    room, deaf = limiter(), Deaf(b"x")
    asyncio.run(asyncio.wait_for(ask(deaf, app, room=room, seconds=0.05), 5))
    assert len(deaf.sent) == 4
    assert room.bytes_held == 0


def test_the_stages_are_named_in_a_header():
    async def app(_scope, _receive, send):
        current_request().stages["inference"] = 0.0125
        await send({"type": "http.response.start", "status": 200, "headers": []})

    client = Client(b"x")
    asyncio.run(ask(client, app))
    assert dict(client.sent[0]["headers"])[b"server-timing"] == b"inference;dur=12.50"


def test_streams_have_places_of_their_own_and_their_body_passes_as_it_comes():
    room = limiter(requests=1, streams=1)
    room.acquire("requests")
    seen = []

    async def app(_scope, receive, send):
        while (message := await receive())["more_body"]:
            seen.append(message["body"])
        second = Client(b"x")
        await ask(second, app, room=room, path="/v1/bulk")
        seen.append(second.status)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    asyncio.run(ask(Client(b"x" * 200, b"y"), app, room=room, path="/v1/bulk"))
    assert seen == [b"x" * 200, b"y", 429]
    assert room.bytes_held == 0
    room.acquire("streams")  # it was given back


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/predict"), ("GET", "/v1/model"), ("GET", "/livez")])
def test_what_computes_nothing_needs_no_place(method, path):
    room = limiter(requests=1)
    room.acquire("requests")
    client = Client()
    asyncio.run(ask(client, room=room, method=method, path=path))
    assert client.status == 200


def test_a_stream_reserves_what_its_lines_may_take():
    room = limiter(streams=2, held=3 * LIMIT)
    seen = []

    async def app(_scope, _receive, _send):
        seen.append(room.bytes_held)
        second = Client(b"x")
        await ask(second, room=room, path="/v1/bulk")
        seen.append(second.status)

    asyncio.run(ask(Client(b"x"), app, room=room, path="/v1/bulk"))
    assert seen == [2 * LIMIT, 429]
    assert room.bytes_held == 0
    room.acquire("streams")  # both places were given back
    room.acquire("streams")


def test_bytes_are_let_go_as_they_were_held():
    room = limiter(held=10)
    room.reserve(10)
    with pytest.raises(RequestError):
        room.reserve(1)
    room.release(10)
    room.reserve(10)
