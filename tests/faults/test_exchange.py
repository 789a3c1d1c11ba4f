"""A service under load whose model is exchanged: no request fails, in no worker."""

import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager, suppress

import httpx
import pytest

from model_store import bundle as bundles

pytestmark = [pytest.mark.server, pytest.mark.slow]

WORKERS = 2
SECONDS = 90
EXCHANGED, REFUSED = (
    f'sentiment_model_exchanges_total{{model="tiny",outcome="{outcome}"}}' for outcome in ("exchanged", "refused")
)


def write_version(folder, content, version):
    files = {bundles.TOKENIZER: content.tokenizer, bundles.GRAPH: content.graph}
    shutil.rmtree(folder, ignore_errors=True)
    bundles.write(folder, content.manifest.replace(version=version), files)


def version_of(server):
    """Of the model that answers, by a connection of its own, which any worker may take."""
    with suppress(httpx.TransportError):  # a connection to the worker that is killed
        response = httpx.post(f"{server.url}/v1/predict", json={"texts": ["fine"]}, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()["model"]["version"]
    return None


def wait_for(server, version):
    until = time.monotonic() + SECONDS
    seen = []
    while seen[-20:] != [version] * 20:
        assert time.monotonic() < until, f"{version} is not served everywhere: {seen[-20:]}"
        seen.append(version_of(server))


def value(server, series):
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    return next(float(line.removeprefix(f"{series} ")) for line in lines if line.startswith(f"{series} "))


def wait_for_series(server, series, least):
    until = time.monotonic() + SECONDS
    while value(server, series) < least:
        assert time.monotonic() < until, server.log.read_text()
        time.sleep(0.1)


@contextmanager
def asked_all_the_time(server):
    """Four clients that ask until the block ends; afterwards the statuses of their answers."""
    stop, statuses = threading.Event(), set()

    def ask():
        with httpx.Client(base_url=server.url, timeout=60) as client:
            while not stop.is_set():
                statuses.add(client.post("/v1/predict", json={"texts": ["fine", "cold soup"]}).status_code)
                time.sleep(0.01)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield statuses
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_every_worker_follows_and_no_request_fails(start_server, tiny_bundle, tmp_path):
    folder, content = tmp_path / "bundle", bundles.read(tiny_bundle)
    write_version(folder, content, "1")
    with start_server(model=folder, workers=WORKERS, threads=1) as server:
        wait_for_series(server, "sentiment_workers", WORKERS)
        with asked_all_the_time(server) as statuses:
            write_version(folder, content, "2")
            server.process.send_signal(signal.SIGHUP)
            wait_for_series(server, EXCHANGED, WORKERS)
            (folder / bundles.GRAPH).write_bytes(content.graph[:-1])
            server.process.send_signal(signal.SIGHUP)
            wait_for_series(server, REFUSED, 1)
        assert statuses == {200}
        assert value(server, EXCHANGED) == WORKERS
        assert version_of(server) == "2"
        write_version(folder, content, "2")
        os.kill(min(server.workers()), signal.SIGKILL)  # the one in its place serves what was verified last
        wait_for(server, "2")
        log = server.log.read_text()
        assert "the model tiny stays as it is" in log
        assert "Traceback" not in log
