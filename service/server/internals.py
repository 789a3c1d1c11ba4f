"""Everything that depends on internals of uvicorn; BentoML's are in ``application.py`` and ``supervisor.py``.

``tests/service/server`` checks what the code relies on.

uvicorn rejects malformed HTTP before any middleware runs, in plain text and uncounted. It keeps a request's head,
however long that grows and however long it takes. Where a request asks for another protocol (``Upgrade: h2c``, as
Java's client and ``curl --http2`` do), its parser drops the body. It closes a connection whose client still sends, so
that the kernel resets it and the client never reads the answer; where a client does not read, it waits forever.
BentoML starts uvicorn without a choice of protocol, so ours is installed as the default.
"""

import asyncio
import logging
import socket
import struct
import uuid
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn import Server, config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.endpoints import UNLISTED
from service.errors import ERRORS, RequestError
from service.monitoring import metrics
from service.monitoring.access_log import access_logger
from service.server.connections import ClosingTransport, ConnectionOptions, connections

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request's line and headers together, and of anything else that the parser has to keep."""

MALFORMED = f"This is not an HTTP/1.1 request, or its head is longer than {MAX_HEAD_BYTES:,} bytes."

TOO_MANY = "Too many connections are open; send this request again a little later."

PROBES = {b"/livez", b"/readyz", b"/healthz", b"/metrics", b"/v2/health/live", b"/v2/health/ready", b"/health"}
"""Paths that are answered however many connections are open; the last is that of ``service.adapters``."""

EXTRA_SECONDS = 2.0
"""How long the head of a request may take on a connection above the maximum."""

RESET = struct.pack("ii", 1, 0)
"""The value of SO_LINGER (socket(7)) with which ``close`` drops what is not sent and resets the connection."""


class BoundedProtocol(HttpToolsProtocol):
    """One client's connection."""

    options: ClassVar[ConnectionOptions] = ConnectionOptions()
    _buffered = 0  # bytes that arrived since the parser last completed something
    _reads_head = False
    _is_extra = False
    _head_timer: asyncio.TimerHandle | None = None
    _closing: ClosingTransport

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.timeout_keep_alive = self.options.keep_alive_seconds  # type: ignore[assignment]  # call_later takes both

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        self._closing = ClosingTransport(transport, self)
        super().connection_made(cast("asyncio.Transport", self._closing))
        self._is_extra = connections.add(self)
        if self._is_extra:
            self._head_timer = self.loop.call_later(EXTRA_SECONDS, self._head_is_late)
        else:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._stop_head_timer()
        self._closing.closed()
        connections.remove(self)
        super().connection_lost(exc)

    def cut_off(self, reason: metrics.CloseReason) -> None:
        """End the connection at once, with what the kernel still keeps for its client."""
        metrics.CLOSED_CONNECTIONS.labels(reason).inc()
        connections.remove(self)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def still_receives(self) -> bool:
        """Whether the request's body is incomplete."""
        return self.cycle is not None and self.cycle.more_body and not self.cycle.disconnected

    def reader_has_stopped(self) -> bool:
        """Whether an answer was given up because the client does not read it."""
        is_incomplete = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        return is_incomplete and self.flow.write_paused

    def close_after_answer(self) -> None:
        """Close the connection after the answer under way, if that has not begun, or after the next."""
        for cycle in (self.cycle, *(cycle for cycle, _ in self.pipeline)):
            if cycle is not None and not cycle.response_started:
                cycle.keep_alive = False

    def data_received(self, data: bytes) -> None:
        """Parse more of a request, or of the next one."""
        if self._closing.lingers:
            return
        connections.works(self)
        self._buffered += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response(MALFORMED)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_again_without_upgrade(data[upgrade.args[0] :])
        else:
            if self._buffered > MAX_HEAD_BYTES:
                self.send_400_response(MALFORMED)
            elif self._head_timer is None and (self._reads_head or not self._is_under_way()):
                # What comes now is a head, or the rest of a body that was refused.
                seconds = self.options.close_seconds if self.still_receives() else self.options.head_seconds
                self._head_timer = self.loop.call_later(seconds, self._head_is_late)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        self._reads_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is complete. A request to upgrade is ignored: the head is read again without it."""
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            message = "the head is too long"  # the parser passes it on as an HttpParserError
            raise ValueError(message)
        self._buffered = 0
        self._reads_head = False
        self._stop_head_timer()
        if self.parser.should_upgrade():
            return
        if self._is_extra and self.url.partition(b"?")[0] not in PROBES:
            self.app = _refuse_connection
        super().on_headers_complete()
        if self._is_extra or connections.are_closed_after_answers:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of the body, whose limit is the application's."""
        self._buffered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._buffered = 0
        self._stop_head_timer()  # of a body that was refused before it was complete
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is complete; wait for the next request."""
        super().on_response_complete()
        if not (self._is_under_way() or self.transport.is_closing()):
            connections.idles(self)

    def _is_under_way(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._is_under_way():
            self.cut_off("head_too_slow")

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _read_again_without_upgrade(self, behind_head: bytes) -> None:
        if self.parser.get_method() == b"CONNECT":  # an upgrade by its method, whatever its headers
            self.send_400_response(MALFORMED)
            return
        version = self.parser.get_http_version().encode()
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(b"\r\n".join([*lines, b"", behind_head]))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - our message is more precise
        """Answer with the envelope and close the connection, as the start of the next request is unknown."""
        if self.transport.is_closing():
            return
        under_way = self._is_under_way()
        if under_way:  # a handler waits for the rest of this body; it ends, and counts, as if its client had left
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (under_way and self.cycle.response_started):  # a response that has begun can only be broken off
            self.transport.write(self._refusal(counted=not under_way))
        self._closing.close_at_once()

    def _refusal(self, *, counted: bool) -> bytes:
        error = RequestError("bad_request", MALFORMED)
        headers, body = _refused(error, counted=counted)
        head = [
            f"HTTP/1.1 {error.status} Bad Request".encode(),
            *(name + b": " + value for name, value in [*self.server_state.default_headers, *headers]),
        ]
        return b"\r\n".join([*head, b"", body])


def _refused(error: RequestError, *, counted: bool = True) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of an answer that the application does not make; it is logged and counted here."""
    request_id = uuid.uuid4().hex
    if counted:
        metrics.requested(UNLISTED.metric, error.status, error=error.code)
    if BoundedProtocol.options.access_log:
        fields = {"request_id": request_id, "status": error.status, "error": error.code}
        access_logger.info("%s - - %d %s", *fields.values(), extra={"request": fields})
    body = error.body(request_id)
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "x-request-id": request_id,
        "connection": "close",
        **ERRORS[error.code].headers,
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()], body


async def _refuse_connection(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer a request on a connection above the maximum (ASGI)."""
    error = RequestError("overloaded", TOO_MANY)
    headers, body = _refused(error)
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def close_after_answers() -> None:
    """Answer with ``Connection: close`` from now on."""
    connections.are_closed_after_answers = True
    for connection in connections.open:
        connection.close_after_answer()


def listening_sockets(handler_of_server: Callable[..., object]) -> Iterator[Any]:
    """The sockets at which a running uvicorn listens, found through its handler of signals."""
    server = getattr(handler_of_server, "__self__", None)
    if isinstance(server, Server):
        for listener in server.servers:
            yield from listener.sockets


def install_protocol(options: ConnectionOptions) -> None:
    """Make this process's uvicorn use ``BoundedProtocol``."""
    BoundedProtocol.options = options
    # BentoML silences the loggers that exist when it starts. This one says that no descriptors are left.
    logging.getLogger("asyncio").disabled = False
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"
