"""Ten times more clients than there are places, work that takes too long, a killed worker, and the end."""

import json
import os
import signal
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx

LONG = {"texts": ["fine " * 400] * 120}  # 48,000 tokens
SHORT = {"texts": ["fine"]}


def hammer(server, *, clients, seconds, body, until=None):
    """Clients that send again as soon as they are answered: statuses, and seconds of the good answers."""
    statuses: Counter[str] = Counter()
    durations = []
    end = time.monotonic() + seconds

    def client(_):
        with httpx.Client(base_url=server.url, timeout=30) as connection:
            while time.monotonic() < end and not (until and until.is_set()):
                start = time.monotonic()
                try:
                    response = connection.post("/v1/predict", json=body)
                except httpx.HTTPError as error:
                    statuses[type(error).__name__] += 1
                    continue
                statuses[str(response.status_code)] += 1
                if response.status_code == 200:
                    durations.append(time.monotonic() - start)
                else:
                    assert int(response.headers["retry-after"]) >= 1

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return statuses, sorted(durations)


def test_overload_is_answered_with_200_and_429_only_and_probes_answer(server):
    body = {"texts": ["fine " * 400] * 10}
    probes = []
    stop = Event()

    def probe():
        while not stop.is_set():
            for path in ("/livez", "/readyz", "/metrics"):
                start = time.monotonic()
                assert httpx.get(f"{server.url}{path}", timeout=5).status_code == 200
                probes.append(time.monotonic() - start)
            time.sleep(0.1)

    with ThreadPoolExecutor(1) as pool:
        probing = pool.submit(probe)
        statuses, durations = hammer(server, clients=40, seconds=4, body=body)
        stop.set()
        probing.result()
    assert set(statuses) == {"200", "429"}
    assert durations[int(0.99 * len(durations))] < 3  # the deadline
    assert max(probes) < 3
    rejected = httpx.get(f"{server.url}/metrics").text
    assert f'sentiment_rejections_total{{reason="overloaded"}} {float(statuses["429"])}' in rejected


def test_work_past_its_deadline_is_answered_with_504_and_stops(serve):
    with serve(deadline_seconds=0.05) as server:
        start = time.monotonic()
        response = httpx.post(f"{server.url}/v1/predict", json=LONG, timeout=20)
        assert time.monotonic() - start < 3
        assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_exceeded")
        # The only thread is free again: what was left of the work has been dropped.
        assert httpx.post(f"{server.url}/v1/predict", json=SHORT, timeout=20).status_code == 200


def test_sigterm_turns_not_ready_finishes_what_is_under_way_and_exits_with_0(serve):
    with (
        serve(deadline_seconds=30, drain_seconds=2) as server,
        httpx.Client(base_url=server.url, timeout=20) as kept,
        ThreadPoolExecutor(3) as pool,
    ):
        kept.get("/livez")
        under_way = [pool.submit(httpx.post, f"{server.url}/v1/predict", json=LONG, timeout=20) for _ in range(3)]
        time.sleep(0.15)
        server.stop()
        until = time.monotonic() + 1.5
        while (ready := kept.get("/readyz")).status_code == 200:
            assert time.monotonic() < until
        assert (ready.status_code, ready.json()["error"]["code"]) == (503, "not_ready")
        assert kept.get("/livez").status_code == 200
        assert kept.post("/v1/predict", json=SHORT).status_code == 200  # nobody has been turned away yet
        assert [request.result().status_code for request in under_way] == [200] * 3
        assert server.process.wait(20) == 0


def test_a_killed_worker_comes_back_and_the_other_serves(serve):
    with serve(workers=2) as server:
        victim, other = sorted(server.workers())
        with ThreadPoolExecutor(1) as pool:
            stop = Event()
            load = pool.submit(hammer, server, clients=3, seconds=40, body=SHORT, until=stop)
            time.sleep(0.5)
            os.kill(victim, signal.SIGKILL)
            until = time.monotonic() + 30
            while len(server.workers()) < 2 or victim in server.workers():
                assert time.monotonic() < until, server.log.read_text()
                time.sleep(0.1)
            time.sleep(0.5)
            stop.set()
            statuses, durations = load.result()
        assert other in server.workers()
        broken = sum(count for status, count in statuses.items() if status != "200")
        assert broken <= 3  # at most what the dead worker had under way
        assert len(durations) > 50


def test_a_place_for_streams_is_not_a_place_for_requests(server):
    head = b"POST /v1/bulk HTTP/1.1\r\nhost: a\r\n"
    with socket.create_connection(server.address, timeout=10) as stream:
        stream.sendall(head + b"content-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n")
        assert stream.recv(65_536).startswith(b"HTTP/1.1 200")
        headers = {"content-type": "application/x-ndjson"}
        line = json.dumps({"text": "fine"}).encode()
        refused = httpx.post(f"{server.url}/v1/bulk", content=line, headers=headers, timeout=10)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "overloaded")
        assert httpx.post(f"{server.url}/v1/predict", json=SHORT, timeout=10).status_code == 200
