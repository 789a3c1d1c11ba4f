"""Whatever clients send to the shipped model under the default limits, its worker stays below 512 MiB and answers."""

import json
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

MEBIBYTE = 2**20
MOST = 512 * MEBIBYTE
CLIENTS = 8
DEADLINE = 8
LONG = "fine day " * 256  # 512 tokens
LONGEST = "fine day " * 2500  # 5,000 tokens, the most that the model reads
INFER = "/v2/models/sentiment-bilstm/infer"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(start_server):
    with start_server(threads=2, deadline_seconds=DEADLINE) as server:
        yield server


def resident(server):
    """Bytes of the largest process."""
    processes = [server.process, *server.process.children(recursive=True)]
    return max(process.memory_info().rss for process in processes)


@contextmanager
def watched(server):
    """The resident memory every 10 milliseconds, and the seconds that each probe took."""
    sizes, seconds, stop = [], [], threading.Event()

    def watch():
        while not stop.wait(0.01):
            sizes.append(resident(server))

    def probe():
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while not stop.wait(0.05):
                started = time.monotonic()
                assert client.get("/livez").status_code == 200
                seconds.append(time.monotonic() - started)

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(watch), pool.submit(probe)]
        try:
            yield sizes, seconds
        finally:
            stop.set()
            for each in done:
                each.result()


def ask(server, path, body, *, reads=True):
    """The status of an answer, which is read to its end or not at all."""
    head = f"POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nconnection: close\r\n"
    with socket.create_connection(server.address, timeout=60) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        if not reads:
            time.sleep(2)
        status = int(connection.recv(65_536)[9:12])
        with suppress(ConnectionResetError):
            while reads and connection.recv(65_536):
                pass
    return status


def dumped(**members):
    return json.dumps(members).encode()


def infer(**members):
    tensor = {"name": "text", "shape": [16], "datatype": "BYTES", "data": [LONG] * 16}
    return dumped(inputs=[tensor], **members)


REPRESENTATIONS = [{"name": "representations"}]
ANSWERED = {200, 429, 504}

CASES = {
    "a million numbers": ("/v1/predict", b'{"texts":[' + b"1," * 1_000_000 + b"1]}", {422}),
    "700,000 lists": ("/v1/represent", b'{"layers":[' + b"[]," * 690_000 + b"1]}", {422}),
    "200,000 unknown keys": ("/v1/predict", b"{" + b",".join(b'"%x":1' % n for n in range(200_000)) + b"}", {422}),
    "a million numbers as a tensor": (INFER, infer().replace(b"fine", b"1," * 800 + b"fine"), {400, 413, 422, 429}),
    "one output sixteen times": (INFER, infer(outputs=REPRESENTATIONS * 16), {400}),
    "as many members as are parsed": (
        "/v1/predict",
        b"{" + b",".join(b'"%d":[%b]' % (n, b",".join([b"{}"] * 60)) for n in range(250)) + b"}",
        {422},
    ),
    "many explained tokens": ("/v1/predict", dumped(texts=[LONG] * 60, explain=True), ANSWERED),
    "the longest texts": ("/v1/predict", dumped(texts=[LONGEST] * 26, explain=True), ANSWERED),
    "and with representations": ("/v1/represent", dumped(texts=[LONGEST], encoding="base64"), ANSWERED),
    "many sentences": ("/v1/predict", dumped(texts=["a. " * 170] * 100, sentences=True), ANSWERED),
    "as many numbers as are allowed": ("/v1/represent", dumped(texts=[LONG] * 16), ANSWERED),
    "and as base64": ("/v1/represent", dumped(texts=[LONG] * 16, encoding="base64"), ANSWERED),
    "and as a tensor": (INFER, infer(outputs=REPRESENTATIONS), ANSWERED),
    "and as bytes": (INFER, infer(outputs=REPRESENTATIONS, parameters={"binary_data_output": True}), ANSWERED),
    "the largest body": ("/v1/predict", dumped(texts=["\u00e9" * 1_300] * 256), ANSWERED),
    "a body beyond the largest": ("/v1/predict", dumped(texts=["a" * 32_000] * 256), {413}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_kind_of_request_from_eight_clients_at_once(server, case):
    path, body, expected = CASES[case]
    with watched(server) as (sizes, _), ThreadPoolExecutor(2 * CLIENTS) as pool:
        readers = [pool.submit(ask, server, path, body) for _ in range(CLIENTS)]
        others = [pool.submit(ask, server, path, body, reads=False) for _ in range(CLIENTS)]
        statuses = {each.result() for each in (*readers, *others)}
    assert statuses <= expected
    assert max(sizes) < MOST
    assert ask(server, "/v1/predict", dumped(texts=["fine"])) == 200


def test_sixty_slow_bodies_are_bounded_and_given_back(server):
    before = resident(server)
    head = b"POST /v1/predict HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 2000000\r\n\r\n"
    with watched(server) as (sizes, _):
        slow = []
        for _ in range(60):
            connection = socket.create_connection(server.address, timeout=30)
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(head + b" " * 1_900_000)
            slow.append(connection)
        time.sleep(1)
        for connection in slow:
            connection.close()
    assert max(sizes) < MOST
    until = time.monotonic() + 10
    while resident(server) > before + 32 * MEBIBYTE:
        assert time.monotonic() < until, f"{resident(server) / MEBIBYTE:.0f} MiB of {before / MEBIBYTE:.0f}"
        time.sleep(0.1)
    assert ask(server, "/v1/predict", dumped(texts=["fine"])) == 200


def test_memory_goes_back_to_the_system_after_all_of_it(server):
    time.sleep(2)
    assert resident(server) < 300 * MEBIBYTE
    series = httpx.get(f"{server.url}/metrics").text
    assert "sentiment_bytes_in_flight 0.0" in series
    assert "Traceback" not in server.log.read_text()


def test_a_limit_on_resident_memory_refuses_instead_of_ending(start_server):
    with start_server(threads=1, max_resident_bytes=200 * MEBIBYTE) as server, ThreadPoolExecutor(CLIENTS) as pool:
        body = dumped(texts=[LONG] * 16)
        jobs = [pool.submit(ask, server, "/v1/represent", body, reads=False) for _ in range(CLIENTS)]
        statuses = [job.result() for job in jobs]
        assert set(statuses) <= {200, 429}
        assert 429 in statuses
        assert resident(server) < 300 * MEBIBYTE
        assert ask(server, "/v1/predict", dumped(texts=["fine"])) == 200


@pytest.fixture
def group():
    """A group of the kernel's memory controller with a limit of 512 MiB, where this machine lets us make one."""
    folder = Path(f"/sys/fs/cgroup/memory/sentiment-test-{os.getpid()}")
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(MOST))
    except OSError:
        pytest.skip("this machine does not let us limit memory by a group")
    yield folder
    folder.rmdir()


def test_a_container_of_512_mebibytes_survives_all_at_once(start_server, group):
    enter = ("sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh")
    with start_server(threads=2, deadline_seconds=DEADLINE, prefix=enter) as server:
        workers = server.workers()
        with ThreadPoolExecutor(2 * len(CASES)) as pool:
            jobs = {
                pool.submit(ask, server, path, body, reads=reads): expected
                for path, body, expected in CASES.values()
                for reads in (True, False)
            }
            for job, expected in jobs.items():
                assert job.result() in expected | {429, 504}  # those that waited for a thread
        assert server.workers() == workers
        assert int((group / "memory.max_usage_in_bytes").read_text()) <= MOST
        assert ask(server, "/v1/predict", dumped(texts=["fine"])) == 200
