"""What clients see while the model is exchanged under load, and what memory it takes.

    python -m benchmarks.exchange [--connections 64] [--requests 10000] [--exchanges 20]

Serves the shipped model from a folder. First the connections ask without exchanges, then again while another version is
written to the folder and the service gets SIGHUP, again and again, evenly over the requests, which go on until all
exchanges are done. Prints statuses, p50 and p99 of both, and the worker's memory after each exchange. One worker.
"""

import argparse
import asyncio
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks.load import Load, report, request_bytes, resident_mebibytes, run
from benchmarks.server_processes import body, running, wait_until_ready
from model_store import bundle as bundles

SETTLE_SECONDS = 1.0
"""After an exchange, for the old model to go and the heap to be trimmed."""


def write_version(folder: Path, version: str) -> None:
    """The shipped bundle under another version, in place of what the folder holds."""
    content = bundles.read(bundles.DEFAULT)
    files = {bundles.TOKENIZER: content.tokenizer, bundles.GRAPH: content.graph}
    new = folder.with_name("new")
    bundles.write(new, content.manifest.replace(version=version), files)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


async def exchanges(
    count: int, bundle: Path, supervisor: psutil.Process, due: Callable[[int], bool]
) -> tuple[list[float], list[float]]:
    """Exchange the model so often, each time when it is due: the memory after each, in MiB, and the seconds of each."""
    worker = max(supervisor.children(), key=lambda process: process.memory_info().rss).pid
    log = bundle.with_name("service.log")
    memory, seconds = [resident_mebibytes(worker)], []
    for number in range(count):
        while not due(number):  # noqa: ASYNC110 - the requests tell nobody
            await asyncio.sleep(0.01)
        await asyncio.to_thread(write_version, bundle, f"2.{number}.0")
        sha256 = bundles.read(bundle).sha256
        begin = time.monotonic()
        supervisor.send_signal(signal.SIGHUP)
        while not served(log, sha256):  # noqa: ASYNC110 - nor does the log
            await asyncio.sleep(0.02)
        seconds.append(time.monotonic() - begin)
        await asyncio.sleep(SETTLE_SECONDS)
        memory.append(resident_mebibytes(worker))
    return memory, seconds


def served(log: Path, sha256: str) -> bool:
    """Whether the log says that this bundle is served."""
    return f"({sha256[:12]})" in log.read_text(errors="replace")


def main() -> None:
    """Serve, ask, exchange, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--exchanges", type=int, default=20)
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = folder / "bundle"
        write_version(bundle, "1.0.0")
        settings = {"SENTIMENT_MODEL": str(bundle), "SENTIMENT_ACCESS_LOG": "false"}
        with running("service", folder, uvloop=True, settings=settings) as url:
            wait_until_ready(url, log=folder / "service.log")
            supervisor = next(child for child in psutil.Process(os.getpid()).children() if "serve" in child.cmdline())
            asyncio.run(measure(url, supervisor, bundle, arguments))


async def measure(url: str, supervisor: psutil.Process, bundle: Path, arguments: argparse.Namespace) -> None:
    """Ask without exchanges, then with them."""
    request = request_bytes(url, body(1, url), [])
    for count in (0, arguments.exchanges):
        load = Load(until=time.perf_counter() + 600, requests=10**9)
        step = arguments.requests / max(1, count)

        def due(number: int, load: Load = load, step: float = step) -> bool:
            return len(load.seconds) >= number * step

        asking = asyncio.create_task(run(url, request, load, arguments.connections))
        memory, seconds = await exchanges(count, bundle, supervisor, due)
        while len(load.seconds) < arguments.requests:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        load.until = 0.0  # each connection ends with the answer it waits for
        print(f"{count:3d} exchanges: {report(load, await asking)}")
        if count:
            print(f"seconds of an exchange: {min(seconds):.2f} to {max(seconds):.2f}")
            print(f"MiB before: {memory[0]:.0f}; after each: {', '.join(f'{value:.0f}' for value in memory[1:])}")


if __name__ == "__main__":
    main()
