"""One table from error to status, and what it makes of schema errors and of responses from elsewhere."""

from typing import get_args

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from service.errors import ERRORS, RequestError, code_of, error_of, invalid
from service.schemas import ErrorCode


def test_every_code_has_its_place_in_the_table():
    assert set(ERRORS) == set(get_args(ErrorCode))
    assert all(400 <= kind.status < 600 and kind.message.endswith(".") for kind in ERRORS.values())


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    texts: list[str]
    explain: bool = False


@pytest.mark.parametrize(
    ("body", "code", "param", "message"),
    [
        ('{"texts": ["a", 7]}', "invalid_request", "texts.1", "Input should be a valid string"),
        ('{"explain": 1}', "invalid_request", "texts", "Field required (and 1 more problem)"),
        ('{"a": 1, "b": 2}', "invalid_request", "texts", "Field required (and 2 more problems)"),
        ("[]", "invalid_request", None, "The body should be a JSON object"),
    ],
)
def test_a_schema_error_names_the_first_field(body, code, param, message):
    with pytest.raises(ValidationError) as caught:
        Form.model_validate_json(body)
    error = invalid(caught.value)
    assert (error.code, error.param, error.message) == (code, param, message)


def test_what_is_not_json_is_called_so():
    with pytest.raises(ValidationError) as caught:
        Form.model_validate_json("{")
    assert invalid(caught.value).code == "invalid_json"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "bad_request"),
        (401, "unauthorized"),
        (404, "not_found"),
        (405, "method_not_allowed"),
        (418, "bad_request"),
        (429, "overloaded"),
        (500, "internal_error"),
        (501, "internal_error"),
        (503, "not_ready"),
        (504, "deadline_exceeded"),
    ],
)
def test_of_a_response_from_elsewhere_only_the_status_counts(status, code):
    assert code_of(status) == code
    assert error_of({"type": "http.response.start", "status": status}).message == ERRORS[code].message


def test_an_error_of_ours_arrives_as_it_was_raised():
    error = RequestError("unknown_layer", "layer 9 does not exist", param="layers")
    assert error_of({"type": "http.response.start", "status": 422, "error": error}) is error
