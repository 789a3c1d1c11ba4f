"""An idle connection stays open for as long as it is set, and is closed after that."""

import http.client
import time

import pytest


def idle(server, seconds):
    """Whether a connection that was answered once is still open after some seconds."""
    client = http.client.HTTPConnection(*server.address, timeout=10)
    client.request("GET", "/livez")
    response = client.getresponse()
    assert response.status == 200
    response.read()
    with client.sock as connection:
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
