"""Objects of OpenAI's API that vLLM and infinity have taken over: errors and the count of tokens."""

from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from pydantic import Field

from service.adapters.adapted_model import AdapterResponse
from service.endpoints import Body, Endpoint, Operation
from service.errors import RequestError
from service.schemas import ErrorCode

CODES: dict[ErrorCode, str] = {
    "unauthorized": "invalid_api_key",
    "unknown_model": "model_not_found",
    "overloaded": "rate_limit_exceeded",
    "quota_exceeded": "rate_limit_exceeded",
}
"""OpenAI's words where it has some; the other errors keep ours."""


class OpenAIErrorDetail(AdapterResponse):
    """Why a request has no answer."""

    message: str = Field(description="A sentence for people.")
    type: str = Field(examples=["invalid_request_error"])
    param: str | None = Field(description="The field at fault; null if no field is at fault.")
    code: str = Field(description="A stable word for programs.")


class OpenAIError(AdapterResponse):
    """The body of a response whose status is not 2xx."""

    error: OpenAIErrorDetail


class Usage(AdapterResponse):
    """Tokens that the model read."""

    prompt_tokens: int
    total_tokens: int


def error_form(error: RequestError, status: int, _: str) -> tuple[int, bytes]:
    """An error as OpenAI writes it; it has no status 422."""
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    else:
        kind = "server_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    detail = OpenAIErrorDetail(
        message=error.message, type=kind, param=error.param, code=CODES.get(error.code, error.code)
    )
    return status, OpenAIError(error=detail).model_dump_json().encode()


def usage(tokens: int) -> Usage:
    """The count of a call that generates nothing."""
    return Usage(prompt_tokens=tokens, total_tokens=tokens)


def post(path: str, handler: Callable[..., Any], operation: Operation) -> Endpoint:
    """A call whose errors have OpenAI's form."""
    errors: tuple[ErrorCode, ...] = ("invalid_request", "bad_request", "unknown_model")
    described = replace(operation, errors=errors, error=OpenAIError)
    return Endpoint(
        method="POST", path=path, handler=handler, body=Body.WHOLE, error_form=error_form, operation=described
    )
