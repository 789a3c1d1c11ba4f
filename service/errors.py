"""One table from error to status, and one envelope for every response that is not a 2xx."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import ValidationError
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from service.schemas import ErrorCode, ErrorDetail, ErrorResponse


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """An error's status, its general message, and the headers that go with it."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


ERRORS: Mapping[ErrorCode, ErrorKind] = {
    "invalid_json": ErrorKind(400, "The body is not valid JSON."),
    "bad_request": ErrorKind(400, "The request cannot be understood."),
    "unauthorized": ErrorKind(
        401,
        "Send an API key, as Authorization: Bearer <key> or as X-API-Key: <key>.",
        {"www-authenticate": "Bearer"},
    ),
    "not_found": ErrorKind(404, "There is nothing at this path; GET /docs lists what there is."),
    "unknown_model": ErrorKind(404, "This server has no such model; GET /v1/models lists those it has."),
    "method_not_allowed": ErrorKind(405, "This path does not take this method; GET /docs lists what it takes."),
    "body_too_slow": ErrorKind(408, "The body did not arrive in time.", {"connection": "close"}),
    "bad_model": ErrorKind(409, "The bundle cannot be served; the one before still is."),
    "body_too_large": ErrorKind(413, "The body is too large; send fewer texts in one request."),
    "unsupported_media_type": ErrorKind(415, "Send the body as application/json, not compressed."),
    "invalid_request": ErrorKind(422, "The request does not have the form that GET /docs describes."),
    "too_many_texts": ErrorKind(422, "The request holds too many texts."),
    "too_much_work": ErrorKind(422, "The request asks for too much at once; send fewer texts in one request."),
    "unknown_layer": ErrorKind(422, "The model does not have this layer."),
    "unknown_direction": ErrorKind(422, "The model does not read in this direction."),
    "overloaded": ErrorKind(
        429,
        "Too many requests are under way; send this one again a little later.",
        {"retry-after": "1"},  # a slot is free again within milliseconds; whole seconds are all the header can say
    ),
    "quota_exceeded": ErrorKind(429, "The key has used up what it may use in a minute."),
    "internal_error": ErrorKind(500, "Something went wrong here. The server's log has the details."),
    "not_ready": ErrorKind(503, "The service is starting or stopping.", {"retry-after": "1"}),
    "deadline_exceeded": ErrorKind(504, "The answer was not ready in time, and the work on it was stopped."),
}


class RequestError(Exception):
    """A request that cannot be answered.

    Attributes:
        param: the field at fault, as a path into the request.
        headers: those of its code, with ``retry-after`` as it was given in seconds.
    """

    def __init__(
        self, code: ErrorCode, message: str | None = None, *, param: str | None = None, retry_after: int | None = None
    ) -> None:
        self.code = code
        self.status = ERRORS[code].status
        self.message = message or ERRORS[code].message
        self.param = param
        self.headers = dict(ERRORS[code].headers)
        if retry_after is not None:
            self.headers["retry-after"] = str(retry_after)
        super().__init__(self.message)

    def body(self, request_id: str) -> bytes:
        """The envelope as JSON."""
        detail = ErrorDetail(code=self.code, message=self.message, param=self.param, request_id=request_id)
        return ErrorResponse(error=detail).model_dump_json().encode()

    def response(self) -> Response:
        """A response for ``ErrorEnvelopeMiddleware``, which writes the body on the way out."""
        return _ErrorResponse(self)


ErrorForm = Callable[[RequestError, int, str], tuple[int, bytes]]
"""From an error, its status and the request's id to the status and the body that are sent."""


def envelope(error: RequestError, status: int, request_id: str) -> tuple[int, bytes]:
    """The form of all errors but those of protocols that have one of their own."""
    return status, error.body(request_id)


class ClientGoneError(Exception):
    """The client closed its connection before it had its answer."""


class _ErrorResponse(Response):
    """Carries an error outward as a member of the ASGI message."""

    def __init__(self, error: RequestError) -> None:
        super().__init__(status_code=error.status)
        self._error = error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_error(message: Message) -> None:
            await send({**message, "error": self._error} if message["type"] == "http.response.start" else message)

        await super().__call__(scope, receive, send_with_error)


def error_of(message: Message) -> RequestError:
    """The error of a response, from its start; a foreign response counts by its status."""
    error = message.get("error")
    return error if isinstance(error, RequestError) else RequestError(code_of(message["status"]))


def code_of(status: int) -> ErrorCode:
    """The general code for a status; one that is not in the table counts as a bad request or an internal error."""
    for code, kind in ERRORS.items():
        if kind.status == status and code != "invalid_json":
            return code
    return "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "bad_request"


def invalid(error: ValidationError) -> RequestError:
    """The first problem of a request that does not fit its schema; the others usually follow from it."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    first, others = problems[0], len(problems) - 1
    if first["type"] == "json_invalid":
        return RequestError("invalid_json", first["msg"])
    # pydantic says that the body is not an instance of an internal class.
    message = "The body should be a JSON object" if first["type"] == "model_type" else first["msg"]
    if others:
        message += f" (and {others} more {'problem' if others == 1 else 'problems'})"
    return RequestError("invalid_request", message, param=".".join(str(part) for part in first["loc"]) or None)
