"""One table from error to status, and one envelope for everything that is not a 2xx."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from pydantic import BaseModel, Field, ValidationError
from starlette.responses import Response

from service.schemas import ErrorCode, ErrorDetail, ErrorResponse, ProtocolError


@dataclass(frozen=True, slots=True)
class Meaning:
    """An error's status, what it says where nothing more precise is known, and the headers that go with it."""

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


ERRORS: Mapping[ErrorCode, Meaning] = {
    "invalid_json": Meaning(400, "The body is not valid JSON."),
    "bad_request": Meaning(400, "The request cannot be understood."),
    "unauthorized": Meaning(
        401,
        "Send an API key, as Authorization: Bearer <key> or as X-API-Key: <key>.",
        {"www-authenticate": "Bearer"},
    ),
    "not_found": Meaning(404, "There is nothing at this path; GET /docs lists what there is."),
    "method_not_allowed": Meaning(405, "This path does not take this method; GET /docs lists what it takes."),
    "body_too_slow": Meaning(408, "The body did not arrive in time.", {"connection": "close"}),
    "body_too_large": Meaning(413, "The body is too large; send fewer texts in one request."),
    "unsupported_media_type": Meaning(415, "Send the body as application/json, not compressed."),
    "invalid_request": Meaning(422, "The request does not have the form that GET /docs describes."),
    "too_many_texts": Meaning(422, "The request holds too many texts."),
    "too_much_work": Meaning(422, "The request asks for too much at once; send fewer texts in one request."),
    "unknown_layer": Meaning(422, "The model does not have this layer."),
    "unknown_direction": Meaning(422, "The model does not read in this direction."),
    "overloaded": Meaning(
        429,
        "Too many requests are under way; send this one again a little later.",
        {"retry-after": "1"},  # a place is free again within milliseconds; whole seconds are all the header can say
    ),
    "internal_error": Meaning(500, "Something went wrong here. The server's log has the details."),
    "not_ready": Meaning(503, "The service is starting or stopping.", {"retry-after": "1"}),
    "deadline_exceeded": Meaning(504, "The answer was not ready in time, and the work on it was stopped."),
}


class RequestError(Exception):
    """A request that cannot be answered; ``param`` is the field at fault, as a path into the request."""

    def __init__(self, code: ErrorCode, message: str | None = None, *, param: str | None = None) -> None:
        self.code = code
        self.status = ERRORS[code].status
        self.message = message or ERRORS[code].message
        self.param = param
        super().__init__(self.message)

    def body(self, request_id: str) -> bytes:
        """The envelope."""
        detail = ErrorDetail(code=self.code, message=self.message, param=self.param, request_id=request_id)
        return ErrorResponse(error=detail).model_dump_json().encode()

    def protocol_body(self) -> bytes:
        """What the Open Inference Protocol's clients expect instead."""
        return ProtocolError(error=self.message).model_dump_json().encode()

    def response(self) -> Response:
        """The envelope as a response; ``error_envelope`` fills in its request id and headers on the way out."""
        return Response(self.body(request_id=""), status_code=self.status, media_type="application/json")


class ClientGoneError(Exception):
    """The client closed its connection before it had its answer."""


class _Problem(BaseModel):
    type: str
    loc: list[str | int]
    msg: str


class _SchemaReport(BaseModel):
    """What BentoML answers, with status 400, to a request that does not fit its schema: pydantic's list of problems."""

    detail: list[_Problem] = Field(min_length=1)


def recognise(status: int, body: bytes) -> RequestError:
    """What an error response made anywhere in the stack means.

    There are three kinds: our own envelope, BentoML's report on a schema, and anything else, of which only the status
    is worth keeping.
    """
    with suppress(ValidationError):
        own = ErrorResponse.model_validate_json(body).error
        return RequestError(own.code, own.message, param=own.param)
    with suppress(ValidationError):
        return _schema_error(_SchemaReport.model_validate_json(body).detail)
    return RequestError(code_of(status))


def invalid(error: ValidationError) -> RequestError:
    """What is wrong with something that does not fit its schema."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    return _schema_error([_Problem(type=one["type"], loc=list(one["loc"]), msg=one["msg"]) for one in problems])


def code_of(status: int) -> ErrorCode:
    """The general code for a status; one that is not in the table counts as a bad request or our own failure."""
    for code, meaning in ERRORS.items():
        if meaning.status == status and code != "invalid_json":
            return code
    return "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "bad_request"


def _schema_error(problems: Sequence[_Problem]) -> RequestError:
    """From pydantic's list of problems to the first of them; the others usually follow from it."""
    first, others = problems[0], len(problems) - 1
    if first.type == "json_invalid":
        return RequestError("invalid_json", first.msg)
    # Of a body that is no object, pydantic says that it is no instance of an internal class.
    message = "The body should be a JSON object" if first.type == "model_type" else first.msg
    if others:
        message += f" (and {others} more {'problem' if others == 1 else 'problems'})"
    return RequestError("invalid_request", message, param=".".join(str(part) for part in first.loc) or None)
