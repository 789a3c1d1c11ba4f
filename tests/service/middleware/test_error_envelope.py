"""The envelope around any application, also one that fails in ways BentoML does not."""

import asyncio
import json
import logging

from service.errors import RequestError
from service.middleware.error_envelope import CLIENT_GONE, ErrorEnvelopeMiddleware
from service.routes import TABLE


def call(app, *, method="POST", path="/v1/predict", headers=(), body=(b"{}",)):
    """Runs one request through the envelope and returns what was sent to the server."""
    sent = []
    chunks = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in body]
    chunks.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive():
        return chunks.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    asyncio.run(ErrorEnvelopeMiddleware(app, table=TABLE)(scope, receive, send))
    return sent


def answering(status, *chunks, headers=()):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def error_of(sent):
    start, body = sent
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    return start["status"], json.loads(body["body"])["error"]["code"]


def test_a_good_response_passes_chunk_by_chunk():
    sent = call(answering(200, b"one", b"two"))
    assert [message.get("body") for message in sent] == [None, b"one", b"two", b""]
    assert b"x-request-id" in dict(sent[0]["headers"])


def test_an_exception_becomes_an_answer():
    async def app(_scope, _receive, _send):
        raise ZeroDivisionError

    assert error_of(call(app)) == (500, "internal_error")


def test_an_exception_after_the_first_chunk_breaks_the_answer_off():
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ZeroDivisionError

    sent = call(app)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[-1]["more_body"]


def test_an_exception_amid_an_error_does_not_replace_the_envelope():
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 404, "headers": []})
        raise ZeroDivisionError

    assert error_of(call(app)) == (404, "not_found")


def test_a_status_the_table_does_not_know_is_kept_with_its_headers():
    sent = call(answering(507, b"busy", headers=[(b"retry-after", b"3"), (b"content-type", b"text/plain")]))
    assert error_of(sent) == (507, "internal_error")
    headers = dict(sent[0]["headers"])
    assert headers[b"retry-after"] == b"3"
    assert headers[b"content-type"] == b"application/json"


def test_an_endless_error_body_is_not_kept():
    assert error_of(call(answering(500, *[b"x" * 65_536] * 100))) == (500, "internal_error")


def test_an_error_brings_its_headers():
    sent = call(answering(429))
    assert error_of(sent) == (429, "overloaded")
    assert dict(sent[0]["headers"])[b"retry-after"] == b"1"


def test_an_error_says_when_to_come_again():
    sent = call(RequestError("overloaded", retry_after=7).response())
    assert error_of(sent) == (429, "overloaded")
    assert dict(sent[0]["headers"])[b"retry-after"] == b"7"


def test_a_client_that_has_gone_is_answered_nothing():
    assert call(answering(CLIENT_GONE)) == []


def test_the_access_log_has_one_line_whatever_the_path(caplog):
    with caplog.at_level(logging.INFO, logger="bentoml.access"):
        call(answering(200), path="/a\nforged", headers=[(b"x-request-id", b"mine")])
        call(answering(200), path="/livez")
    (record,) = caplog.records
    assert record.getMessage().startswith("mine POST '/a\\nforged' 200 - ")


def test_other_scopes_pass_untouched():
    seen = []

    async def app(scope, _receive, _send):
        seen.append(scope["type"])

    asyncio.run(ErrorEnvelopeMiddleware(app, table=TABLE)({"type": "lifespan"}, None, None))
    assert seen == ["lifespan"]
