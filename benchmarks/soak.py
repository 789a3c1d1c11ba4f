"""Ten minutes of mixed load on two workers, one of which is killed every minute: statuses, latency and memory.

    python -m benchmarks.soak [--minutes 10] [--workers 2]

Clients send single sentences, requests of 256 sentences, long texts with explanations, representations and bulk
streams; some read their answers slowly and go away before the end. Every kind of request is counted by status.
"cut off" is a connection that broke within two seconds of a kill; "broken" is any other. Memory is the resident memory
of the workers, sampled twice a second. Exits with 1 if anything but 200, 429 and "cut off" happened.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import EXAMPLE, HEAD_END, exchange, percentile, request_bytes, resident_mebibytes
from benchmarks.server_processes import ONE_OF_EACH, Server, running

LONG_TEXT = " ".join([EXAMPLE] * 25)
KILL_EVERY_SECONDS = 60.0
AFTER_KILL_SECONDS = 2.0
SAMPLE_SECONDS = 0.5
PAUSE_SECONDS = 0.02
BULK_LINES = 500
SLOW_BYTES, SLOW_SECONDS = 4096, 0.2
ALLOWED = {"200", "429", "cut off"}


@dataclass
class Soak:
    """The state of a run, and its results.

    Attributes:
        address: host and port of the service.
        until: its end, in seconds of ``time.perf_counter``.
        killed: the time of the last kill.
        statuses: outcomes by kind of request.
        seconds: durations of answered requests by kind.
        memory: MiB of all workers together, by minute.
    """

    address: tuple[str, int]
    until: float
    killed: float = float("-inf")
    kills: int = 0
    statuses: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    memory: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def is_over(self) -> bool:
        """Whether the time is up."""
        return time.perf_counter() >= self.until

    def count(self, kind: str, status: str, seconds: float) -> None:
        """Count the outcome of one request."""
        self.statuses[kind][status] += 1
        if status == "200":
            self.seconds[kind].append(seconds)

    def broken(self) -> str:
        """The outcome of a connection that has just broken."""
        return "cut off" if time.perf_counter() < self.killed + AFTER_KILL_SECONDS else "broken"


Call = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]


def post(path: str, payload: dict[str, object]) -> bytes:
    """A request with a JSON body, after whose answer the connection closes."""
    return request_bytes(f"http://127.0.0.1{path}", json.dumps(payload).encode(), ["Connection: close"])


def whole(request: bytes) -> Call:
    """Send a request and read its answer at once."""

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        return (await exchange(reader, writer, request))[0]

    return call


def slow(request: bytes) -> Call:
    """Read an answer slowly, and go away after a while."""

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(request)
        head = await reader.readuntil(HEAD_END)
        for _ in range(20):
            if not await reader.read(SLOW_BYTES):
                break
            await asyncio.sleep(SLOW_SECONDS)
        return head[9:12].decode()

    return call


def stream(lines: int) -> Call:
    """Send a bulk stream while its answers are read; every line has to be answered."""
    body = (json.dumps({"text": EXAMPLE}) + "\n").encode() * lines
    head = request_bytes("http://127.0.0.1/v1/bulk", b"", ["Connection: close"]).replace(b"GET", b"POST", 1)
    content = f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}".encode()
    request = head.removesuffix(HEAD_END) + b"\r\n" + content + HEAD_END + body

    async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(request)
        answer = await reader.read()
        status = answer[9:12].decode()
        if status != "200":
            return status or "broken"
        return status if answer.count(b'"index"') == lines and answer.endswith(b"0\r\n\r\n") else "broken"

    return call


def clients() -> dict[str, tuple[int, Call]]:
    """Kinds of requests: how many clients repeat each, and how it is sent."""
    return {
        "a sentence": (4, whole(post("/v1/predict", {"texts": [EXAMPLE]}))),
        "256 sentences": (2, whole(post("/v1/predict", {"texts": [EXAMPLE] * 256}))),
        "16 long texts explained": (1, whole(post("/v1/predict", {"texts": [LONG_TEXT] * 16, "explain": True}))),
        "sentences of 16 long texts": (1, whole(post("/v1/predict", {"texts": [LONG_TEXT] * 16, "sentences": True}))),
        "representations of 8 long texts": (
            1,
            whole(post("/v1/represent", {"texts": [LONG_TEXT] * 8, "encoding": "base64"})),
        ),
        "bulk stream": (2, stream(BULK_LINES)),
        "slow reader": (4, slow(post("/v1/represent", {"texts": [LONG_TEXT] * 8, "encoding": "base64"}))),
    }


async def repeat(soak: Soak, kind: str, call: Call) -> None:
    """One client: the same call over and over, each on a connection of its own."""
    while not soak.is_over:
        started = time.perf_counter()
        writer = None
        try:
            reader, writer = await asyncio.open_connection(*soak.address, limit=2**27)
            status = await call(reader, writer)
        except (OSError, ValueError, asyncio.IncompleteReadError):  # ValueError: an answer that cannot be read
            status = soak.broken()
        finally:
            if writer is not None:
                writer.close()
        if status == "broken":
            status = soak.broken()
        soak.count(kind, status, time.perf_counter() - started)
        await asyncio.sleep(PAUSE_SECONDS)


async def watch_memory(soak: Soak, server: Server) -> None:
    """Sample the memory of the workers."""
    begun = time.perf_counter()
    while not soak.is_over:
        resident = 0.0
        for worker in server.workers:
            with contextlib.suppress(OSError, IndexError):
                resident += resident_mebibytes(worker.pid)
        soak.memory[int((time.perf_counter() - begun) // 60)].append(resident)
        await asyncio.sleep(SAMPLE_SECONDS)


async def kill_workers(soak: Soak, server: Server) -> None:
    """Kill a worker every minute, half a minute after the full one."""
    await asyncio.sleep(KILL_EVERY_SECONDS / 2)
    while not soak.is_over:
        alive = server.workers
        if len(alive) > 1:
            soak.killed = time.perf_counter()
            soak.kills += 1
            alive[soak.kills % len(alive)].kill()
        await asyncio.sleep(KILL_EVERY_SECONDS)


async def run(soak: Soak, server: Server) -> None:
    """All clients, until the time is up."""
    tasks = [repeat(soak, kind, call) for kind, (count, call) in clients().items() for _ in range(count)]
    await asyncio.gather(*tasks, watch_memory(soak, server), kill_workers(soak, server))


def report(soak: Soak) -> int:
    """Print the tables; returns the exit status."""
    print(f"\n{soak.kills} workers killed\n\n| request | outcomes | p50 ms | p99 ms |\n|---|---|---|---|")
    for kind, statuses in soak.statuses.items():
        outcomes = ", ".join(f"{count:,} x {status}" for status, count in sorted(statuses.items()))
        seconds = soak.seconds[kind]
        print(f"| {kind} | {outcomes} | {percentile(seconds, 0.5):.1f} | {percentile(seconds, 0.99):.1f} |")
    print("\n| minute | MiB of all workers, median | most |\n|---|---|---|")
    for minute, samples in soak.memory.items():
        print(f"| {minute + 1} | {sorted(samples)[len(samples) // 2]:.0f} | {max(samples):.0f} |")
    return int(any(set(statuses) - ALLOWED for statuses in soak.statuses.values()))


def main() -> None:
    """Start the service, load it, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    settings = ONE_OF_EACH | {"SENTIMENT_WORKERS": str(options.workers), "SENTIMENT_ACCESS_LOG": "false"}
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as home,
        running("service", Path(home), uvloop=True, settings=settings) as server,
    ):
        soak = Soak(("127.0.0.1", server.port), time.perf_counter() + 60 * options.minutes)
        asyncio.run(run(soak, server))
    sys.exit(report(soak))


if __name__ == "__main__":
    main()
