"""API keys, and cross-origin requests."""

from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.endpoints import Body, endpoint_of
from service.errors import RequestError
from service.middleware.concurrency import Kind
from service.middleware.keys import ApiKey, KeyRing
from service.monitoring.access_log import current_record


class ApiKeyMiddleware:
    """Refuses requests without a valid key, except to endpoints whose entry needs none, and those beyond its quota.

    Args:
        app: the application.
        keys: the valid ones.
        places: how many requests and streams there may be at the same time.
    """

    def __init__(self, app: ASGIApp, *, keys: KeyRing, places: Mapping[Kind, int]) -> None:
        self._app = app
        self._keys = keys
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http" or not endpoint_of(scope).needs_key:
            await self._app(scope, receive, send)
        elif key := self._keys.find(_key(Headers(scope=scope))):
            await self._answer(key, scope, receive, send)
        else:
            await RequestError("unauthorized").response()(scope, receive, send)

    async def _answer(self, key: ApiKey, scope: Scope, receive: Receive, send: Send) -> None:
        record = current_record()
        record.key = key.name
        if endpoint_of(scope).body is Body.NONE:  # costs next to nothing
            await self._app(scope, receive, send)
            return
        kind: Kind = "streams" if endpoint_of(scope).body is Body.STREAM else "requests"
        try:
            key.check()
            give_back = key.take_place(kind, of=self._places[kind])
        except RequestError as error:
            await error.response()(scope, receive, send)
            return
        key.charge(requests=1)
        texts = tokens = 0

        async def charge_and_send(message: Message) -> None:
            nonlocal texts, tokens
            if kind == "requests":  # the answer is ready, however slowly it is read
                give_back()
            key.charge(texts=record.texts - texts, tokens=record.tokens - tokens)
            texts, tokens = record.texts, record.tokens
            await send(message)

        try:
            await self._app(scope, receive, charge_and_send)
        finally:
            give_back()


def _key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def cors(origins: Sequence[str]) -> Middleware:
    """Allow requests from pages of these origins. A key is a header, not a cookie: no credentials."""
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
        expose_headers=["Retry-After", "Server-Timing", "X-Request-ID"],
    )
