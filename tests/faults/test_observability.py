"""What an operator sees of a running service: lines of JSON, and the metrics of its processes."""

import json
import socket
import time

import httpx
import psutil
import pytest

KEY = "a-key-of-the-shop-1"
NAMED = f"shop:{KEY},another-key-of-16-letters"


@pytest.fixture(scope="module")
def server(tiny_bundle, start_server):
    with start_server(model=tiny_bundle, threads=1, workers=2, access_log_format="json", api_keys=NAMED) as server:
        until = time.monotonic() + 60
        while server.log.read_text().count("Completed async startup hook") < 2:  # both workers are ready
            assert time.monotonic() < until, server.log.read_text()
            time.sleep(0.1)
        yield server


@pytest.fixture
def client(server):
    with httpx.Client(base_url=server.url, headers={"x-api-key": KEY}, timeout=30) as client:
        yield client


def metric(client, name):
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def logged(server, request_id):
    """The access log's line for a request; it is written after the answer, so a client can be here first."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        text = server.log.read_text()
        whole = text[: text.rfind("\n") + 1]
        for line in (json.loads(line) for line in whole.splitlines() if line.startswith("{")):
            if line["request_id"] == request_id:
                return line
        time.sleep(0.05)
    raise AssertionError(f"no line for {request_id} in {server.log.read_text()}")


def test_each_request_is_a_line_of_json_with_the_name_of_its_key(server, client):
    client.post("/v1/predict", json={"texts": ["fine"]}, headers={"x-request-id": "named"})
    client.post("/v1/predict", headers={"x-request-id": "second", "x-api-key": "another-key-of-16-letters"})
    client.post("/v1/predict", headers={"x-request-id": "none", "x-api-key": "not a key at all, though long"})
    named, second, none = (logged(server, request_id) for request_id in ("named", "second", "none"))
    assert (named["key"], named["client"], named["texts"]) == ("shop", "127.0.0.1", 1)
    assert second["key"] == "#2"
    assert (none["key"], none["status"]) == (None, 401)
    log = server.log.read_text()
    assert KEY not in log
    assert "another-key-of-16-letters" not in log
    assert "not a key" not in log


def test_malformed_http_is_a_line_of_json_too(server):
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.sendall(b"this is not HTTP\r\n\r\n")
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    assert b"cache-control: no-store" in head
    assert b"x-content-type-options: nosniff" in head
    request_id = json.loads(body)["error"]["request_id"]
    line = logged(server, request_id)
    assert (line["status"], line["error"]) == (400, "bad_request")


def test_memory_and_descriptors_are_those_of_the_workers(server, client):
    workers = [psutil.Process(process) for process in server.workers()]
    assert metric(client, "sentiment_workers") == len(workers) == 2
    memory = sum(worker.memory_info().rss for worker in workers)
    assert metric(client, "sentiment_resident_memory_bytes") == pytest.approx(memory, rel=0.05)
    descriptors = sum(worker.num_fds() for worker in workers)
    assert metric(client, "sentiment_open_descriptors") == pytest.approx(descriptors, abs=8)
    limits = sum(worker.rlimit(psutil.RLIMIT_NOFILE)[0] for worker in workers)
    assert metric(client, "sentiment_max_descriptors") == limits


def test_streams_and_their_lines_without_an_answer_are_counted(client):
    assert metric(client, "sentiment_streams_in_flight") == 0
    seen = []

    def body():
        yield b'{"text":"fine"}\nnot json\n{"text":""}\n'
        seen.append(metric(client, "sentiment_streams_in_flight"))

    headers = {"content-type": "application/x-ndjson"}
    assert client.post("/v1/bulk", content=body(), headers=headers).status_code == 200
    assert seen == [1]
    assert metric(client, "sentiment_streams_in_flight") == 0
    lines = client.get("/metrics").text
    assert 'sentiment_bulk_errors_total{reason="invalid_json"} 1.0' in lines
    assert 'sentiment_bulk_errors_total{reason="empty_text"} 1.0' in lines
