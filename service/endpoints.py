"""What stands at a path: its name in the metrics, of which there are few, and what is done with a body there."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple

from starlette.types import Scope


class Body(Enum):
    """What is done with a request's body before the call sees it."""

    NONE = "not read"
    WHOLE = "read as a whole, up to a limit; the call takes one of the places for requests"
    STREAM = "passed on as it arrives; the call takes one of the places for streams"


class Endpoint(NamedTuple):
    """One place of the service."""

    name: str
    body: Body = Body.NONE
    open: bool = False
    """Whether no API key is asked for: probes, and the pages, which hold nothing but the project's own files."""
    media_types: tuple[str, ...] = ("application/json",)
    """What a whole body may be."""


FIXED: Mapping[str, Endpoint] = {
    endpoint.name: endpoint
    for endpoint in (
        Endpoint("/v1/predict", Body.WHOLE),
        Endpoint("/v1/represent", Body.WHOLE),
        Endpoint("/v1/bulk", Body.STREAM),
        Endpoint("/v1/model"),
        Endpoint("/v2"),
        Endpoint("/v2/health/live", open=True),
        Endpoint("/v2/health/ready", open=True),
        Endpoint("/", open=True),
        Endpoint("/docs", open=True),
        Endpoint("/openapi.json"),
        Endpoint("/docs.json"),
        Endpoint("/schema.json"),
        Endpoint("/metrics"),
        Endpoint("/livez", open=True),
        Endpoint("/readyz", open=True),
        Endpoint("/healthz", open=True),
    )
}

PATTERNS = (
    (
        re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/infer"),
        # The second is the protocol's binary form: JSON with tensors behind it.
        Endpoint("/v2/models/{name}/infer", Body.WHOLE, media_types=("application/json", "application/octet-stream")),
    ),
    (re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?(/ready)?"), Endpoint("/v2/models/{name}")),
    (re.compile(r"/assets/.*"), Endpoint("/assets", open=True)),
)

ELSEWHERE = Endpoint("elsewhere")
"""Every path at which there is nothing."""


def endpoint_at(path: str) -> Endpoint:
    """What stands at a path."""
    if endpoint := FIXED.get(path):
        return endpoint
    return next((endpoint for pattern, endpoint in PATTERNS if pattern.fullmatch(path)), ELSEWHERE)


def body_of(scope: Scope) -> Body:
    """What a request's body is; a call that is not POST is answered without reading one."""
    return endpoint_at(scope["path"]).body if scope["method"] == "POST" else Body.NONE
