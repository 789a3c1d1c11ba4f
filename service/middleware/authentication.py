"""API keys, and cross-origin requests."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.endpoints import endpoint_of
from service.errors import RequestError
from service.monitoring.access_log import current_record


class ApiKeyMiddleware:
    """Refuses requests without a valid key, except to endpoints whose entry needs none.

    Args:
        app: the application.
        keys: names, which the access log shows, and keys.
    """

    def __init__(self, app: ASGIApp, *, keys: Sequence[tuple[str, str]]) -> None:
        self._app = app
        # Digests have equal lengths, so that comparing them does not reveal the length of a key.
        self._digests = [(name, sha256(key.encode()).digest()) for name, key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        if scope["type"] != "http" or not endpoint_of(scope).needs_key:
            await self._app(scope, receive, send)
        elif name := self._name_of_key(Headers(scope=scope)):
            current_record().key = name
            await self._app(scope, receive, send)
        else:
            await RequestError("unauthorized").response()(scope, receive, send)

    def _name_of_key(self, headers: Headers) -> str | None:
        digest_of_key = sha256(_key(headers).encode("latin-1")).digest()  # headers arrive decoded as latin-1
        # Always compared with all of them, so that the time does not tell which one matches.
        matches = [name for name, digest in self._digests if hmac.compare_digest(digest_of_key, digest)]
        return matches[0] if matches else None


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
