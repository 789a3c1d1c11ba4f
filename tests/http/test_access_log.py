"""A request's line in the log, as JSON: who, what and how much, never a text or a key."""

import io
import json
import logging
from datetime import datetime

import pytest
from opentelemetry.trace import NonRecordingSpan, SpanContext, use_span

from service.monitoring.access_log import JsonFormatter, access_logger


@pytest.fixture
def lines(inside):  # noqa: ARG001 - a bento writes its own
    """The lines that have been written so far, one object each."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    level = access_logger.level
    access_logger.setLevel(logging.INFO)
    access_logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    access_logger.removeHandler(handler)
    access_logger.setLevel(level)


def test_a_request_has_its_counts(client, lines):
    body = b'{"texts":["fine","Not bad.",""]}'
    headers = {"x-request-id": "mine", "content-type": "application/json"}
    answer = client.post("/v1/predict", content=body, headers=headers)
    (line,) = lines()
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert 0 < line.pop("ms") < 60_000
    assert line == {
        "request_id": "mine",
        "client": "testclient",
        "key": None,
        "method": "POST",
        "path": "/v1/predict",
        "status": 200,
        "error": None,
        "texts": 3,
        "tokens": 4,  # fine; Not bad .
        "bytes_received": len(body),
        "bytes_sent": len(answer.content),
    }


def test_sentences_are_not_counted_again(client, lines):
    client.post("/v1/predict", json={"texts": ["Fine. Not bad."], "sentences": True})
    (line,) = lines()
    assert (line["texts"], line["tokens"]) == (1, 5)


def test_a_stream_has_its_counts(client, lines):
    body = b'{"text":"fine"}\n{"text":"Not bad."}\nnot json\n'
    answer = client.post("/v1/bulk", content=body, headers={"content-type": "application/x-ndjson"})
    (line,) = lines()
    assert (line["texts"], line["tokens"]) == (2, 4)
    assert (line["bytes_received"], line["bytes_sent"]) == (len(body), len(answer.content))


def test_an_open_inference_request_has_its_counts(client, lines):
    inputs = [{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["fine", "Not bad."]}]
    name = client.get("/v2/models/tiny").json()["name"]
    assert client.post(f"/v2/models/{name}/infer", json={"inputs": inputs}).status_code == 200
    assert (lines()[-1]["texts"], lines()[-1]["tokens"]) == (2, 4)


def test_a_refused_request_has_its_error(client, lines):
    answer = client.post("/v1/predict", content=b"{", headers={"content-type": "application/json"})
    client.get("/no%0Awhere")
    invalid, nowhere = lines()
    assert (invalid["status"], invalid["error"], invalid["texts"]) == (400, "invalid_json", 0)
    assert invalid["bytes_sent"] == len(answer.content)
    assert (nowhere["status"], nowhere["path"]) == (404, "/no\nwhere")


def test_probes_leave_no_line(client, lines):
    for path in ("/livez", "/readyz", "/metrics"):
        client.get(path)
    assert lines() == []


def test_a_line_names_the_trace_it_is_part_of():
    span = NonRecordingSpan(SpanContext(trace_id=0xABC, span_id=1, is_remote=False))
    with use_span(span):
        line = JsonFormatter().format(logging.makeLogRecord({"msg": "a message", "created": 0.0}))
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "message": "a message",
        "trace": "00000000000000000000000000000abc",
    }


def test_no_text_is_in_a_line(client, lines):
    client.post("/v1/predict", json={"texts": ["zxqjsecret"], "zxqjsecret": 1})
    client.post("/v1/predict", json={"texts": ["zxqjsecret"]})
    assert [line["status"] for line in lines()] == [422, 200]
    assert "zxqjsecret" not in json.dumps(lines())
