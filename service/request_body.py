"""From a request's body and query to their schemas."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, create_model
from starlette.datastructures import QueryParams

from service.errors import invalid

ModelT = TypeVar("ModelT", bound=BaseModel)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""The byte order mark that some editors and libraries write before UTF-8."""

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""Half of a character outside the basic plane; JavaScript sends one alone if it cuts an emoji."""

QUERY_VALUES: Mapping[str, bool] = {"true": True, "false": False}

POSITIONAL = "request"
"""The member in which BentoML's client sends ``client.predict({...})``, see ``service.openapi.bentoml_schema``."""


def parse_body(model: type[ModelT], body: bytes) -> ModelT:
    """A body as its schema has it. An empty body counts as an empty object.

    Raises:
        RequestError: ``invalid_json`` or ``invalid_request``, with the first field at fault.
    """
    try:
        return parse_json(model, body or b"{}")
    except ValidationError as error:
        if not _is_positional(error):
            raise invalid(error) from None
    try:
        return parse_json(_wrapped(model), body).request  # type: ignore[attr-defined, no-any-return]
    except ValidationError as error:
        raise invalid(error) from None


def parse_json(model: type[ModelT], text: bytes) -> ModelT:
    """A JSON object as its schema has it; a lone surrogate stays in its string.

    Raises:
        ValidationError: as pydantic raises it.
    """
    text = text.removeprefix(BYTE_ORDER_MARK)
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        if not SURROGATE.search(text) or error.errors()[0]["type"] != "json_invalid":
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
