"""Clients that are slow, silent or too many take connections for a while and delay no other client."""

import contextlib
import http.client
import json
import socket
import time
import urllib.error
import urllib.request
from contextlib import ExitStack

import httpx
import psutil
import pytest

pytestmark = pytest.mark.slow

JSON = {"content-type": "application/json"}
LIMITS = {"head_seconds": 4, "max_connections": 6, "deadline_seconds": 6, "keep_alive_seconds": 30}


@pytest.fixture(scope="module")
def server(serve):
    """A server with few connections."""
    with serve(**LIMITS) as running_server:
        yield running_server


@pytest.fixture(autouse=True)
def _connections_are_closed(server):
    """Every test begins without connections but its own."""
    yield
    until = time.monotonic() + 20
    while metric(server, "sentiment_open_connections") > 1:
        assert time.monotonic() < until
        time.sleep(0.1)


def metric(server, name):
    series = httpx.get(f"{server.url}/metrics").text
    return float(series.partition(f"\n{name} ")[2].split()[0]) if f"\n{name} " in series else 0.0


def closed(server, reason):
    return metric(server, f'sentiment_closed_connections_total{{reason="{reason}"}}')


def read_to_the_end(connection):
    return b"".join(iter(lambda: connection.recv(65_536), b""))


@pytest.mark.parametrize("drip", [b"", b"a", b"\r\n"])
def test_a_head_that_does_not_end_is_cut_off_however_much_of_it_arrives(server, drip):
    before = closed(server, "head_too_slow")
    start = time.monotonic()
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(b"\r\n" if drip == b"\r\n" else b"GET /livez HTTP/1.1\r\nname: ")
        connection.settimeout(0.2)
        is_open = True
        while is_open and time.monotonic() - start < 20:
            try:
                is_open = connection.recv(1) != b""
            except ConnectionError:
                is_open = False
            except TimeoutError:
                connection.sendall(drip)
    assert not is_open
    assert closed(server, "head_too_slow") == before + 1


def test_the_seventh_connection_gets_429_and_probes_are_answered(server):
    with ExitStack() as stack:
        for _ in range(6):
            busy = stack.enter_context(socket.create_connection(server.address, timeout=10))
            busy.sendall(b"GET / HTTP/1.1\r\n")
        time.sleep(0.2)
        refused = httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]})
        probes = [httpx.get(f"{server.url}{path}") for path in ("/livez", "/readyz", "/v2/health/ready", "/metrics")]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
    assert refused.headers["connection"] == "close"
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["request_id"] == refused.headers["x-request-id"]
    assert [(probe.status_code, probe.headers["connection"]) for probe in probes] == [(200, "close")] * 4
    assert "6 connections are open, the maximum (SENTIMENT_MAX_CONNECTIONS)" in server.log.read_text()


def test_an_idle_connection_gives_way_to_a_new_one(server):
    with ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(server.address, timeout=10)) for _ in range(6)]
        time.sleep(1.5)
        assert httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}).status_code == 200
        with pytest.raises(ConnectionError):  # the oldest
            idle[0].recv(1)
        idle[5].sendall(b"GET /livez HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        assert read_to_the_end(idle[5]).startswith(b"HTTP/1.1 200")


def test_many_more_connections_than_the_maximum_do_not_keep_a_probe_out(server):
    with ExitStack() as stack:
        for _ in range(200):
            busy = stack.enter_context(socket.create_connection(server.address, timeout=10))
            busy.sendall(b"GET / HTTP/1.1\r\n")
        assert httpx.get(f"{server.url}/livez").status_code == 200
        assert metric(server, "sentiment_open_connections") < 60


def test_a_client_that_reads_nothing_is_cut_off(server):
    body = json.dumps({"texts": ["fine " * 400] * 78, "layers": [1, 2], "encoding": "base64"}).encode()
    lines = ("POST /v1/represent HTTP/1.1", "host: a", "content-type: application/json", f"content-length: {len(body)}")
    before = closed(server, "not_read")
    with socket.create_connection(server.address, timeout=20) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall("\r\n".join((*lines, "", "")).encode() + body)
        until = time.monotonic() + 20
        while closed(server, "not_read") == before:
            assert time.monotonic() < until
            time.sleep(0.1)
        with pytest.raises(ConnectionError):
            read_to_the_end(connection)
    assert "Traceback" not in server.log.read_text()


def test_urllib_reads_the_refusal_of_a_body_that_it_still_sends(server):
    opener = urllib.request.build_opener()  # says Connection: close, and reads when all is sent
    request = urllib.request.Request(f"{server.url}/v1/predict", b" " * 50_000_000, JSON)  # noqa: S310 - it is http
    with pytest.raises(urllib.error.HTTPError) as refused:
        opener.open(request, timeout=20)
    assert refused.value.code == 413
    assert json.loads(refused.value.read())["error"]["code"] == "body_too_large"


def test_a_client_that_goes_on_to_send_a_refused_body_is_closed_after_a_while(server):
    start = time.monotonic()
    with socket.create_connection(server.address, timeout=10) as connection:
        head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 1000000000\r\n\r\n"
        connection.sendall(head)
        assert read_to_the_end(connection).startswith(b"HTTP/1.1 413")
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - start < 20:
                connection.sendall(b"a" * 1000)
                time.sleep(0.05)
    assert time.monotonic() - start < 20


def test_a_connection_is_used_again_after_a_refused_body(server):
    client = http.client.HTTPConnection(*server.address, timeout=10)
    client.request("POST", "/v1/predict", b" " * 10_000_000, JSON)
    refused = client.getresponse()
    assert refused.status == 413
    refused.read()
    first = client.sock
    client.request("GET", "/livez")
    assert client.getresponse().status == 200
    assert client.sock is first
    client.close()


def test_a_service_without_descriptors_says_so_and_goes_on(serve):
    with serve() as server, ExitStack() as stack, httpx.Client(base_url=server.url, timeout=20) as kept:
        kept.get("/livez")
        (pid,) = server.workers()
        worker = psutil.Process(pid)
        soft, hard = worker.rlimit(psutil.RLIMIT_NOFILE)
        worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 5, hard))
        others = [stack.enter_context(socket.create_connection(server.address)) for _ in range(20)]
        time.sleep(0.5)
        assert kept.get("/livez").status_code == 200
        assert "out of system resource" in server.log.read_text()
        for other in others:
            other.close()
        assert httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}, timeout=20).status_code == 200
        worker.rlimit(psutil.RLIMIT_NOFILE, (soft, hard))
