"""In front of every call that computes: its body is read within limits, and it takes a place or is refused at once.

A place is taken when the body is complete, so that slow senders take none, and given back when the answer is ready, so
that slow readers keep none. What both hold in memory counts towards one limit on bytes.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import metrics
from service.endpoints import Body, body_of, endpoint_at
from service.errors import RequestError
from service.middleware.admission import Admission
from service.middleware.request_context import OnStage, Work, work_under_way

PIECE = 256 * 1024
"""Answers are handed to the server in pieces of so many bytes, so that it waits for a client that reads slowly."""


class _StalledError(Exception):
    """The client takes nothing of its answer."""


class Gate:
    """Lets in what the process has room for. It never raises."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        admission: Admission,
        max_body_bytes: int,
        deadline_seconds: float,
        on_stage: OnStage | None = None,
    ) -> None:
        self._app = app
        self._on_stage = on_stage
        self._admission = admission
        self._max_body_bytes = max_body_bytes
        self._seconds = deadline_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        body = body_of(scope) if scope["type"] == "http" else Body.NONE
        if body is Body.WHOLE:
            await self._admit(scope, receive, send)
        elif body is Body.STREAM:
            await self._admit_stream(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            leave = self._admission.enter("streams")
        except RequestError as error:
            await error.response()(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            leave()

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        work = Work(self._admission, seconds=self._seconds, receive=receive, on_stage=self._on_stage)
        try:
            try:
                _refuse_media_type(scope)
                self._refuse_length(Headers(scope=scope).get("content-length", ""))
                body = await self._body(receive, work)
                if body is None:
                    return
                leave = self._admission.enter("requests")
            except RequestError as error:
                await error.response()(scope, receive, send)
                return
            self._gauge()
            await self._answer(scope, body, receive, _Answer(send, work, partial(self._leave, leave), self._seconds))
        finally:
            work.let_go()
            metrics.BYTES_HELD.set(self._admission.bytes_held)
            metrics.staged(work.stages)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, answer: "_Answer") -> None:
        answer.work.start_clock()
        token = work_under_way.set(answer.work)
        try:
            await self._app(scope, _replaying(body, receive), answer.send)
        except _StalledError:
            return  # an answer that is not completed makes the server close the connection
        finally:
            work_under_way.reset(token)
            answer.leave()

    def _refuse_length(self, announced: str) -> None:
        # No limit has as many digits as are looked at, and Python refuses to read thousands of them.
        if announced.isdecimal() and int(announced[:18]) > self._max_body_bytes:
            raise self._too_large()

    async def _body(self, receive: Receive, work: Work) -> bytes | None:
        """The whole body, or None when the client went away.

        Raises:
            RequestError: it is too large or too slow, or there is no room for it.
        """
        self._admission.refuse_if_full()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(receive, work)
        except TimeoutError:
            raise RequestError("body_too_slow") from None

    async def _read(self, receive: Receive, work: Work) -> bytes | None:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > self._max_body_bytes:
                raise self._too_large()
            work.hold(len(chunk))
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> RequestError:
        message = f"The body is larger than {self._max_body_bytes:,} bytes; send fewer texts in one request."
        return RequestError("body_too_large", message)

    def _leave(self, leave: Callable[[], None]) -> None:
        leave()
        self._gauge()

    def _gauge(self) -> None:
        metrics.IN_FLIGHT.set(self._admission.in_flight)
        metrics.BYTES_HELD.set(self._admission.bytes_held)


class _Answer:
    """An answer on its way out: it gives the request's place back, names its stages, and waits for a slow reader."""

    def __init__(self, send: Send, work: Work, leave: Callable[[], None], seconds: float) -> None:
        self.work = work
        self.leave = leave
        self._send = send
        self._seconds = seconds

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.leave()
            if self.work.stages:
                MutableHeaders(scope=message)["server-timing"] = self.work.server_timing()
        body = message.get("body", b"")
        if len(body) <= PIECE:
            await self._send(message)
            return
        last = (len(body) - 1) // PIECE * PIECE
        for start in range(0, len(body), PIECE):
            more = start < last or message.get("more_body", False)
            await self._send_piece({**message, "body": body[start : start + PIECE], "more_body": more})

    async def _send_piece(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._send(message)
        except TimeoutError:
            raise _StalledError from None


def _refuse_media_type(scope: Scope) -> None:
    headers = Headers(scope=scope)
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    allowed = endpoint_at(scope["path"]).media_types
    if media_type not in allowed or headers.get("content-encoding", "identity") != "identity":
        raise RequestError("unsupported_media_type")


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Hands out the body that has been read, and then what the server has to say."""
    rest: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return rest.pop() if rest else await receive()

    return replay
