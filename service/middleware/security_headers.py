"""Security headers of every response."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.endpoints import endpoint_of

SECURITY_HEADERS = {
    # Only files of this service, no inline code, no frame around the page.
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
FILE_OF_PAGE = "no-cache"
"""The cache policy of the pages' own files: a browser asks each time whether its copy is current."""

ANSWER = "no-store"
"""The cache policy of all else: answers are about a client's texts, or change all the time."""


def _raw(cache_policy: str) -> list[tuple[bytes, bytes]]:
    headers = {**SECURITY_HEADERS, "cache-control": cache_policy}
    return [(name.encode(), value.encode()) for name, value in headers.items()]


RAW = {True: _raw(FILE_OF_PAGE), False: _raw(ANSWER)}


class SecurityHeadersMiddleware:
    """Adds the headers to the start of every response, errors and preflight included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # An error is not the file that was asked for.
                is_file = endpoint_of(scope).is_page and message["status"] < 400  # noqa: PLR2004
                message["headers"] = [*message["headers"], *RAW[is_file]]
            await send(message)

        await self._app(scope, receive, send_with_headers)
