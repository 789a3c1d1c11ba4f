"""From a request's body and query to their schemas, in bounded time and memory.

A body of few bytes can hold very many values: 700,000 empty lists are 2 MB of JSON, take 320 MB as parsed values, and
seconds to list what is wrong with each. So the values are counted before a body is parsed.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model
from starlette.datastructures import QueryParams

from service.errors import RequestError, invalid

ModelT = TypeVar("ModelT", bound=BaseModel)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some editors and libraries write before UTF-8."""

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a character outside the basic plane; JavaScript sends one alone if it cuts an emoji."""

MAX_VALUES = 16_384
"""Maximum number of values in one body. The parser takes up to 460 bytes for each, 7.5 MB for all."""

MAX_MEMBERS = 256
"""Maximum number of objects' members in one body, such as ``"texts": ...``; each may be an error of its own."""

QUERY_VALUES: Mapping[str, bool] = {"true": True, "false": False}

POSITIONAL = "request"
"""The member in which BentoML's client sends ``client.predict({...})``, see ``service.openapi.bentoml_schema``."""


def parse_body(model: type[ModelT], body: bytes) -> ModelT:
    """A body as its schema has it. An empty body counts as an empty object.

    Raises:
        RequestError: ``invalid_json`` or ``invalid_request``, with the first field at fault.
    """
    try:
        return _parse(model, body or b"{}")
    except ValidationError as error:
        if not _is_positional(error):
            raise invalid(error) from None
    return parse_json(_wrapped(model), body).request  # type: ignore[attr-defined, no-any-return]


def parse_json(model: type[ModelT], text: bytes) -> ModelT:
    """A JSON object as its schema has it; a lone surrogate stays in its string.

    Raises:
        RequestError: as ``parse_body``.
    """
    try:
        return _parse(model, text)
    except ValidationError as error:
        raise invalid(error) from None


def check_size(text: bytes) -> None:
    """Raise ``RequestError`` if a JSON text holds more values than any request needs."""
    if len(text) <= MAX_MEMBERS:  # a member takes several bytes
        return
    content = text
    if _values(content) > MAX_VALUES or content.count(b":") > MAX_MEMBERS:  # strings hold commas and colons, too
        content = text.replace(b"\\\\", b"").replace(b'\\"', b"")
        if content.count(b'"') > 2 * MAX_VALUES:
            raise RequestError("invalid_request", f"There are more than {MAX_VALUES:,} strings")
        content = b"".join(content.split(b'"')[::2])  # what is between the strings
    if _values(content) > MAX_VALUES:
        raise RequestError("invalid_request", f"There are more than {MAX_VALUES:,} values")
    if content.count(b":") > MAX_MEMBERS:
        raise RequestError("invalid_request", f"The objects have more than {MAX_MEMBERS:,} members")


def _values(json_text: bytes) -> int:
    """How many values there can be: each but the first comes after a comma or in brackets."""
    return json_text.count(b",") + json_text.count(b"[") + json_text.count(b"{") + 1


def _parse(model: type[ModelT], text: bytes) -> ModelT:
    """The JSON object; raises ``ValidationError`` as pydantic does, or ``RequestError`` as ``check_size``."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    check_size(text)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        if error.error_count() > 1 or error.errors()[0]["type"] != "json_invalid" or not SURROGATE.search(text):
            raise
        try:
            content = json.loads(text)  # unlike pydantic's parser it reads lone surrogates
        except (ValueError, RecursionError):
            raise error from None
    return model.model_validate(content)


def parse_query(model: type[ModelT], query: bytes) -> ModelT:
    """The parameters of an address as their schema has them; ``true`` and ``false`` are the booleans.

    Raises:
        RequestError: ``invalid_request``: an unknown parameter or value.
    """
    parameters = QueryParams(query).multi_items()
    try:
        return model.model_validate({name: QUERY_VALUES.get(value, value) for name, value in parameters})
    except ValidationError as error:
        raise invalid(error) from None


def _is_positional(error: ValidationError) -> bool:
    extra = [problem["loc"] for problem in error.errors() if problem["type"] == "extra_forbidden"]
    missing = any(problem["type"] == "missing" for problem in error.errors())
    return missing and extra == [(POSITIONAL,)]


@cache
def _wrapped(model: type[BaseModel]) -> type[BaseModel]:
    fields: dict[str, Any] = {POSITIONAL: (model, ...)}
    return create_model(f"Positional{model.__name__}", __config__=model.model_config, **fields)
