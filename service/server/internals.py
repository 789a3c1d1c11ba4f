"""Everything that depends on internals of uvicorn and BentoML. ``tests/service/server`` checks what the code relies on.

uvicorn rejects malformed HTTP before any middleware runs, in plain text and uncounted. It keeps a request's head,
however long that grows. Where a request asks for another protocol (``Upgrade: h2c``, as Java's client and
``curl --http2`` do), its parser drops the body. BentoML starts uvicorn without a choice of protocol, so ours is
installed as the default.
"""

import uuid
from typing import ClassVar

import httptools
from bentoml._internal.configuration.containers import BentoMLContainer
from uvicorn import config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import metrics
from service.access_log import access_logger
from service.endpoints import UNLISTED
from service.errors import RequestError

MAX_HEAD_BYTES = 64 * 1024
"""Bytes of a request's line and headers together, and of anything else that the parser has to keep."""

MALFORMED = f"This is not an HTTP/1.1 request, or its head is longer than {MAX_HEAD_BYTES:,} bytes."


class BoundedProtocol(HttpToolsProtocol):
    """One client's connection."""

    access_lines: ClassVar[bool] = True
    keep_alive_seconds: ClassVar[float | None] = None
    _buffered = 0  # bytes that arrived since the parser last completed something

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        if self.keep_alive_seconds is not None:
            self.timeout_keep_alive = self.keep_alive_seconds  # type: ignore[assignment]  # call_later takes both

    def data_received(self, data: bytes) -> None:
        """Parse more of a request, or of the next one."""
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

    def on_headers_complete(self) -> None:
        """The head is complete. A request to upgrade is ignored: the head is read again without it."""
        self._buffered = 0
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body, whose limit is the application's."""
        self._buffered = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._buffered = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

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
        under_way = self.cycle is not None and not self.cycle.response_complete
        if under_way:  # a handler waits for the rest of this body; it ends, and counts, as if its client had left
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (under_way and self.cycle.response_started):  # a response that has begun can only be broken off
            self.transport.write(self._refusal(counted=not under_way))
        self.transport.close()

    def _refusal(self, *, counted: bool) -> bytes:
        error = RequestError("bad_request", MALFORMED)
        request_id = uuid.uuid4().hex
        if counted:
            metrics.requested(UNLISTED.metric, error.status, error=error.code)
        if self.access_lines:
            fields = {"request_id": request_id, "status": error.status, "error": error.code}
            access_logger.info("%s - - %d %s", *fields.values(), extra={"request": fields})
        body = error.body(request_id)
        head = [
            f"HTTP/1.1 {error.status} Bad Request".encode(),
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: application/json",
            f"content-length: {len(body)}".encode(),
            b"x-content-type-options: nosniff",
            b"cache-control: no-store",
            f"x-request-id: {request_id}".encode(),
            b"connection: close",
        ]
        return b"\r\n".join([*head, b"", body])


def install_protocol(*, access_log: bool, keep_alive_seconds: float) -> None:
    """Make this process's uvicorn use ``BoundedProtocol``."""
    BoundedProtocol.access_lines = access_log
    BoundedProtocol.keep_alive_seconds = keep_alive_seconds
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"


def exports_traces() -> bool:
    """Whether BentoML's configuration names an exporter of traces."""
    return BentoMLContainer.config.tracing.exporter_type.get() is not None
