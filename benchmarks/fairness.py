"""The wait of a client with one short text beside clients that send 256 texts at once.

    python -m benchmarks.fairness
    python -m benchmarks.fairness --tree ../before --tree . --seconds 160 --rounds 3

The light client sends "Not bad." again and again, with a pause between; beside it are 0, 2, 4 or 8 clients that send
256 texts each, short or long ones, and send again as soon as they are answered. Two figures count: the light client's
p99 beside them over its p99 alone, and the texts per second that the heavy clients get.

``--tree`` names a checkout to serve, this one by default. Several are served at the same time and measured in turn, so
that other load affects all alike. Texts per second of the server's own processor time depend on it least. One worker,
one thread, and no deadline; all on one core with ``taskset -c 0``.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, client, exchange, percentile, request_bytes
from benchmarks.repeats import median_and_range
from benchmarks.server_processes import ONE_OF_EACH, PROJECT, TEXT, Server, running

LIGHT = json.dumps({"texts": ["Not bad."]}).encode()
HEAVY_TEXTS = 256
KINDS = {"short": TEXT, "long": " ".join([TEXT] * 19)}
"""The text of the heavy clients: 26 tokens, or 19 times as many: 494."""
HEAVY_CLIENTS = (0, 2, 4, 8)
FEWEST_LIGHT = 20
"""A cell goes on until the light client has so many answers, at most ``LONGEST`` times its seconds."""
LONGEST = 3
SETTINGS = ONE_OF_EACH | {"SENTIMENT_DEADLINE_SECONDS": "3600", "SENTIMENT_ACCESS_LOG": "false"}

Cell = tuple[str, str, int]
"""A tree, a kind of text, and a number of heavy clients."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    trees: list[Path]
    seconds: float
    rounds: int
    pause: float
    json: Path | None


@dataclass(slots=True)
class Figures:
    """What the clients saw in one cell.

    Attributes:
        light: seconds of each light answer.
        heavy: heavy texts per second of each round.
        cheap: heavy texts per second of the server's processor time, of each round.
        failures: answers that were not 200.
    """

    light: list[float] = field(default_factory=list)
    heavy: list[float] = field(default_factory=list)
    cheap: list[float] = field(default_factory=list)
    failures: int = 0


def main() -> None:
    """Serve the trees, measure the cells in turn, and print the figures."""
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the servers end too
    with TemporaryDirectory() as temporary, ExitStack() as servers:
        trees: dict[str, Server] = {}
        for index, tree in enumerate(options.trees):
            folder = Path(temporary) / str(index)
            folder.mkdir()
            server = running("service", folder, uvloop=False, project=tree, settings=SETTINGS)
            trees[str(tree)] = servers.enter_context(server)
        figures = measure(trees, options)
    conditions = {
        "date": datetime.now(UTC).date().isoformat(),
        "processors": len(os.sched_getaffinity(0)),
        "load average at the end, this run included": round(os.getloadavg()[0], 1),
        "pause of the light client": f"{options.pause} s",
        "rounds": options.rounds,
    }
    show(conditions, figures)
    if options.json is not None:
        rows = [
            {
                "tree": tree,
                "texts": kind,
                "heavy_clients": heavy,
                "light_seconds": own.light,
                "heavy_rates": own.heavy,
                "heavy_rates_by_processor": own.cheap,
            }
            for (tree, kind, heavy), own in figures.items()
        ]
        options.json.write_text(json.dumps({"conditions": conditions, "figures": rows}) + "\n", encoding="utf-8")


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", dest="trees", type=Path, action="append", help="a checkout to serve; repeatable")
    parser.add_argument("--seconds", type=float, default=80.0, help="time for each tree, after the servers started")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between two light requests")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    trees = [tree.resolve() for tree in options.trees or [PROJECT]]
    return Options(trees, options.seconds, options.rounds, options.pause, options.json)


def measure(servers: dict[str, Server], options: Options) -> dict[Cell, Figures]:
    """The figures of all cells; the trees take turns within each."""
    cells = [(kind, heavy) for kind in KINDS for heavy in HEAVY_CLIENTS]
    seconds = options.seconds / len(cells) / options.rounds
    figures = {(tree, kind, heavy): Figures() for kind, heavy in cells for tree in servers}
    for _ in range(options.rounds):
        for kind, heavy in cells:
            for tree, server in servers.items():
                own = figures[tree, kind, heavy]
                asyncio.run(measure_cell(server, own, kind=kind, heavy=heavy, seconds=seconds, pause=options.pause))
    return figures


async def measure_cell(
    server: Server, figures: Figures, *, kind: str, heavy: int, seconds: float, pause: float
) -> None:
    """Run the heavy clients and the light one beside them, and add what they saw."""
    body = json.dumps({"texts": [KINDS[kind]] * HEAVY_TEXTS}).encode()
    processor = server.processor_seconds()
    load = Load(until=time.perf_counter() + LONGEST * seconds, requests=10**9)
    started = time.perf_counter()
    clients = [asyncio.create_task(client(server.url, request_bytes(server.url, body, []), load)) for _ in range(heavy)]
    await asyncio.sleep(min(1.0, seconds / 4) if heavy else 0.0)  # until all of them wait
    light, failures = await light_client(server.url, seconds=seconds, pause=pause)
    load.until = 0.0  # each heavy client ends with the answer it waits for
    await asyncio.gather(*clients)
    elapsed = time.perf_counter() - started
    figures.light += light
    figures.failures += failures + sum(count for status, count in load.statuses.items() if status != "200")
    if heavy:
        figures.heavy.append(HEAVY_TEXTS * len(load.seconds) / elapsed)
        figures.cheap.append(HEAVY_TEXTS * len(load.seconds) / (server.processor_seconds() - processor))


async def light_client(url: str, *, seconds: float, pause: float) -> tuple[list[float], int]:
    """Seconds of each good answer, and the number of others."""
    host, port = url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = request_bytes(url, LIGHT, [])
    durations: list[float] = []
    failures = 0
    begun = time.perf_counter()
    while (passed := time.perf_counter() - begun) < LONGEST * seconds:
        if passed > seconds and len(durations) >= FEWEST_LIGHT:
            break
        started = time.perf_counter()
        status, _ = await exchange(reader, writer, request)
        if status == "200":
            durations.append(time.perf_counter() - started)
        else:
            failures += 1
        await asyncio.sleep(pause)
    writer.close()
    return durations, failures


def show(conditions: dict[str, object], figures: dict[Cell, Figures]) -> None:
    """Print the conditions and a table for each tree."""
    console = Console()
    for name, value in conditions.items():
        console.print(f"{name}: {value}", highlight=False)
    columns = (
        "256 texts",
        "heavy clients",
        "p50 ms",
        "p99 ms",
        "longest ms",
        "p99 / alone",
        "heavy texts/s",
        "of processor time",
        "light answers",
    )
    for tree in dict.fromkeys(tree for tree, _, _ in figures):
        lone = [second for cell, own in figures.items() if cell[::2] == (tree, 0) for second in own.light]
        table = Table(*columns, title=f'{tree}: a client with "Not bad."')
        for (its_tree, kind, heavy), own in figures.items():
            if its_tree == tree:
                table.add_row(kind, str(heavy), *texts_of(own, alone=percentile(lone, 0.99)))
        console.print(table)


def texts_of(figures: Figures, *, alone: float) -> list[str]:
    """A cell's figures as the table has them; ``alone`` is the p99 without heavy clients, in milliseconds."""
    p50, p99, longest = (percentile(figures.light, share) for share in (0.5, 0.99, 1.0))
    failed = f", {figures.failures} failed" if figures.failures else ""
    rates = [median_and_range(values, ",.0f") if values else "" for values in (figures.heavy, figures.cheap)]
    return [f"{p50:.1f}", f"{p99:.1f}", f"{longest:.1f}", f"{p99 / alone:.1f}", *rates, f"{len(figures.light)}{failed}"]


if __name__ == "__main__":
    main()
