"""Limits in front of all handlers: on the body, on concurrent requests, and on the bytes they hold.

A slot is acquired when the body is complete, so that slow senders hold none, and released when the answer is ready, so
that slow readers hold none.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.endpoints import UNLISTED, Body, endpoint_of
from service.errors import RequestError
from service.middleware.concurrency import ConcurrencyLimiter
from service.middleware.request_context import OnStage, RequestContext, request_variable
from service.monitoring import metrics
from service.server.memory import HeapTrimmer
from service.settings import BODY_COPIES

PIECE = 256 * 1024
"""Bytes of an answer that are handed to the server at once, so that it waits for a client that reads slowly."""

STREAM_LINES = 2
"""Lines of the greatest length whose memory a stream reserves: for the line that arrives, and for answers."""


class _StalledError(Exception):
    """The client does not read its answer."""


class RequestLimitMiddleware:
    """Limits concurrent requests. Rejections are sent as responses, not raised.

    An endpoint that is not in the table is refused with 404.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        limiter: ConcurrencyLimiter,
        max_body_bytes: int,
        deadline_seconds: float,
        on_stage: OnStage | None = None,
    ) -> None:
        self._app = app
        self._on_stage = on_stage
        self._limiter = limiter
        self._max_body_bytes = max_body_bytes
        self._seconds = deadline_seconds
        self._trimmer = HeapTrimmer()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        endpoint = endpoint_of(scope)
        if endpoint is UNLISTED:
            await RequestError("not_found").response()(scope, receive, send)
        elif scope["method"] != "POST" or endpoint.body is Body.NONE:
            await self._app(scope, receive, send)
        elif endpoint.body is Body.WHOLE:
            await self._handle_request(scope, receive, send)
        else:
            await self._handle_stream(scope, receive, send)

    async def _handle_stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = STREAM_LINES * self._max_body_bytes
        try:
            release_slot = self._limiter.acquire("streams")
            try:
                self._limiter.reserve(held)
            except RequestError:
                release_slot()
                raise
        except RequestError as error:
            await error.response()(scope, receive, send)
            return
        metrics.STREAMS.inc()
        try:
            await self._app(scope, receive, send)
        finally:
            metrics.STREAMS.dec()
            release_slot()
            self._limiter.release(held)

    async def _handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = RequestContext(self._limiter, seconds=self._seconds, receive=receive, on_stage=self._on_stage)
        try:
            try:
                _check_media_type(scope)
                self._check_announced_length(Headers(scope=scope).get("content-length", ""))
                body = await self._body(receive, context)
                if body is None:
                    return
                release_slot = self._limiter.acquire("requests")
            except RequestError as error:
                await error.response()(scope, receive, send)
                return
            self._update_gauges()
            answer = _Answer(send, context, partial(self._release, release_slot), self._seconds)
            await self._answer(scope, body, receive, answer)
        finally:
            self._trimmer.freed(context.finish())
            metrics.BYTES_HELD.set(self._limiter.bytes_held)
            metrics.staged(context.stages)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, answer: "_Answer") -> None:
        answer.context.start_clock()
        token = request_variable.set(answer.context)
        try:
            await self._app(scope, _replaying(body, receive), answer.send)
        except _StalledError:
            return  # the server closes the connection after an incomplete answer
        finally:
            request_variable.reset(token)
            answer.release()

    def _check_announced_length(self, announced: str) -> None:
        # No limit has as many digits as are looked at, and Python refuses to read thousands of them.
        if announced.isdecimal() and int(announced[:18]) > self._max_body_bytes:
            raise self._too_large()

    async def _body(self, receive: Receive, context: RequestContext) -> bytes | None:
        """The whole body, or None if the client disconnected.

        Raises:
            RequestError: it is too large or too slow, or the process is overloaded.
        """
        self._limiter.check_capacity()
        try:
            async with asyncio.timeout(self._seconds):
                return await self._read(receive, context)
        except TimeoutError:
            raise RequestError("body_too_slow") from None

    async def _read(self, receive: Receive, context: RequestContext) -> bytes | None:
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
            context.reserve(BODY_COPIES * len(chunk))
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)

    def _too_large(self) -> RequestError:
        message = f"The body is larger than {self._max_body_bytes:,} bytes; send fewer texts in one request."
        return RequestError("body_too_large", message)

    def _release(self, release_slot: Callable[[], None]) -> None:
        release_slot()
        self._update_gauges()

    def _update_gauges(self) -> None:
        metrics.IN_FLIGHT.set(self._limiter.in_flight)
        metrics.BYTES_HELD.set(self._limiter.bytes_held)


class _Answer:
    """Sends an answer: releases the request's slot, adds ``Server-Timing``, and waits for a slow reader."""

    def __init__(self, send: Send, context: RequestContext, release: Callable[[], None], seconds: float) -> None:
        self.context = context
        self.release = release
        self._send = send
        self._seconds = seconds
        self._held = 0  # bytes of the largest piece so far
        self._is_streamed = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.release()
            if self.context.stages:
                MutableHeaders(scope=message)["server-timing"] = self.context.server_timing()
        body = message.get("body", b"")
        if len(body) > self._held:
            self.context.hold(len(body) - self._held)
            self._held = len(body)
        self._is_streamed = self._is_streamed or message.get("more_body", False)
        if len(body) <= PIECE:
            await (self._send_piece if self._is_streamed else self._send)(message)
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


def _check_media_type(scope: Scope) -> None:
    headers = Headers(scope=scope)
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    allowed = endpoint_of(scope).media_types
    if media_type not in allowed or headers.get("content-encoding", "identity") != "identity":
        raise RequestError("unsupported_media_type")


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Return the body that has been read, and then what the server sends."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
