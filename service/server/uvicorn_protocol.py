"""How HTTP is spoken with clients: uvicorn's protocol over httptools, with bounds and answers of ours.

What is no HTTP never reaches an application, so no middleware can answer it: uvicorn does, in plain text, and leaves it
uncounted. And httptools keeps a request's head however long it grows.
"""

import logging
import uuid
from typing import ClassVar

from uvicorn import config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import metrics
from service.endpoints import ELSEWHERE
from service.errors import RequestError

LONGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers together, and of anything else that the parser has to keep."""

MESSAGE = f"This is no HTTP/1.1 request, or its head is longer than {LONGEST_HEAD:,} bytes."

access_logger = logging.getLogger("bentoml.access")


class BoundedProtocol(HttpToolsProtocol):
    """One client's connection."""

    access_lines: ClassVar[bool] = True
    _kept = 0  # bytes that arrived since the parser last had something complete

    def data_received(self, data: bytes) -> None:
        """More of a request, or of the next one."""
        self._kept += len(data)
        super().data_received(data)
        if self._kept > LONGEST_HEAD:
            self.send_400_response(MESSAGE)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._kept = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body, whose limit is the application's."""
        self._kept = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._kept = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words; ours say more
        """Answers in our envelope and closes the connection: where the next request begins is anybody's guess."""
        if self.transport.is_closing():
            return
        under_way = self.cycle is not None and not self.cycle.response_complete
        if under_way:  # a call that waits for the rest of this body; it ends, and is counted, as one whose client left
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if not (under_way and self.cycle.response_started):  # half an answer can only be broken off
            self.transport.write(self._refusal(counted=not under_way))
        self.transport.close()

    def _refusal(self, *, counted: bool) -> bytes:
        error = RequestError("bad_request", MESSAGE)
        request_id = uuid.uuid4().hex
        if counted:
            metrics.requested(ELSEWHERE.name, error.status, error=error.code)
        if self.access_lines:
            access_logger.info("%s - - %d %s", request_id, error.status, error.code)
        body = error.body(request_id)
        head = [
            f"HTTP/1.1 {error.status} Bad Request".encode(),
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: application/json",
            f"content-length: {len(body)}".encode(),
            b"x-content-type-options: nosniff",
            f"x-request-id: {request_id}".encode(),
            b"connection: close",
        ]
        return b"\r\n".join([*head, b"", body])


def install(*, access_log: bool) -> None:
    """Makes this process' uvicorn, which BentoML starts without a word about protocols, speak through this one."""
    BoundedProtocol.access_lines = access_log
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{BoundedProtocol.__name__}"
