"""Every error has one envelope, whoever made it."""

import logging

import pytest

from service.schemas import ErrorResponse

JSON = {"content-type": "application/json"}


def error_of(response):
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == response.json()["error"]["request_id"]
    return ErrorResponse.model_validate_json(response.content).error


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/nothing", 404, "not_found"),
        ("GET", "/assets/nothing.js", 404, "not_found"),
        ("GET", "/assets/../app.py", 404, "not_found"),
        ("GET", "/v1/predict", 405, "method_not_allowed"),
        ("DELETE", "/v1/represent", 405, "method_not_allowed"),
        ("POST", "/v1/model", 405, "method_not_allowed"),
        ("PUT", "/", 405, "method_not_allowed"),
    ],
)
def test_a_wrong_path_or_method(client, method, path, status, code):
    response = client.request(method, path)
    assert response.status_code == status
    assert error_of(response).code == code


def test_a_wrong_method_is_told_the_right_one(client):
    assert client.get("/v1/predict").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "texts"),
        ({"texts": []}, "texts"),
        ({"texts": "fine"}, "texts"),
        ({"texts": None}, "texts"),
        ({"texts": ["a", "b", "c", 4]}, "texts.3"),
        ({"texts": ["a"], "explain": "yes"}, "explain"),
        ({"texts": ["a"], "truncate": "middle"}, "truncate"),
        ({"texts": ["a"], "explian": True}, "explian"),
        ([], None),
        ("fine", None),
        (7, None),
    ],
)
def test_a_request_of_the_wrong_form_names_the_field(client, body, param):
    response = client.post("/v1/predict", json=body)
    assert response.status_code == 422
    error = error_of(response)
    assert (error.code, error.param) == ("invalid_request", param)
    assert "IODescriptor" not in error.message


@pytest.mark.parametrize(
    "body",
    [
        b'{"texts": ["a"]',
        b"texts=a",
        b'{"texts": ["\xff\xfe"]}',
        b"[" * 10_000,
    ],
)
def test_a_body_that_is_no_json(client, body):
    response = client.post("/v1/predict", content=body, headers=JSON)
    assert response.status_code == 400
    assert error_of(response).code == "invalid_json"


@pytest.mark.parametrize("text", ["\\ud800", "half an emoji \\ud83d", "\\udc00 fine"])
def test_a_lone_surrogate_costs_that_text_and_no_other(client, text):
    body = f'{{"texts": ["fine", "{text}", "caf\u00e9 \\ud83d\\ude00"]}}'.encode()
    response = client.post("/v1/predict", content=body, headers=JSON)
    assert response.status_code == 200
    assert [result["index"] for result in response.json()["results"]] == [0, 2]
    assert [(error["index"], error["code"]) for error in response.json()["errors"]] == [(1, "invalid_text")]
    response = client.post("/v1/represent", content=body, headers=JSON)
    assert [error["code"] for error in response.json()["errors"]] == ["invalid_text"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"texts": ["\\ud800"], "explain": "yes"}', "invalid_request"),
        (b'{"texts": ["\\ud800"], "\\ud800": 1}', "invalid_request"),
        (b'{"texts": ["\\ud800"', "invalid_json"),
        (b'{"texts": ["\\ud800"], "a": ' + b"[" * 10_000, "invalid_json"),
    ],
)
def test_a_lone_surrogate_does_not_hide_another_mistake(client, body, code):
    assert error_of(client.post("/v1/predict", content=body, headers=JSON)).code == code


def test_a_byte_order_mark_before_the_body_is_ignored(client):
    body = b'{"texts": ["fine"]}'
    plain = client.post("/v1/predict", content=body, headers=JSON)
    marked = client.post("/v1/predict", content=b"\xef\xbb\xbf" + body, headers=JSON)
    assert (marked.status_code, marked.content) == (200, plain.content)


def test_an_empty_body_lacks_its_texts(client):
    response = client.post("/v1/predict", content=b"", headers=JSON)
    assert response.status_code == 422
    assert error_of(response).param == "texts"


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/vnd.bentoml+pickle"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_a_body_that_is_not_announced_as_json(client, headers):
    response = client.post("/v1/predict", content=b'{"texts": ["a"]}', headers=headers)
    assert response.status_code == 415
    assert error_of(response).code == "unsupported_media_type"


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_announced_in_other_words(client, content_type):
    response = client.post("/v1/predict", content=b'{"texts": ["a"]}', headers={"content-type": content_type})
    assert response.status_code == 200


def test_a_large_body_is_refused_by_its_announced_length(client):
    response = client.post("/v1/predict", content=b" " * 65_537, headers=JSON)
    assert response.status_code == 413
    error = error_of(response)
    assert error.code == "body_too_large"
    assert "65,536" in error.message


def test_a_large_body_of_unknown_length_is_refused_while_it_is_read(client):
    def chunks():
        for _ in range(20):
            yield b" " * 4096

    response = client.post("/v1/predict", content=chunks(), headers=JSON)
    assert response.status_code == 413
    assert error_of(response).code == "body_too_large"


def test_a_body_of_just_the_limit_is_read(client):
    body = b'{"texts": ["fine"]}'
    response = client.post("/v1/predict", content=body + b" " * (65_536 - len(body)), headers=JSON)
    assert response.status_code == 200


def test_too_many_texts(client):
    assert client.post("/v1/predict", json={"texts": ["a"] * 8}).status_code == 200
    response = client.post("/v1/predict", json={"texts": ["a"] * 9})
    assert response.status_code == 422
    error = error_of(response)
    assert (error.code, error.param) == ("too_many_texts", "texts")


@pytest.mark.usefixtures("inside")
def test_a_failure_of_ours_says_nothing_of_its_inside(client, monkeypatch):
    def fail(*_arguments, **_options):
        message = "a secret of the implementation"
        raise RuntimeError(message)

    monkeypatch.setattr("service.predictor.Predictor._tokenize_all", fail)
    response = client.post("/v1/predict", json={"texts": ["a"]})
    assert response.status_code == 500
    assert error_of(response).code == "internal_error"
    assert "secret" not in response.text


@pytest.mark.usefixtures("inside")
def test_an_answer_that_breaks_its_schema_is_our_failure(client, monkeypatch):
    monkeypatch.setattr("service.predictor._sentiment", lambda index, _: {"index": index})
    response = client.post("/v1/predict", json={"texts": ["a"]})
    assert response.status_code == 500
    assert error_of(response).code == "internal_error"


def test_a_request_keeps_its_id(client):
    for path in ("/livez", "/", "/nothing"):
        response = client.get(path, headers={"x-request-id": "mine-1.2:3"})
        assert response.headers["x-request-id"] == "mine-1.2:3"


@pytest.mark.parametrize("given", [None, "", "two words", "x" * 129, '"quoted"'])
def test_a_request_without_a_usable_id_gets_a_new_one(client, given):
    headers = {} if given is None else {"x-request-id": given}
    ids = {client.get("/livez", headers=headers).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2
    assert given not in ids


def test_an_error_has_no_body_for_head(client):
    response = client.head("/nothing")
    assert response.status_code == 404
    assert response.content == b""


def test_a_clients_mistake_leaves_neither_traceback_nor_text_in_the_log(client, caplog):
    with caplog.at_level(logging.INFO):
        client.post("/v1/predict", json={"texts": ["a private matter", 1]})
    assert "Traceback" not in caplog.text
    assert "private" not in caplog.text
