"""Around every request: an id, one envelope for whatever goes wrong inside, a line in the log, and its count."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.endpoints import endpoint_at
from service.errors import ERRORS, ClientGoneError, RequestError, recognise
from service.schemas import ErrorCode

REQUEST_ID = "x-request-id"
ACCEPTABLE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""What a client may name its request: printable, short, and harmless in a log line."""

LONGEST_ERROR_BODY = 64 * 1024
"""Of an error response made elsewhere, at most this much is read for what it means."""

CLIENT_GONE = 499
"""Nginx' status for a request whose client closed the connection. Only the log and the metrics see it."""

QUIET_PATHS = ("/livez", "/readyz", "/healthz", "/metrics", "/v2/health/live", "/v2/health/ready")
"""What machines ask all the time leaves no line in the access log."""

logger = logging.getLogger(__name__)
access_logger = logging.getLogger("bentoml.access")  # under "bentoml", whose lines BentoML writes out


class Envelope:
    """Gives every request an id and every error the same shape.

    It never raises: an exception that leaves a middleware would leave BentoML's client without an answer.
    """

    def __init__(self, app: ASGIApp, *, access_log: bool = True) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        reply = _Reply(
            send,
            request_id=_request_id(Headers(scope=scope)),
            has_body=scope["method"] != "HEAD",
            in_protocol=scope["path"].startswith("/v2"),
        )
        try:
            await self._app(scope, receive, reply.pass_on)
        except RequestError as error:
            await reply.fail(error)
        except ClientGoneError:
            pass  # there is nobody to answer
        except Exception:
            logger.exception("request %s failed", reply.request_id)
            await reply.fail(RequestError("internal_error"))
        finally:
            self._note(scope, reply, time.perf_counter() - started)

    def _note(self, scope: Scope, reply: "_Reply", seconds: float) -> None:
        metrics.requested(endpoint_at(scope["path"]).name, reply.status, seconds=seconds, error=reply.error)
        if self._access_log and scope["path"] not in QUIET_PATHS:
            # repr, because a path may hold a line's end; cut, because it may be long.
            path = repr(scope["path"][:200])
            access_logger.info(
                "%s %s %s %d %s %.1f ms",
                reply.request_id, scope["method"], path, reply.status, reply.error or "-", 1000 * seconds,
            )  # fmt: skip


class _Reply:
    """The response on its way out: passed through when it is good, held back and rewritten when it is not."""

    def __init__(self, send: Send, *, request_id: str, has_body: bool, in_protocol: bool) -> None:
        self.request_id = request_id
        self._in_protocol = in_protocol
        self.status = CLIENT_GONE  # until there is an answer
        self.error: ErrorCode | None = None
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
            self.status = message["status"]
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
        self.status = status or error.status
        self.error = error.code
        body = error.protocol_body() if self._in_protocol else error.body(self.request_id)
        start: Message = {"type": "http.response.start", "status": self.status, "headers": []}
        outgoing = MutableHeaders(scope=start)
        outgoing.update(headers or {})
        outgoing.update(ERRORS[error.code].headers)
        outgoing["content-type"] = "application/json"
        outgoing["content-length"] = str(len(body))
        outgoing["x-content-type-options"] = "nosniff"
        outgoing[REQUEST_ID] = self.request_id
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body if self._has_body else b""})

    async def _rewrite(self, held: Message) -> None:
        if held["status"] == CLIENT_GONE:
            return
        error = recognise(held["status"], self._held_body)
        # A schema error comes as 400 and leaves as 422; a status that the table does not know keeps its own.
        known = error.code not in {"bad_request", "internal_error"}
        await self.fail(error, status=None if known else held["status"], headers=Headers(raw=held["headers"]))


def _request_id(headers: Headers) -> str:
    given = headers.get(REQUEST_ID, "")
    return given if ACCEPTABLE_REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
