"""A rolling update: SIGTERM under load loses no request, and the process ends in a bounded time."""

import contextlib
import http.client
import json
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

pytestmark = pytest.mark.slow

BODY = json.dumps({"texts": ["fine"]})
JSON = {"content-type": "application/json"}
RUNS = 10


def send_until_refused(server, outcomes, *, keep_alive):
    """Send request after request until a connection is refused; count what became of each that was sent."""
    connection = None
    while True:
        if connection is None:
            connection = http.client.HTTPConnection(*server.address, timeout=20)
            try:
                connection.connect()
            except ConnectionRefusedError:
                return
        try:
            connection.request("POST", "/v1/predict", BODY, JSON)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            outcomes[type(error).__name__] += 1
            connection.close()
            connection = None
            continue
        closes = response.getheader("connection") == "close"
        outcomes[f"{response.status} {'close' if closes else 'keep'}"] += 1
        if closes or not keep_alive:
            connection.close()
            connection = None


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_under_load_loses_no_request(serve, workers):
    for _ in range(RUNS // 2):
        outcomes: Counter[str] = Counter()
        with serve(workers=workers, max_in_flight=64) as server, ThreadPoolExecutor(20) as pool:
            clients = [pool.submit(send_until_refused, server, outcomes, keep_alive=i < 16) for i in range(20)]
            time.sleep(1)
            server.stop()
            for client in clients:
                client.result(timeout=60)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{server.url}/livez")
            assert server.process.wait(60) == 0
        assert set(outcomes) == {"200 keep", "200 close"}, outcomes
        assert outcomes["200 keep"] > 16
        assert outcomes["200 close"] >= 16


def test_a_stream_that_never_ends_is_broken_off_after_the_grace(serve):
    head = (
        b"POST /v1/bulk HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    with serve(grace_seconds=1, drain_seconds=0) as server:
        with socket.create_connection(server.address, timeout=30) as stream:
            stream.sendall(head)
            assert stream.recv(65_536).startswith(b"HTTP/1.1 200")
            server.stop()
            rest = b""
            with contextlib.suppress(ConnectionError):
                while piece := stream.recv(65_536):
                    rest += piece
        assert not rest.endswith(b"0\r\n\r\n")  # the end of a complete answer
        server.process.wait(30)


def test_a_worker_that_does_not_end_is_killed(serve):
    with serve(grace_seconds=1, drain_seconds=0) as server:
        (worker,) = server.workers()
        stopped = next(child for child in server.process.children() if child.pid == worker)
        stopped.send_signal(signal.SIGSTOP)
        server.stop()
        assert server.process.wait(60) == 0
        assert not stopped.is_running()
