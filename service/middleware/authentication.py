"""Who may call: API keys, and pages of other origins."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.endpoints import endpoint_at
from service.errors import RequestError


class ApiKeys:
    """Refuses calls without a key. Probes and the pages' own files need none, see ``service.endpoints``."""

    def __init__(self, app: ASGIApp, *, keys: Sequence[str]) -> None:
        self._app = app
        # Of equal length, so that comparing them tells nothing of the keys' lengths either.
        self._digests = [sha256(key.encode()).digest() for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        if scope["type"] != "http" or endpoint_at(scope["path"]).open or self._may(Headers(scope=scope)):
            await self._app(scope, receive, send)
        else:
            await RequestError("unauthorized").response()(scope, receive, send)

    def _may(self, headers: Headers) -> bool:
        given = sha256(_key(headers).encode("latin-1")).digest()  # headers arrive decoded as latin-1
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]  # always all of them
        return any(matches)


def _key(headers: Headers) -> str:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def cors(origins: Sequence[str]) -> Middleware:
    """Lets pages of these origins call. A key is a header, not a cookie, so credentials are not allowed."""
    return Middleware(
        CORSMiddleware,
        allow_origins=list(origins),
        allow_methods=["GET", "POST"],
        allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
        expose_headers=["Retry-After", "Server-Timing", "X-Request-ID"],
    )
