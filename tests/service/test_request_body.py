"""A body is refused by the number of its values before anything is made of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import request_body
from service.errors import RequestError
from service.open_inference.schemas import InferRequest
from service.request_body import MAX_MEMBERS, MAX_VALUES, check_size, parse_body, parse_json
from service.schemas import PredictRequest, RepresentRequest


def refused(model, body):
    with pytest.raises(RequestError) as caught:
        parse_body(model, body)
    return caught.value.code, caught.value.param, caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"texts":[' + b"1," * MAX_VALUES + b"1]}",
        b'{"texts":[' + b"[]," * MAX_VALUES + b"1]}",
        b'{"texts":["a"],"layers":[' + b"{}," * MAX_VALUES + b"1]}",
        b'{"texts":["a"],"layers":' + b"[" * MAX_VALUES,
    ],
)
def test_too_many_values_are_refused_unparsed(body):
    assert refused(RepresentRequest, body) == ("invalid_request", None, "There are more than 16,384 values")


def test_too_many_strings_are_refused_unparsed():
    body = b'{"texts":[' + b'"",' * MAX_VALUES + b'""]}'
    assert refused(PredictRequest, body) == ("invalid_request", None, "There are more than 16,384 strings")


def test_too_many_members_are_refused_unparsed():
    body = b'{"texts":["a"],' + b",".join(b'"%d":1' % number for number in range(MAX_MEMBERS)) + b"}"
    assert refused(PredictRequest, body) == ("invalid_request", None, "The objects have more than 256 members")
    with pytest.raises(RequestError, match="more than 256 members"):
        parse_json(InferRequest, body)


def test_only_the_first_of_many_wrong_elements_is_named():
    body = json.dumps({"texts": [1] * 10_000, "layers": ["a"] * 64}).encode()
    message = "Input should be a valid string (and 1 more problem)"  # of 10,064
    assert refused(RepresentRequest, body) == ("invalid_request", "texts.0", message)
    body = json.dumps({"texts": ["a"], "layers": [1] * 65}).encode()
    assert refused(RepresentRequest, body)[1:] == (
        "layers",
        "List should have at most 64 items after validation, not 65",
    )


def test_what_texts_hold_does_not_count():
    text = ',:[{"\\' * MAX_VALUES
    assert parse_body(PredictRequest, json.dumps({"texts": [text] * 3}).encode()).texts == [text] * 3


def count(value):
    """Values in a JSON text, counted after parsing."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, inside))


def count_members(value):
    own = len(value) if isinstance(value, dict) else 0
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return own + sum(map(count_members, inside))


TEXTS = st.text(alphabet='a,:[]{}"\\é\n', max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inside: st.lists(inside, max_size=6) | st.dictionaries(TEXTS, inside, max_size=6),
    max_leaves=40,
)


@given(value=VALUES, limit=st.integers(1, 30), ascii_only=st.booleans())
def test_no_body_with_more_values_or_members_passes(value, limit, ascii_only):
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_body, "MAX_VALUES", limit)
        patch.setattr(request_body, "MAX_MEMBERS", limit)
        if max(count(value), count_members(value)) > limit and len(body) > limit:
            with pytest.raises(RequestError):
                check_size(body)
        elif 2 * count(value) <= limit:  # an empty list or object counts twice
            check_size(body)


@pytest.mark.parametrize("body", [b'{"texts": ["a' + b'"' * 300, b'{"texts": ["\\' + b'\\"' * 300 + b'":', b"\\" * 999])
def test_what_is_not_json_is_called_so(body):
    assert refused(PredictRequest, body)[0] == "invalid_json"
