"""The access log: one line for each request, as text or as JSON, never with a text or a key."""

import json
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from opentelemetry.trace import format_trace_id, get_current_span

AccessLogFormat = Literal["text", "json"]

access_logger = logging.getLogger("bentoml.access")  # under "bentoml", whose lines BentoML writes out


@dataclass(slots=True)
class RequestRecord:
    """What the layers of the service note about a request for its line in the log.

    Attributes:
        key: name of the API key; None if none was needed.
        texts, tokens: that were tokenized, sentences not counted again.
        bytes_received, bytes_sent: of the bodies.
    """

    key: str | None = None
    texts: int = 0
    tokens: int = 0
    bytes_received: int = 0
    bytes_sent: int = 0


record_variable: ContextVar[RequestRecord | None] = ContextVar("record_variable", default=None)


def current_record() -> RequestRecord:
    """The record of the current request; outside a request, one that is dropped."""
    return record_variable.get() or RequestRecord()


def log_request(
    record: RequestRecord,
    *,
    request_id: str,
    client: str | None,
    method: str,
    path: str,
    status: int,
    error: str | None,
    seconds: float,
) -> None:
    """Write the line of a request that is over."""
    # repr, because a path may hold a line break; cut, because it may be long.
    line = (request_id, method, repr(path[:200]), status, error or "-", 1000 * seconds)
    fields = {
        "request_id": request_id,
        "client": client,
        "method": method,
        "path": path[:200],
        "status": status,
        "error": error,
        "ms": round(1000 * seconds, 2),
        "key": record.key,
        "texts": record.texts,
        "tokens": record.tokens,
        "bytes_received": record.bytes_received,
        "bytes_sent": record.bytes_sent,
    }
    access_logger.info("%s %s %s %d %s %.1f ms", *line, extra={"request": fields})


class JsonFormatter(logging.Formatter):
    """One JSON object a line, in ASCII: the time, and the fields of a request or else the message."""

    def format(self, record: logging.LogRecord) -> str:
        """The line without its end."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "request", None) or {"message": record.getMessage()}
        span = get_current_span().get_span_context()
        trace = {"trace": format_trace_id(span.trace_id)} if span.is_valid else {}
        return json.dumps({"time": time, **fields, **trace})


def install_access_log(form: AccessLogFormat) -> None:
    """Let the lines of this process be JSON on standard output, instead of BentoML's text. Text needs nothing."""
    if form == "json":
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(JsonFormatter())
        access_logger.handlers = [handler]
        access_logger.setLevel(logging.INFO)
        access_logger.propagate = False
