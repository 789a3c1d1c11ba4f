"""Throughput and latency of the service, an empty BentoML endpoint, FastAPI and LitServe, in one run.

    pip install -e ".[benchmarks]" -c constraints.txt
    python -m benchmarks.serving --json figures.json

- service: ``POST /v1/predict`` of this project, started with ``bentoml serve``.
- bentoml: an endpoint of BentoML that computes nothing, with pydantic types: the upper bound for the framework.
- fastapi: FastAPI on uvicorn with the same model in a pool of threads, the same request and the same response.
- litserve: LitServe with the same model, the same request and the same response.
- fastapi-distilbert, litserve-distilbert: the same two around a pipeline of transformers of DistilBERT's size.
- mlserver: MLServer with the same model, in the Open Inference Protocol, if ``make build/mlserver/.ready`` made it an
  environment.
- engine: ``SentimentModel.predict`` in this process, without HTTP. With 32 texts, it is the upper bound for large
  requests.

Each server runs in its own process with one worker and one thread for the model, and logs its requests to a file, as by
default. Each is started alone, a few times, until its first answer. Then all run at the same time and are measured in
turn, each round in another order, so that other load affects all alike. A ratio is the median of the ratios of the
rounds. Latencies are percentiles over all rounds and include opening one connection per turn. Memory is that of all
processes of a server after the last turn, with pages that they share counted once.

All servers parse HTTP with httptools, which this project and LitServe require and with which uvicorn is faster; users
of plain BentoML and FastAPI have to install it. uvloop, which LitServe and MLServer require, is hidden from the others
unless ``--uvloop`` gives it to all.

``--goals`` measures only what the two goals need, at one connection.
"""

import argparse
import asyncio
import json
import os
import platform
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, percentile, request_bytes, run
from benchmarks.repeats import median_and_range
from benchmarks.server_processes import EMPTY, MLSERVER, MLSERVER_PROGRAM, PEERS, TEXT, Server, body, running
from model_store import SentimentModel

TOKENS = 26
MANY = 32  # texts in the large request
CONNECTIONS = (1, 8, 64)
ROUNDS = 6
STARTS = 3
OVERHEAD_GOAL = 1.2  # upper bound of the p50 of the service over that of the empty endpoint plus the engine
BATCH_GOAL = 5.0  # lower bound of texts per second in large requests over single ones
BATCHED = f"service, {MANY} texts"
REPRESENTED = "service, representations"
ENGINE = "engine"
ENGINE_BATCHED = f"engine, {MANY} texts"


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    seconds: float
    requests: int
    starts: int
    uvloop: bool
    goals: bool
    json: Path | None

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers to start."""
        if self.goals:
            return ("service", EMPTY)
        return ("service", EMPTY, *PEERS, *((MLSERVER,) if MLSERVER_PROGRAM.exists() else ()))

    @property
    def connections(self) -> tuple[int, ...]:
        """The numbers of concurrent clients."""
        return CONNECTIONS[:1] if self.goals else CONNECTIONS


@dataclass(slots=True)
class Figures:
    """One contestant at one number of connections: rate and p50 of each round, and all latencies in seconds."""

    rates: list[float] = field(default_factory=list)
    p50s: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failures: int = 0

    def add(self, seconds: list[float], *, elapsed: float, failures: int = 0) -> None:
        """Add the results of a round."""
        self.rates.append(len(seconds) / elapsed)
        self.p50s.append(percentile(seconds, 0.5))
        self.seconds += seconds
        self.failures += failures


@dataclass(frozen=True, slots=True)
class Goal:
    """Median and quartiles of a ratio over the rounds, and its bound."""

    name: str
    figure: float
    low: float
    high: float
    bound: float
    met: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """What a server takes: seconds until it answers, of several starts, and MiB of all its processes after the load."""

    server: str
    start_seconds: list[float]
    mebibytes: float


Turn = tuple[str, int]
"""A contestant and its number of connections."""


def main() -> None:
    """Start the servers, measure them in turn, and print the figures."""
    options = read_options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the servers end too
    model = SentimentModel.load()
    tokens = model.predict([TEXT])[0].token_count
    assert tokens == TOKENS, f"the text has {tokens} tokens, expected {TOKENS}: change the text"
    with TemporaryDirectory() as folder, ExitStack() as stack:
        start = partial(running, folder=Path(folder), uvloop=options.uvloop)
        starts = {name: start_seconds(name, start, times=options.starts) for name in options.servers}
        servers = {name: stack.enter_context(start(name)) for name in options.servers}
        figures = measure({name: server.url for name, server in servers.items()}, model, options)
        memory = {name: server.mebibytes() for name, server in servers.items()}
    ratios = compare(figures)
    goals = judge(figures)
    conditions = describe(options)
    costs = [Cost(name, starts[name], memory[name]) for name in options.servers]
    show(conditions, figures, ratios=ratios, goals=goals)
    show_costs(costs)
    if options.json is not None:
        rows = [row(turn, figures[turn], ratios.get(turn)) for turn in figures]
        content = {
            "conditions": conditions,
            "figures": rows,
            "costs": [asdict(cost) for cost in costs],
            "goals": [asdict(goal) for goal in goals],
        }
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="time for all turns together, after the servers have started"
    )
    parser.add_argument("--requests", type=int, default=5000, help="largest number of requests in a turn")
    parser.add_argument("--starts", type=int, default=STARTS, help="how often each server is started for its time")
    parser.add_argument("--uvloop", action="store_true", help="use uvloop in all servers")
    parser.add_argument("--goals", action="store_true", help="measure only what the two goals need")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return Options(**vars(parser.parse_args()))


def measure(urls: dict[str, str], model: SentimentModel, options: Options) -> dict[Turn, Figures]:
    """The figures of all turns, after an uncounted round of short turns."""
    turns = [(name, connections) for name in urls for connections in options.connections] + [
        *((name, 1) for name in requests_to_service(urls["service"])),
        (ENGINE, 1),
        (ENGINE_BATCHED, 1),
    ]
    seconds = options.seconds / (len(turns) * (ROUNDS + 0.5))
    figures = {turn: Figures() for turn in turns}
    shuffler = random.Random(0)  # noqa: S311
    for warming in (True, *[False] * ROUNDS):
        for turn in shuffler.sample(turns, len(turns)):
            discarded = Figures()
            take(
                turn,
                discarded if warming else figures[turn],
                urls=urls,
                model=model,
                load=Load(until=time.perf_counter() + seconds * (0.5 if warming else 1), requests=options.requests),
            )
    return figures


def start_seconds(name: str, start: Callable[[str], AbstractContextManager[Server]], *, times: int) -> list[float]:
    """Seconds until a server answers, of several starts."""
    seconds = []
    for _ in range(times):
        with start(name) as server:
            seconds.append(server.start_seconds)
    return seconds


def requests_to_service(url: str) -> dict[str, bytes]:
    """The requests that only the service is asked, by name."""
    represent = url.replace("predict", "represent")
    return {BATCHED: request_bytes(url, body(MANY, url), []), REPRESENTED: request_bytes(represent, body(1, url), [])}


def take(turn: Turn, figures: Figures, *, urls: dict[str, str], model: SentimentModel, load: Load) -> None:
    """Take one turn and add its results to ``figures``."""
    name, connections = turn
    if name in {ENGINE, ENGINE_BATCHED}:
        texts = [TEXT] * (1 if name == ENGINE else MANY)
        started = time.perf_counter()
        while load.wants_more():
            begun = time.perf_counter()
            model.predict(texts)
            load.seconds.append(time.perf_counter() - begun)
        elapsed = time.perf_counter() - started
    else:
        own = requests_to_service(urls["service"]).get(name)
        url = urls["service" if own else name]
        request = own or request_bytes(url, body(1, url), [])
        elapsed = asyncio.run(run(url, request, load, connections))
    failures = sum(count for status, count in load.statuses.items() if status != "200")
    figures.add(load.seconds, elapsed=elapsed, failures=failures)


def compare(figures: dict[Turn, Figures]) -> dict[Turn, tuple[float, float]]:
    """Rate and p50 relative to the empty endpoint at the same number of connections."""
    ratios = {}
    for (name, connections), own in figures.items():
        if name in {BATCHED, REPRESENTED, ENGINE, ENGINE_BATCHED}:
            continue
        empty = figures[EMPTY, connections]
        ratios[name, connections] = (median_ratio(own.rates, empty.rates), median_ratio(own.p50s, empty.p50s))
    return ratios


def median_ratio(values: list[float], others: list[float]) -> float:
    """The median of the ratios of the rounds."""
    return median(value / other for value, other in zip(values, others, strict=True))


def judge(figures: dict[Turn, Figures]) -> list[Goal]:
    """The two goals, from the ratios of each round."""
    single, empty = figures["service", 1], figures[EMPTY, 1]
    engine, many = figures[ENGINE, 1], figures[BATCHED, 1]
    overhead = [a / (b + c) for a, b, c in zip(single.p50s, empty.p50s, engine.p50s, strict=True)]
    gain = [MANY * a / b for a, b in zip(many.rates, single.rates, strict=True)]
    low, middle, high = quantiles(overhead, n=4, method="inclusive")
    first = Goal("p50, service / (bentoml + engine)", middle, low, high, OVERHEAD_GOAL, middle <= OVERHEAD_GOAL)
    low, middle, high = quantiles(gain, n=4, method="inclusive")
    second = Goal(f"texts/s, {MANY} a request / 1", middle, low, high, BATCH_GOAL, middle >= BATCH_GOAL)
    return [first, second]


def describe(options: Options) -> dict[str, object]:
    """The conditions of the measurement."""
    packages = ("bentoml", "fastapi", "litserve", "uvicorn", "httptools", "uvloop", "onnxruntime")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} processors, {platform.machine()}",
        "load average at the end, this run included": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
        "uvloop": "all servers" if options.uvloop else "litserve and mlserver only, which require it",
        "tokens a text": TOKENS,
        "rounds": ROUNDS,
    }


def row(turn: Turn, figures: Figures, ratio: tuple[float, float] | None) -> dict[str, object]:
    """The figures of one turn, for JSON."""
    return {
        "contestant": turn[0],
        "connections": turn[1],
        "requests_per_second": median(figures.rates),
        "p50_ms": percentile(figures.seconds, 0.5),
        "p99_ms": percentile(figures.seconds, 0.99),
        "rate_over_bentoml": ratio[0] if ratio else None,
        "p50_over_bentoml": ratio[1] if ratio else None,
        "requests": len(figures.seconds),
        "failures": figures.failures,
        "rounds": {"requests_per_second": figures.rates, "p50_ms": figures.p50s},
    }


def show(
    conditions: dict[str, object],
    figures: dict[Turn, Figures],
    *,
    ratios: dict[Turn, tuple[float, float]],
    goals: list[Goal],
) -> None:
    """Print the conditions and two tables."""
    console = Console()
    for name, value in conditions.items():
        console.print(f"{name}: {value}", highlight=False)
    columns = ("contestant", "connections", "requests/s", "p50 ms", "p99 ms", "rate", "p50")
    title = f"One text of {TOKENS} tokens a request, or {MANY} of them; right: ratios to bentoml"
    table = Table(*columns, title=title)
    for turn, own in figures.items():
        of_bentoml = [f"{value:.2f}" for value in ratios[turn]] if turn in ratios else ["", ""]
        p50, p99 = (f"{percentile(own.seconds, share):.2f}" for share in (0.5, 0.99))
        at = "in process" if turn[0] in {ENGINE, ENGINE_BATCHED} else str(turn[1])
        table.add_row(turn[0], at, f"{median(own.rates):,.0f}", p50, p99, *of_bentoml)
    reached = Table("goal", "median", "quartiles", "bound", "", title="Goals, at one connection")
    for goal in goals:
        sign = "<=" if goal.name.startswith("p50") else ">="
        spread = f"{goal.low:.3f} to {goal.high:.3f}"
        verdict = "met" if goal.met else "NOT met"
        reached.add_row(goal.name, f"{goal.figure:.3f}", spread, f"{sign} {goal.bound:g}", verdict)
    console.print(table, reached)
    for (name, connections), own in figures.items():
        if own.failures:
            console.print(f"{name}, {connections} connections: {own.failures} answers not 200, left out above")


def show_costs(costs: list[Cost]) -> None:
    """Print a table."""
    table = Table("server", "s to the first answer", "MiB", title="Each started alone; memory after the load")
    for cost in costs:
        table.add_row(cost.server, median_and_range(cost.start_seconds), f"{cost.mebibytes:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
