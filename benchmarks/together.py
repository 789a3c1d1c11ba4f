"""Small requests over HTTP: this checkout against another one, or against itself with other settings.

    python -m benchmarks.together --tree ../before --tree . [--seconds 120] [--rounds 6]
    python -m benchmarks.together --tree . --tree ". SENTIMENT_SHADOW=default" --connections 1

Every connection sends one text a request, of 5, 18 and 26 tokens in turn, and asks again as soon as it is answered. The
checkouts are served at the same time and measured in turn, in the other order in every second round, so that other load
affects all alike: one worker, one thread, and ``--server_core`` keeps the servers on one processor. A ratio is the
median over the rounds of a checkout's rate over the first one's.
"""

import argparse
import asyncio
import itertools
import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, client, percentile, request_bytes
from benchmarks.repeats import median_and_range
from benchmarks.server_processes import ONE_OF_EACH, TEXT, running

TEXTS = ("It is not bad.", "The start was slow, but the rest of the evening was warm, funny and honest.", TEXT)
CONNECTIONS = (1, 4, 8, 16, 64)


class Tree(NamedTuple):
    """A checkout to serve, and the settings it is served with."""

    path: Path
    settings: dict[str, str]

    @classmethod
    def read(cls, text: str) -> Self:
        """From a folder and settings with spaces between them."""
        folder, *settings = shlex.split(text)
        return cls(Path(folder).resolve(), dict(setting.split("=", 1) for setting in settings))


def main() -> None:
    """Serve, measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    help_tree = "a checkout to serve, and after it settings, as in '. SENTIMENT_THREADS=2'"
    parser.add_argument("--tree", dest="trees", type=Tree.read, action="append", required=True, help=help_tree)
    parser.add_argument("--connections", type=int, nargs="+", default=CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=120.0, help="time for each checkout")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--server_core", type=int, help="the processor of the servers; all by default")
    options = parser.parse_args()
    own = os.sched_getaffinity(0)
    with TemporaryDirectory() as temporary, ExitStack() as servers:
        urls = []
        if options.server_core is not None:
            os.sched_setaffinity(0, {options.server_core})  # the servers inherit it
        for index, tree in enumerate(options.trees):
            folder = Path(temporary) / str(index)
            folder.mkdir()
            settings = ONE_OF_EACH | tree.settings
            server = running("service", folder, uvloop=False, project=tree.path, settings=settings)
            urls.append(servers.enter_context(server).url)
        os.sched_setaffinity(0, own)
        seconds = options.seconds / len(options.connections) / options.rounds
        show(measure(urls, options.connections, rounds=options.rounds, seconds=seconds))


def measure(
    urls: list[str], counts: Sequence[int], *, rounds: int, seconds: float
) -> dict[tuple[int, int], list[Load]]:
    """The loads of all rounds by connections and checkout."""
    loads: dict[tuple[int, int], list[Load]] = {key: [] for key in itertools.product(counts, range(len(urls)))}
    for number, connections in itertools.product(range(rounds), counts):
        for index in sorted(range(len(urls)), reverse=number % 2 == 1):
            load = Load(until=time.perf_counter() + seconds, requests=sys.maxsize)
            asyncio.run(hammer(urls[index], load, connections))
            loads[connections, index].append(load)
    return loads


async def hammer(url: str, load: Load, connections: int) -> None:
    """All connections at once."""
    requests = [request_bytes(url, json.dumps({"texts": [text]}).encode(), []) for text in TEXTS]
    await asyncio.gather(*(client(url, requests[number % len(TEXTS)], load) for number in range(connections)))


def show(loads: dict[tuple[int, int], list[Load]]) -> None:
    """A line for each number of connections and checkout."""
    table = Table("connections", "checkout", "answers", "p50, p99 ms", "against the first (range)")
    for (connections, index), rounds in loads.items():
        seconds = [second for load in rounds for second in load.seconds]
        first = loads[connections, 0]
        ratios = [len(load.seconds) / len(before.seconds) for load, before in zip(rounds, first, strict=True)]
        table.add_row(
            str(connections),
            str(index + 1),
            f"{len(seconds):,}",
            f"{percentile(seconds, 0.5):.2f}, {percentile(seconds, 0.99):.2f}",
            median_and_range(ratios),
        )
    Console().print(table)


if __name__ == "__main__":
    main()
