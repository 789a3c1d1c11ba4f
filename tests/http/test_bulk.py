"""POST /v1/bulk answers every line, in order, each as POST /v1/predict would."""

import json

import pytest

from service.schemas import PredictResult, UnansweredLine

NDJSON = {"content-type": "application/x-ndjson"}


def bulk(client, *lines, path="/v1/bulk"):
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    response = client.post(path, content=body, headers=NDJSON)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    answers = [json.loads(line) for line in response.text.splitlines()]
    for answer in answers:
        (UnansweredLine if "code" in answer else PredictResult).model_validate_json(json.dumps(answer))
    return answers


@pytest.mark.parametrize("options", [{}, {"explain": True}, {"sentences": True}, {"explain": True, "sentences": True}])
def test_every_line_gets_what_predict_answers(client, options):
    texts = ["The movie was terribly exciting! The soup was cold.", "fine", "Not bad."]
    query = "&".join(f"{name}=true" for name in options)
    expected = client.post("/v1/predict", json={"texts": texts, **options}).json()["results"]
    assert bulk(client, *({"text": text} for text in texts), path=f"/v1/bulk?{query}") == expected


def test_a_bad_line_has_its_error_and_the_stream_goes_on(client):
    answers = bulk(
        client,
        {"text": "fine"},
        b'{"text": "fi',
        b"",
        {"text": 7},
        {"texts": ["fine"]},
        "fine",
        {"text": ""},
        {"text": "x" * 4001},
        b'{"text": "' + b"x" * 65_536 + b'"}',
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        {"text": "cold"},
    )
    assert [answer["index"] for answer in answers] == list(range(11))  # the empty line is none
    assert [answer.get("code", "label" in answer) for answer in answers] == [
        True,
        "invalid_json",
        "invalid_request",
        "invalid_request",
        "invalid_request",
        "empty_text",
        "too_many_characters",
        "line_too_long",
        "invalid_json",
        "invalid_text",
        True,
    ]
    assert answers[2]["message"] == "text: Input should be a valid string"
    assert "65,536" in answers[7]["message"]


def test_the_whole_body_has_no_limit(client):
    line = json.dumps({"text": "fine"}).encode()
    assert len(bulk(client, *[line] * 10_000)) == 10_000  # 170 kB, where other bodies may have 64


def test_a_long_text_is_cut_where_asked_or_refused(client, model):
    text = "cold " + "fine " * model.manifest.limits.max_tokens
    (cut,) = bulk(client, {"text": text})
    assert cut["truncated"]
    (refused,) = bulk(client, {"text": text}, path="/v1/bulk?truncate=never")
    assert refused["code"] == "too_many_tokens"


def test_no_line_is_no_answer(client):
    assert bulk(client) == []


@pytest.mark.parametrize(
    ("query", "param"), [("explain=yes", "explain"), ("truncate=middle", "truncate"), ("explian=true", "explian")]
)
def test_a_wrong_option_is_the_requests_error(client, query, param):
    response = client.post(f"/v1/bulk?{query}", content=b'{"text": "fine"}', headers=NDJSON)
    assert response.status_code == 422
    assert (response.json()["error"]["code"], response.json()["error"]["param"]) == ("invalid_request", param)


@pytest.mark.parametrize(
    "headers", [{"content-type": "application/json"}, {**NDJSON, "content-encoding": "gzip"}], ids=["type", "encoding"]
)
def test_another_kind_of_body_is_refused(client, headers):
    response = client.post("/v1/bulk", content=b'{"text": "fine"}', headers=headers)
    assert response.status_code == 415
    assert response.json()["error"]["code"] == "unsupported_media_type"


def test_a_wrong_method_is_refused(client):
    assert client.get("/v1/bulk").status_code == 405


def test_a_byte_order_mark_before_a_stream_is_ignored(client):
    line = json.dumps({"text": "fine"}).encode()
    plain = bulk(client, line)
    assert bulk(client, b"\xef\xbb\xbf" + line) == plain
    assert bulk(client, b"\xef\xbb\xbf", line) == plain
