"""Resident memory of a worker by kind of request, and how long probes wait meanwhile.

    python -m benchmarks.memory [--kinds explained represented] [--clients 8]

Starts the service with the SENTIMENT_* settings of the environment and sends each kind from several clients at once,
then from clients that do not read their answers. The memory of the worker is sampled every 5 milliseconds; ``after`` is
read three seconds after the last answer. A probe asks for ``/livez`` every 10 milliseconds from a process of its own.
The kinds are the largest requests of their sort that the default limits let through, and hostile ones.
"""

import argparse
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Thread

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.load import percentile
from benchmarks.server_processes import MEBIBYTE, PROJECT, Server, running

BODY_BYTES = 2 * MEBIBYTE
LONG, LONGEST, MANY = "fine day " * 256, "fine day " * 2500, 256  # 512 tokens, and 5,000, the most that the model reads
SETTLED_SECONDS = 3.0
UNREAD_SECONDS = 3.0


def bodies() -> dict[str, tuple[str, bytes]]:
    """Path and body by kind."""
    model = shipped_name()
    tensor = {"name": "text", "datatype": "BYTES"}
    represented = {"inputs": [tensor | {"shape": [16], "data": [LONG] * 16}], "outputs": [{"name": "representations"}]}
    binary = represented | {"parameters": {"binary_data_output": True}}
    sentences = "a. " * 170
    text = "fine day " * (BODY_BYTES // MANY // 9 - 1)
    return {
        "one short text": ("/v1/predict", dumped(texts=["fine"])),
        "256 texts of 512 tokens": ("/v1/predict", dumped(texts=[LONG] * MANY)),
        "26 texts of 5,000 tokens": ("/v1/predict", dumped(texts=[LONGEST] * 26, explain=True)),
        "explained": ("/v1/predict", dumped(texts=[LONG] * MANY, explain=True)),
        "sentences": ("/v1/predict", dumped(texts=[sentences] * MANY, sentences=True)),
        "represented, numbers": ("/v1/represent", dumped(texts=[LONG] * 16)),
        "represented, base64": ("/v1/represent", dumped(texts=[LONG] * 16, encoding="base64")),
        "/v2, numbers": (f"/v2/models/{model}/infer", json.dumps(represented).encode()),
        "/v2, bytes": (f"/v2/models/{model}/infer", json.dumps(binary).encode()),
        "a body of the largest size": ("/v1/predict", dumped(texts=[text] * MANY)),
        "20 texts of 100,000 characters": ("/v1/predict", dumped(texts=["fine day " * 11_000] * 20)),
        "a million numbers": ("/v1/predict", b'{"texts":[' + b"1," * 1_000_000 + b"1]}"),
        "700,000 lists": ("/v1/represent", b'{"layers":[' + b"[]," * 690_000 + b"1]}"),
        "16,000 lists": ("/v1/represent", b'{"layers":[' + b"[]," * 16_000 + b"1]}"),
        "200,000 unknown keys": ("/v1/predict", b"{" + b",".join(b'"%x":1' % n for n in range(200_000)) + b"}"),
        "8 MB": ("/v1/predict", dumped(texts=["fine day " * 3_600] * MANY)),
    }


def shipped_name() -> str:
    """The name of the shipped model."""
    manifest = json.loads((PROJECT / "model_store/default/manifest.json").read_text(encoding="utf-8"))
    return str(manifest["name"])


def dumped(**members: object) -> bytes:
    """A JSON object."""
    return json.dumps(members).encode()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", help="beginnings of the names of some kinds; all by default")
    parser.add_argument("--clients", type=int, default=8, help="requests at once, each sent once")
    options = parser.parse_args()
    table = Table("kind", "clients", "answers", "seconds", "peak, MiB", "after, MiB", "/livez p99, ms", "most, ms")
    settings = {name: value for name, value in os.environ.items() if name.startswith("SENTIMENT_")}
    with (
        tempfile.TemporaryDirectory(prefix="memory-") as folder,
        running("service", Path(folder), uvloop=True, settings=settings) as server,
    ):
        idle = f"{resident(server.workers[0]):.0f}"
        table.add_row("none", "", "", "", idle, idle, "", "")
        for kind, (path, body) in bodies().items():
            if options.kinds and not kind.startswith(tuple(options.kinds)):
                continue
            for reads in (True, False):
                add_row(table, kind, server, request(path, body), clients=options.clients, reads=reads)
    Console(width=140).print(table)


def add_row(table: Table, kind: str, server: Server, sent: bytes, *, clients: int, reads: bool) -> None:
    """Measure one kind."""
    worker = server.workers[0]
    with sampled(worker) as samples, probed(server.port) as probes, ThreadPoolExecutor(clients) as pool:
        started = time.perf_counter()
        answers = Counter(pool.map(lambda _: ask(server.port, sent, reads=reads), range(clients)))
        seconds = time.perf_counter() - started
    time.sleep(SETTLED_SECONDS)
    times = sorted(probes)
    table.add_row(
        kind if reads else "  the same, not read",
        str(clients),
        ", ".join(f"{count} x {status}" for status, count in sorted(answers.items())),
        f"{seconds:.1f}",
        f"{max(samples):.0f}",
        f"{resident(worker):.0f}",
        f"{percentile(times, 0.99):.0f}",
        f"{1000 * times[-1]:.0f}",
    )


def request(path: str, body: bytes) -> bytes:
    """An HTTP/1.1 request."""
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(port: int, sent: bytes, *, reads: bool) -> str:
    """Send a request and read the whole answer, or only its status after a while; return the status."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):  # refused before all of it was sent
            connection.sendall(sent)
        try:
            if not reads:
                time.sleep(UNREAD_SECONDS)
            status = connection.recv(65_536)[9:12].decode()
            while reads and connection.recv(65_536):
                pass
        except ConnectionResetError:
            return "reset"
    return status


def resident(process: psutil.Process) -> float:
    """Resident memory of a process, in MiB."""
    return float(process.memory_info().rss / MEBIBYTE)


@contextmanager
def sampled(process: psutil.Process) -> Iterator[list[float]]:
    """Sample a process's memory during the block."""
    samples, stop = [resident(process)], Event()

    def sample() -> None:
        while not stop.wait(0.005):
            samples.append(resident(process))

    thread = Thread(target=sample)
    thread.start()
    yield samples
    stop.set()
    thread.join()


@contextmanager
def probed(port: int) -> Iterator[list[float]]:
    """Probe ``/livez`` during the block; the seconds are there at its end."""
    times: list[float] = []
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=probe, args=(port, theirs))
    process.start()
    ours.recv()  # it has begun
    yield times
    ours.send("stop")
    times.extend(ours.recv())
    process.join()


def probe(port: int, parent: Connection) -> None:
    """Ask until told to stop, then send the seconds of each answer."""
    times = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        while not parent.poll():
            started = time.perf_counter()
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.recv(4096)
            times.append(time.perf_counter() - started)
            if len(times) == 1:
                parent.send("begun")
            time.sleep(0.01)
    parent.recv()
    parent.send(times)


if __name__ == "__main__":
    main()
