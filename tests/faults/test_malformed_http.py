"""Bytes that are no HTTP get the envelope too, are counted, and cost nobody else anything."""

import json
import re
import socket

import httpx
import pytest

POST = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"


@pytest.fixture(autouse=True)
def _still_serves(server):
    """After every test the very next request is answered."""
    yield
    assert httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}, timeout=10).status_code == 200


def exchange(server, raw):
    """Sends bytes and reads until the server closes the connection."""
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(raw)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def refused(server):
    """How many such requests have been counted."""
    series = httpx.get(f"{server.url}/metrics").text
    found = re.search(r'^sentiment_requests_total\{endpoint="elsewhere",status="400"\} (\d+)', series, re.MULTILINE)
    return int(found[1]) if found else 0


def parts(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("ascii").split("\r\n")
    return line, dict(field.split(": ", 1) for field in fields), body


@pytest.mark.parametrize(
    "raw",
    [
        b"hello there\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 the start of TLS",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nname: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n",
        POST + b"content-length: many\r\n\r\n",
        POST + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",  # how requests are smuggled
        b"GET / HTTP/1.1\r\nhost: a\r\nname: " + b"a" * 65_536,  # and it never ends
        b"GET / HTTP/1.1\r\nhost: a\r\n" + b"name: a\r\n" * 8_192,
        b"GET /" + b"a" * 65_536,
    ],
)
def test_what_is_no_http_gets_the_envelope_and_is_counted(server, raw):
    before = refused(server)
    line, headers, body = parts(exchange(server, raw))
    assert line == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/json"
    assert headers["content-length"] == str(len(body))
    assert headers["connection"] == "close"
    error = json.loads(body)["error"]
    assert (error["code"], error["param"]) == ("bad_request", None)
    assert error["request_id"] == headers["x-request-id"]
    assert error["request_id"] in server.log.read_text()
    assert refused(server) == before + 1


def test_a_body_in_broken_pieces_gets_the_envelope_and_its_place_back(server):
    before = refused(server)
    line, _, body = parts(exchange(server, POST + b'transfer-encoding: chunked\r\n\r\n4\r\n{"te\r\nzz\r\n'))
    assert line == "HTTP/1.1 400 Bad Request"
    assert json.loads(body)["error"]["code"] == "bad_request"
    series = httpx.get(f"{server.url}/metrics").text
    assert "sentiment_bytes_in_flight 0.0" in series
    assert 'sentiment_requests_total{endpoint="/v1/predict",status="499"}' in series
    assert refused(server) == before  # it counts once, where it was sent


def test_endless_fields_behind_a_body_end_with_the_connection(server):
    fields = POST + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"name: a\r\n" * 1_000_000  # 64 KiB of 9 MB are kept
    with socket.create_connection(server.address, timeout=10) as connection, pytest.raises(ConnectionError):
        connection.sendall(fields)


def test_bytes_behind_a_good_request_do_not_spoil_its_answer(server):
    good = b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n"
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(good)
        first = connection.recv(65_536)
        while not first.endswith(b"\r\n\r\n\n"):  # the whole body of /livez is a line's end
            first += connection.recv(65_536)
        connection.sendall(b"then nonsense\r\n\r\n")
        second = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert first.startswith(b"HTTP/1.1 200")
    assert second.startswith(b"HTTP/1.1 400")


def test_a_head_beyond_the_limit_is_refused_also_if_it_ends_in_the_piece_that_passes_it(server):
    line, headers, body = parts(
        exchange(server, b"GET /livez HTTP/1.1\r\nhost: a\r\nname: " + b"a" * 70_000 + b"\r\n\r\n")
    )
    assert line == "HTTP/1.1 400 Bad Request"
    assert headers["connection"] == "close"
    assert json.loads(body)["error"]["code"] == "bad_request"


def test_a_long_head_within_the_limit_and_a_long_body_are_read(server):
    answer = httpx.get(f"{server.url}/livez", headers={"name": "a" * 60_000})
    assert answer.status_code == 200
    body = json.dumps({"texts": ["fine"]}).encode() + b" " * 1_000_000
    answer = httpx.post(f"{server.url}/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
