"""One table from error to status, and what it makes of errors made elsewhere."""

import json
from typing import get_args

import pytest

from service.errors import ERRORS, RequestError, recognise
from service.schemas import ErrorCode


def test_every_code_has_its_place_in_the_table():
    assert set(ERRORS) == set(get_args(ErrorCode))
    assert all(400 <= meaning.status < 600 and meaning.message.endswith(".") for meaning in ERRORS.values())


def test_our_own_envelope_is_kept():
    error = RequestError("unknown_layer", "layer 9 does not exist", param="layers")
    again = recognise(422, error.body(request_id="a"))
    assert (again.code, again.message, again.param) == ("unknown_layer", "layer 9 does not exist", "layers")


@pytest.mark.parametrize(
    ("problems", "code", "param", "message"),
    [
        ([{"type": "string_type", "loc": ["texts", 3], "msg": "no"}], "invalid_request", "texts.3", "no"),
        (
            [{"type": "missing", "loc": ["texts"], "msg": "no"}] * 2,
            "invalid_request",
            "texts",
            "no (and 1 more problem)",
        ),
        ([{"type": "json_invalid", "loc": [], "msg": "no"}], "invalid_json", None, "no"),
        (
            [{"type": "model_type", "loc": [], "msg": "an instance of Internal"}],
            "invalid_request",
            None,
            "The body should be a JSON object",
        ),
    ],
)
def test_a_schema_error_names_the_first_field(problems, code, param, message):
    error = recognise(400, json.dumps({"error": "1 validation error", "detail": problems}).encode())
    assert (error.code, error.param, error.message) == (code, param, message)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (404, b"Not Found", "not_found"),
        (405, b"", "method_not_allowed"),
        (400, b'[{"error": "x"}]', "bad_request"),
        (418, b"", "bad_request"),
        (500, b'{"error": "An unexpected error"}', "internal_error"),
        (501, b"\xff", "internal_error"),
        (401, b"", "unauthorized"),
        (429, b'{"error": "Too many requests"}', "overloaded"),
        (503, b"", "not_ready"),
        (504, b"", "deadline_exceeded"),
        (400, b'{"error": {"code": "made up"}}', "bad_request"),
        (400, b'{"detail": []}', "bad_request"),
        (400, b'{"error": {"code": []}}', "bad_request"),
        (400, b'{"detail": ["no problem of pydantic"]}', "bad_request"),
    ],
)
def test_of_anything_else_only_the_status_counts(status, body, code):
    error = recognise(status, body)
    assert (error.code, error.message) == (code, ERRORS[code].message)
