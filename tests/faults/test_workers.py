"""A worker that dies is logged, counted and replaced, and other users of the machine cannot reach its supervisor."""

import os
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import psutil
import pytest

pytestmark = pytest.mark.slow


def metric(server, name):
    series = httpx.get(f"{server.url}/metrics", timeout=20).text
    return float(series.partition(f"\n{name} ")[2].split()[0])


def wait_for(condition, *, seconds):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_death_is_logged_and_counted_and_what_the_dead_worker_held_is_forgotten(serve):
    with serve(workers=2, deadline_seconds=60) as server:
        wait_for(lambda: server.log.read_text().count("Completed async startup hook") == 2, seconds=60)
        held = socket.create_connection(server.address)  # half a body, whose bytes count in one of the workers
        head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
        with held:
            held.sendall(head + b" " * 500)
            wait_for(lambda: metric(server, "sentiment_open_connections") == 2, seconds=20)  # with that of the question
            (victim,) = [pid for pid in server.workers() if serves(pid, held)]
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda: metric(server, "sentiment_open_connections") == 1, seconds=10)
        assert metric(server, "sentiment_worker_deaths_total") == 1
        assert f"worker {victim} died (killed by SIGKILL); another one is started" in server.log.read_text()
        wait_for(lambda: len(server.workers()) == 2, seconds=10)
        assert victim not in server.workers()
    assert metric_of_log(server, "died") == 1  # the end is no death


def serves(pid, client):
    """Whether this process has the other end of a connection."""
    return any(connection.raddr == client.getsockname() for connection in psutil.Process(pid).net_connections("tcp"))


def metric_of_log(server, word):
    return sum(word in line for line in server.log.read_text().splitlines())


def test_the_supervisor_listens_at_the_services_port_and_in_a_private_folder_only(serve):
    with serve() as server:
        connections = server.process.net_connections("all")
        ports = {
            connection.laddr.port
            for connection in connections
            if connection.type == socket.SOCK_STREAM and connection.family == socket.AF_INET
        }
        paths = {
            Path(connection.laddr)
            for connection in connections
            if connection.family == socket.AF_UNIX and connection.laddr
        }
        assert ports == {server.port}
        (folder,) = {path.parent for path in paths}
        assert {path.name for path in paths} == {"endpoint", "pubsub_endpoint"}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert (folder / "metrics").is_dir()
    assert not folder.exists()
