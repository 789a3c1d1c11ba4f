"""Throughput, latency and statuses of a running service, measured with a closed-loop HTTP client.

    python -m benchmarks.load --connections 8 --seconds 10
    python -m benchmarks.load --requests 100000 --connections 8 --parts 10 --process 1234

With ``--process``, the process id of a worker, it also reports the memory of that process and its processor time per
request, which depends less on other load than the wall clock does.

Each connection sends a request and waits for the response before the next. The client uses plain sockets, so that it
takes little processor time from the service on a small machine.
"""

import argparse
import asyncio
import json
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

EXAMPLE = "The movie was terribly exciting and I would gladly see it again with all of my friends next week."
HEAD_END = b"\r\n\r\n"


@dataclass
class Load:
    """The limits of a measurement, and its results."""

    until: float
    requests: int
    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def wants_more(self) -> bool:
        """Count a request, and say whether it should be sent."""
        self.requests -= 1
        return self.requests >= 0 and time.perf_counter() < self.until


def request_bytes(url: str, body: bytes, headers: list[str]) -> bytes:
    """An HTTP/1.1 request: POST if there is a body, else GET."""
    parts = urlsplit(url)
    lines = [f"{'POST' if body else 'GET'} {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", *headers]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + HEAD_END + body


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[str, bool]:
    """Send one request and read the response: its status, and whether the connection stays open."""
    writer.write(request)
    head = (await reader.readuntil(HEAD_END)).lower()
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)  # and the end of the line
        await reader.readuntil(b"\r\n")
    else:
        _, _, length = head.partition(b"content-length: ")
        await reader.readexactly(int(length.partition(b"\r\n")[0]))
    return head[9:12].decode(), b"connection: close" not in head


async def client(url: str, request: bytes, load: Load) -> None:
    """The requests of one connection, which reconnects when the server closes it."""
    parts = urlsplit(url)
    writer: asyncio.StreamWriter | None = None
    while load.wants_more():
        started = time.perf_counter()
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**26)
            status, open_still = await exchange(reader, writer, request)
        except (OSError, asyncio.IncompleteReadError):
            status, open_still = "broken", False
        load.statuses[status] += 1
        if status == "200":
            load.seconds.append(time.perf_counter() - started)
        if not open_still and writer is not None:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def run(url: str, request: bytes, load: Load, connections: int) -> float:
    """Run all connections to their end and return the seconds it took."""
    started = time.perf_counter()
    await asyncio.gather(*(client(url, request, load) for _ in range(connections)))
    return time.perf_counter() - started


def resident_mebibytes(process: int, *, field: Literal["VmRSS", "VmHWM"] = "VmRSS") -> float:
    """The resident memory of a process, or the most it had (``VmHWM``), from /proc of Linux."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def processor_seconds(process: int) -> float:
    """The processor time of a process since its start, from /proc of Linux."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def percentile(values: list[float], share: float) -> float:
    """The value in milliseconds that this share of the values, in seconds, does not exceed."""
    return 1000 * sorted(values)[min(int(share * len(values)), len(values) - 1)] if values else float("nan")


def report(load: Load, seconds: float) -> str:
    """One line of figures."""
    statuses = ", ".join(f"{count} x {status}" for status, count in sorted(load.statuses.items()))
    return (
        f"{len(load.seconds) / seconds:8.1f} answers/s   p50 {percentile(load.seconds, 0.5):7.2f} ms   "
        f"p99 {percentile(load.seconds, 0.99):7.2f} ms   {statuses}   in {seconds:.1f} s"
    )


def main() -> None:
    """Send the requests and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="http://127.0.0.1:3000/v1/predict")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0, help="stop after this long")
    parser.add_argument("--requests", type=int, default=10**9, help="stop after this many")
    parser.add_argument("--texts", type=int, default=1, help="texts in each request; 0 sends a GET")
    parser.add_argument("--body", help="a file to send instead")
    parser.add_argument("--header", action="append", default=[], help='such as "X-API-Key: secret"')
    parser.add_argument("--parts", type=int, default=1, help="report in this many parts")
    parser.add_argument("--process", type=int, help="a worker's process id: also report its memory and processor time")
    options = parser.parse_args()
    body = json.dumps({"texts": [EXAMPLE] * options.texts}).encode() if options.texts else b""
    if options.body:
        body = Path(options.body).read_bytes()
    request = request_bytes(options.url, body, options.header)
    for _ in range(options.parts):
        seconds = options.seconds / options.parts
        load = Load(until=time.perf_counter() + seconds, requests=options.requests // options.parts)
        before = processor_seconds(options.process) if options.process else 0.0
        line = report(load, asyncio.run(run(options.url, request, load, options.connections)))
        if options.process:
            taken = 1000 * (processor_seconds(options.process) - before) / max(sum(load.statuses.values()), 1)
            line += f"   {taken:.2f} ms of processor each, {resident_mebibytes(options.process):.1f} MiB"
        print(line, flush=True)


if __name__ == "__main__":
    main()
