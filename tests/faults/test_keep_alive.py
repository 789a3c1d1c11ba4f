"""An idle connection stays open for as long as it is set, and is closed after that."""

import socket
import time

import pytest

REQUEST = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"


def idle(server, seconds):
    """Whether a connection that was answered once is still open after some seconds."""
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.settimeout(seconds)
        try:
            return connection.recv(1) != b""
        except TimeoutError:
            return True


def test_a_connection_is_open_longer_than_uvicorns_default_of_5_seconds(server):
    assert idle(server, 7)


def test_the_time_is_a_setting(serve):
    with serve(keep_alive_seconds=1) as server:
        started = time.monotonic()
        assert not idle(server, 10)
        assert time.monotonic() - started == pytest.approx(1, abs=0.9)
