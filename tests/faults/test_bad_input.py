"""Whatever is sent to a real server, it answers in its envelope, and serves the next request."""

import json
import socket
import time

import httpx
import pytest

JSON = {"content-type": "application/json"}
PROMPTLY = 3.0
"""Seconds; on an idle machine it is a few milliseconds."""


@pytest.fixture(autouse=True)
def _still_serves(server):
    """After every test the very next request is answered, and promptly."""
    yield
    start = time.monotonic()
    answer = httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}, timeout=10)
    assert answer.status_code == 200
    assert time.monotonic() - start < PROMPTLY


def post(server, **arguments):
    return httpx.post(f"{server.url}/v1/predict", timeout=20, **arguments)


def head(path, length):
    """A request's head, for a client that then does as it likes."""
    lines = (f"POST {path} HTTP/1.1", "host: a", "content-type: application/json", f"content-length: {length}")
    return "\r\n".join((*lines, "", "")).encode()


def error_of(response):
    error = response.json()["error"]
    assert error["request_id"] == response.headers["x-request-id"]
    return response.status_code, error["code"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"texts": ["a"', (400, "invalid_json")),
        (b"\x00\xff\xfe", (400, "invalid_json")),
        (b"[" * 10_000, (400, "invalid_json")),
        (b"[" * 100_000, (422, "invalid_request")),
        (b'{"texts": 7}', (422, "invalid_request")),
        (b'{"texts": [7]}', (422, "invalid_request")),
        (b'{"texts": ["a"], "explain": 1}', (422, "invalid_request")),
        (b"null", (422, "invalid_request")),
        (json.dumps({"texts": ["a"] * 10_000}).encode(), (422, "too_many_texts")),
        (json.dumps({"texts": ["fine " * 400] * 200}).encode(), (422, "too_much_work")),
    ],
)
def test_a_body_that_cannot_be_answered(server, body, expected):
    assert error_of(post(server, content=body, headers=JSON)) == expected


def test_too_many_numbers_at_once(server):
    # 400 tokens of 24 numbers in each of two layers are 19,200 numbers a text; 1.5 million is 78 texts.
    body = {"texts": ["fine " * 400] * 78, "layers": [1, 2], "encoding": "base64"}
    assert httpx.post(f"{server.url}/v1/represent", json=body, timeout=20).status_code == 200
    body["texts"] += ["fine " * 400]
    response = httpx.post(f"{server.url}/v1/represent", json=body, timeout=20)
    assert error_of(response) == (422, "too_much_work")
    assert response.json()["error"]["param"] == "texts"


@pytest.mark.parametrize("announced", [True, False])
def test_a_hundred_megabytes(server, announced):
    def chunks():
        for _ in range(100):
            yield b" " * 1_000_000

    headers = JSON | ({"content-length": "100000000"} if announced else {})
    response = post(server, content=chunks(), headers=headers)
    assert error_of(response) == (413, "body_too_large")
    assert "2,097,152" in response.json()["error"]["message"]


def test_a_slow_body_is_given_up_and_takes_no_place(server):
    slow = [socket.create_connection(server.address, timeout=10) for _ in range(12)]  # thrice the places
    for connection in slow:
        connection.sendall(head("/v1/predict", 1000) + b'{"texts"')
    assert post(server, json={"texts": ["fine"]}).status_code == 200
    for connection in slow:
        answer = b"".join(iter(lambda connection=connection: connection.recv(65_536), b""))  # until it closes
        assert answer.startswith(b"HTTP/1.1 408")
        assert b'"body_too_slow"' in answer
        connection.close()


def test_one_bad_text_among_63_good_ones(server):
    texts = ["fine"] * 64
    texts[17] = " \t\n"
    answer = post(server, json={"texts": texts}).json()
    assert [result["index"] for result in answer["results"]] == [index for index in range(64) if index != 17]
    assert [(error["index"], error["code"]) for error in answer["errors"]] == [(17, "empty_text")]


def test_texts_without_text(server):
    texts = ["", " ", "\u00a0\u3000", "\u200b", "\x00", "a\x00b"]
    answer = post(server, json={"texts": texts}).json()
    assert len(answer["results"]) + len(answer["errors"]) == len(texts)
    assert {error["code"] for error in answer["errors"]} == {"empty_text"}


def test_a_scanner_leaves_neither_series_nor_lines_of_its_own(server):
    with httpx.Client(base_url=server.url) as client:
        for number in range(300):
            assert client.get(f"/wp-admin/{number}.php?x={number}").status_code == 404
            client.post(f"/v2/models/{number}/infer", json={})
        assert client.get("/a%0aforged%20line").status_code == 404
        series = client.get("/metrics").text
    assert "wp-admin" not in series
    endpoints = {
        line.partition('endpoint="')[2].partition('"')[0] for line in series.splitlines() if 'endpoint="' in line
    }
    assert "elsewhere" in endpoints
    assert len(endpoints) < 15
    assert "\nforged line" not in server.log.read_text()


def test_dropped_connections_leave_nothing_behind(server):
    body = json.dumps({"texts": ["fine " * 300] * 100}).encode()
    for _ in range(30):
        with socket.create_connection(server.address) as connection:
            connection.sendall(head("/v1/predict", len(body)) + body)
            time.sleep(0.02)
    until = time.monotonic() + 10
    while "sentiment_requests_in_flight 0.0" not in httpx.get(f"{server.url}/metrics").text:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert "sentiment_bytes_in_flight 0.0" in httpx.get(f"{server.url}/metrics").text
    assert "Traceback" not in server.log.read_text()


def test_a_client_that_reads_nothing_of_a_large_answer_is_given_up(server):
    body = json.dumps({"texts": ["fine " * 400] * 78, "layers": [1, 2], "encoding": "base64"}).encode()
    with socket.create_connection(server.address) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head("/v1/represent", len(body)) + body)
        held = []
        until = time.monotonic() + 10
        while not held or held[-1] > 0 or max(held) == 0:
            series = httpx.get(f"{server.url}/metrics").text
            held.append(float(series.partition("\nsentiment_bytes_in_flight ")[2].split()[0]))
            assert time.monotonic() < until, held
            time.sleep(0.1)
    assert max(held) > 1_000_000
    assert "Traceback" not in server.log.read_text()


def test_no_text_is_in_the_log(server):
    post(server, json={"texts": ["a private matter"], "explain": True})
    post(server, json={"texts": ["a private matter", 1]})
    post(server, content=b'{"texts": ["a private matter"', headers=JSON)
    assert "private" not in server.log.read_text()
