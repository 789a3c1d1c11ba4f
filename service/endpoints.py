"""The table of endpoints. Routes, limits, API keys, metric labels and OpenAPI are made from its entries.

The service is closed by default: a path without an entry is answered with 404 and never reaches a handler.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel
from starlette.routing import compile_path
from starlette.types import Scope

from service.errors import ErrorForm, envelope
from service.schemas import ErrorCode, ErrorResponse


class Body(Enum):
    """What is done with a request's body before its handler runs."""

    NONE = "not read"
    WHOLE = "read completely, up to a limit; the call takes one of the slots for requests"
    STREAM = "passed on as it arrives; the call takes one of the slots for streams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What the OpenAPI document says of an endpoint, in addition to what follows from its handler and body policy.

    The handler's docstring is the rest: its first line is the summary, the others are the description.

    Attributes:
        id: the operation's name for generated clients.
        response: the schema of the answer; None if the answer is text.
        request: the schema of the body; for a stream, of one of its lines.
        lines: for a stream, the schemas of the lines that come back.
        query: the schema of the parameters in the address.
        errors: codes that only this call answers with.
        error: the schema of its errors.
        examples: bodies by the name under which they are shown.
    """

    id: str
    response: type[BaseModel] | None = None
    request: type[BaseModel] | None = None
    lines: tuple[type[BaseModel], ...] = ()
    query: type[BaseModel] | None = None
    errors: tuple[ErrorCode, ...] = ()
    error: type[BaseModel] = ErrorResponse
    examples: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One method at one path.

    Attributes:
        path: as Starlette writes it, ``{name}`` for a part that varies.
        handler: a function from a request to a response.
        body: what is done with the body of a request.
        media_types: what a whole body may be.
        needs_key: whether an API key is needed if the operator has set some.
        metric: the label ``endpoint`` in the metrics; the path by default.
        logged: whether a request leaves a line in the access log.
        error_form: how its errors are written.
        is_page: whether the answers are files of the pages, which browsers may keep.
        operation: what the OpenAPI document says; None leaves the endpoint out of it.
    """

    method: Literal["GET", "POST"]
    path: str
    handler: Callable[..., Any]
    body: Body = Body.NONE
    media_types: tuple[str, ...] = ("application/json",)
    needs_key: bool = True
    metric: str = ""
    logged: bool = True
    error_form: ErrorForm = envelope
    is_page: bool = False
    operation: Operation | None = None


def _unlisted(_: object) -> None:
    message = "an endpoint that is not in the table was called"
    raise RuntimeError(message)


UNLISTED = Endpoint(method="GET", path="", handler=_unlisted, metric="elsewhere")
"""The entry for all other paths."""


class EndpointTable:
    """Finds the endpoint of a method at a path."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._methods: dict[tuple[str, str], Endpoint] = {}
        self._fixed: dict[str, Endpoint] = {}  # for methods that a path does not take
        self._patterns: list[tuple[re.Pattern[str], Endpoint]] = []
        for endpoint in self.endpoints:
            if "{" in endpoint.path:
                self._patterns.append((compile_path(endpoint.path)[0], endpoint))
            else:
                self._methods[endpoint.method, endpoint.path] = endpoint
                self._fixed.setdefault(endpoint.path, endpoint)

    def at(self, path: str, method: str = "GET") -> Endpoint:
        """The endpoint at a path, if possible of this method; ``UNLISTED`` if there is none."""
        if endpoint := self._methods.get((method, path)) or self._fixed.get(path):
            return endpoint
        return next((endpoint for pattern, endpoint in self._patterns if pattern.match(path)), UNLISTED)


KEY = "sentiment.endpoint"


def set_endpoint(scope: Scope, endpoint: Endpoint) -> None:
    """Note a request's endpoint for the layers further in."""
    scope[KEY] = endpoint


def endpoint_of(scope: Scope) -> Endpoint:
    """A request's endpoint, as the outermost layer has noted it."""
    endpoint: Endpoint = scope.get(KEY, UNLISTED)
    return endpoint
