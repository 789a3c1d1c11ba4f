"""Around every request: an id, a limit on its body, and one envelope for whatever goes wrong inside."""

import logging
import re
import uuid
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import RequestError, recognise

REQUEST_ID = "x-request-id"
ACCEPTABLE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""What a client may name its request: printable, short, and harmless in a log line."""

LONGEST_ERROR_BODY = 64 * 1024
"""Of an error response made elsewhere, at most this much is read for what it means."""

JSON_PATHS: Sequence[str] = ("/v1/predict", "/v1/represent")

logger = logging.getLogger(__name__)


class Envelope:
    """Gives every request an id and every error the same shape.

    It never raises: an exception that leaves a middleware would leave BentoML's client waiting until its timeout.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        reply = _Reply(send, request_id=_request_id(headers), has_body=scope["method"] != "HEAD")
        if refusal := self._refusal(scope, headers):
            await reply.fail(refusal)
            return
        body = _LimitedBody(receive, self._max_body_bytes)
        try:
            await self._app(scope, body.receive, _replacing(reply, body))
        except RequestError as error:
            await reply.fail(error)
        except Exception:
            logger.exception("request %s failed", reply.request_id)
            await reply.fail(RequestError("internal_error"))

    def _refusal(self, scope: Scope, headers: Headers) -> RequestError | None:
        """Why a request is not worth reading, as far as its headers tell."""
        if scope["method"] != "POST" or scope["path"] not in JSON_PATHS:
            return None
        media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
        if media_type != "application/json" or headers.get("content-encoding", "identity") != "identity":
            return RequestError("unsupported_media_type")
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_body_bytes:
            return _too_large(self._max_body_bytes)
        return None


class _LimitedBody:
    """The request's body, which stops being read when it grows past the limit."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._read = 0
        self.error: RequestError | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            self.error = _too_large(self._limit)
            raise self.error
        return message


class _Reply:
    """The response on its way out: passed through when it is good, held back and rewritten when it is not."""

    def __init__(self, send: Send, *, request_id: str, has_body: bool) -> None:
        self.request_id = request_id
        self._send = send
        self._has_body = has_body
        self._started = False
        self._held: Message | None = None
        self._held_body = b""

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                self._held = message
                return
            MutableHeaders(scope=message)[REQUEST_ID] = self.request_id
            self._started = True
        elif self._held is not None:
            if len(self._held_body) < LONGEST_ERROR_BODY:
                self._held_body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._rewrite(self._held)
            return
        await self._send(message)

    async def fail(self, error: RequestError, *, status: int | None = None, headers: Headers | None = None) -> None:
        """Answers with the envelope, unless an answer is already under way: that one can only be broken off."""
        if self._started:
            return
        self._started = True
        self._held = None
        body = error.body(self.request_id)
        start: Message = {"type": "http.response.start", "status": status or error.status, "headers": []}
        outgoing = MutableHeaders(scope=start)
        outgoing.update(headers or {})
        outgoing["content-type"] = "application/json"
        outgoing["content-length"] = str(len(body))
        outgoing["x-content-type-options"] = "nosniff"
        outgoing[REQUEST_ID] = self.request_id
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body if self._has_body else b""})

    async def _rewrite(self, held: Message) -> None:
        error = recognise(held["status"], self._held_body)
        # A schema error comes as 400 and leaves as 422; a status that the table does not know keeps its own.
        known = error.code not in {"bad_request", "internal_error"}
        await self.fail(error, status=None if known else held["status"], headers=Headers(raw=held["headers"]))


def _replacing(reply: _Reply, body: _LimitedBody) -> Send:
    """What the application sends, unless it only reports that it could not read the body."""

    async def send(message: Message) -> None:
        if body.error is not None:
            await reply.fail(body.error)
        else:
            await reply.pass_on(message)

    return send


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID, "")
    return given if ACCEPTABLE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _too_large(limit: int) -> RequestError:
    return RequestError("body_too_large", f"The body is larger than {limit:,} bytes; send fewer texts in one request.")
