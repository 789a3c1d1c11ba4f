"""What clients see while the model is exchanged under load, and what memory it takes.

    python -m benchmarks.exchange [--connections 64] [--requests 10000] [--exchanges 20] [--other_tokenizers]

Serves the shipped model from a folder. First the connections ask without exchanges, then again while another version
takes the folder's place and the service gets SIGHUP, again and again, evenly over the requests, which go on until all
exchanges are done. The versions are written beforehand, so that the process that measures does nothing else. They have
one tokenizer, as models of one origin have, which is not loaded again; with --other_tokenizers each has its own. Prints
statuses, p50 and p99 of both, and the worker's memory after each exchange. One worker.
"""

import argparse
import asyncio
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.load import Load, report, request_bytes, resident_mebibytes, run
from benchmarks.server_processes import ONE_OF_EACH, Server, body, running
from model_store import bundle as bundles

SETTLE_SECONDS = 1.0
"""After an exchange, for the old model to go and the heap to be trimmed."""


@dataclass(frozen=True, slots=True)
class Version:
    """The shipped bundle under another version, in a folder of its own."""

    folder: Path
    sha256: str

    def replace(self, bundle: Path) -> None:
        """Take the place of a bundle, which is kept beside it."""
        bundle.rename(bundle.with_name(f"before {self.folder.name}"))
        self.folder.rename(bundle)


def write_versions(folder: Path, count: int, *, other_tokenizers: bool) -> Iterator[Version]:
    """So many versions, in folders of this one, with one tokenizer or with files of it that differ in white space."""
    content = bundles.read(bundles.DEFAULT)
    for number in range(count):
        new = folder / f"2.{number}.0"
        tokenizer = content.tokenizer + b"\n" * (number + 1) * other_tokenizers
        files = {bundles.TOKENIZER: tokenizer, bundles.GRAPH: content.graph}
        bundles.write(new, content.manifest.replace(version=new.name, files=bundles.hashes(files)), files)
        yield Version(new, bundles.read(new).sha256)


async def exchanges(
    versions: Sequence[Version], bundle: Path, server: Server, due: Callable[[int], bool]
) -> tuple[list[float], list[float]]:
    """Serve each version when it is due: the memory after each exchange, in MiB, and the seconds of each."""
    worker = server.workers[0].pid
    memory, seconds = [resident_mebibytes(worker)], []
    for number, version in enumerate(versions):
        while not due(number):  # noqa: ASYNC110 - the requests tell nobody
            await asyncio.sleep(0.01)
        version.replace(bundle)
        begin = time.monotonic()
        server.process.send_signal(signal.SIGHUP)
        while not served(server.log, version.sha256):  # noqa: ASYNC110 - nor does the log
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
    parser.add_argument("--other_tokenizers", action="store_true", help="no version shares the tokenizer of another")
    arguments = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        bundle = folder / "bundle"
        shutil.copytree(bundles.DEFAULT, bundle)
        versions = list(write_versions(folder, arguments.exchanges, other_tokenizers=arguments.other_tokenizers))
        settings = ONE_OF_EACH | {"SENTIMENT_MODEL": str(bundle), "SENTIMENT_ACCESS_LOG": "false"}
        with running("service", folder, uvloop=True, settings=settings) as server:
            asyncio.run(measure(server, bundle, versions, arguments))


async def measure(server: Server, bundle: Path, versions: Sequence[Version], arguments: argparse.Namespace) -> None:
    """Ask without exchanges, then with them."""
    request = request_bytes(server.url, body(1, server.url), [])
    for served_in_turn in ([], versions):
        count = len(served_in_turn)
        load = Load(until=time.perf_counter() + 600, requests=10**9)
        step = arguments.requests / max(1, count)

        def due(number: int, load: Load = load, step: float = step) -> bool:
            return len(load.seconds) >= number * step

        asking = asyncio.create_task(run(server.url, request, load, arguments.connections))
        memory, seconds = await exchanges(served_in_turn, bundle, server, due)
        while len(load.seconds) < arguments.requests:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
        load.until = 0.0  # each connection ends with the answer it waits for
        print(f"{count:3d} exchanges: {report(load, await asking)}")
        if count:
            print(f"seconds of an exchange: {min(seconds):.2f} to {max(seconds):.2f}")
            print(f"MiB before: {memory[0]:.0f}; after each: {', '.join(f'{value:.0f}' for value in memory[1:])}")


if __name__ == "__main__":
    main()
