"""The outermost layer: request id, error envelope, access log and request metrics."""

import logging
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.endpoints import EndpointTable, endpoint_of, set_endpoint
from service.errors import RequestError, error_of
from service.monitoring import metrics
from service.monitoring.access_log import RequestRecord, log_request, record_variable
from service.schemas import ErrorCode, ProtocolError

REQUEST_ID = b"x-request-id"
ACCEPTABLE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
"""Ids that are taken over from a client: printable, short, and harmless in a log line."""

CLIENT_GONE = 499
"""nginx's status for a request whose client closed the connection; only in the log and the metrics."""

logger = logging.getLogger(__name__)


class ErrorEnvelopeMiddleware:
    """Gives every request an id, finds its endpoint, and gives every error its endpoint's form. It never raises."""

    def __init__(self, app: ASGIApp, *, table: EndpointTable, access_log: bool = True) -> None:
        self._app = app
        self._table = table
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        set_endpoint(scope, self._table.at(scope["path"], scope["method"]))
        record = RequestRecord()
        reply = _Reply(scope, send, record)

        async def receive_counted() -> Message:
            message = await receive()
            record.bytes_received += len(message.get("body", b""))
            return message

        token = record_variable.set(record)
        try:
            await self._app(scope, receive_counted, reply.send)
        except Exception:
            logger.exception("request %s failed", reply.request_id)
            await reply.fail(RequestError("internal_error"))
        finally:
            record_variable.reset(token)
            self._record(scope, reply, time.perf_counter() - started)

    def _record(self, scope: Scope, reply: "_Reply", seconds: float) -> None:
        endpoint = endpoint_of(scope)
        metrics.requested(endpoint.metric or endpoint.path, reply.status, seconds=seconds, error=reply.error)
        if self._access_log and endpoint.logged:
            log_request(
                reply.record,
                request_id=reply.request_id,
                client=client[0] if (client := scope.get("client")) else None,
                method=scope["method"],
                path=scope["path"],
                status=reply.status,
                error=reply.error,
                seconds=seconds,
            )


class _Reply:
    """Sends a response: unchanged if it is a success, as the envelope if it is an error.

    Attributes:
        status: what was sent; ``CLIENT_GONE`` until then.
        error: the code of the error that was sent.
        record: counts the bytes that were sent.
    """

    def __init__(self, scope: Scope, send: Send, record: RequestRecord) -> None:
        self.request_id = _request_id(Headers(scope=scope))
        self.status = CLIENT_GONE
        self.error: ErrorCode | None = None
        self.record = record
        self._send = send
        self._has_body = scope["method"] != "HEAD"
        # Also what is not in the table has the protocol's form there.
        is_open_inference = scope["path"].startswith("/v2")
        self._form = open_inference_error if is_open_inference else endpoint_of(scope).error_form
        self._started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] == CLIENT_GONE:
                self._started = True
            elif message["status"] >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                await self.fail(error_of(message), status=message["status"], headers=Headers(raw=message["headers"]))
            else:
                message["headers"] = [*message["headers"], (REQUEST_ID, self.request_id.encode())]
                self._started = True
                self.status = message["status"]
                await self._send(message)
        elif self._started and self.status < 400:  # noqa: PLR2004
            self.record.bytes_sent += len(message.get("body", b""))
            await self._send(message)

    async def fail(self, error: RequestError, *, status: int | None = None, headers: Headers | None = None) -> None:
        """Answer with the envelope. A response that has begun can only be broken off."""
        if self._started:
            return
        self._started = True
        self.status, body = self._form(error, status or error.status, self.request_id)
        self.error = error.code
        start: Message = {"type": "http.response.start", "status": self.status, "headers": []}
        outgoing = MutableHeaders(scope=start)
        outgoing.update(headers or {})
        outgoing.update(error.headers)
        outgoing["content-type"] = "application/json"
        outgoing["content-length"] = str(len(body))
        outgoing[REQUEST_ID.decode()] = self.request_id
        await self._send(start)
        sent = body if self._has_body else b""
        self.record.bytes_sent += len(sent)
        await self._send({"type": "http.response.body", "body": sent})


def open_inference_error(error: RequestError, status: int, _: str) -> tuple[int, bytes]:
    """The error as the clients of the Open Inference Protocol expect it."""
    return status, ProtocolError(error=error.message).model_dump_json().encode()


def _request_id(headers: Headers) -> str:
    proposed = headers.get("x-request-id", "")
    return proposed if ACCEPTABLE_REQUEST_ID.fullmatch(proposed) else uuid.uuid4().hex
