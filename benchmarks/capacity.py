"""How many pods a load needs, and what bursts do to them: a model of costs, its check, and a simulation.

    python -m benchmarks.capacity measure [--seconds 8] [--rounds 3]
    python -m benchmarks.capacity simulate [--request_ms 0.9] [--text_ms 0.7]

``measure`` starts the service with one worker and with two in turn. It fits two numbers to one worker's requests of 1
and of 32 texts, processor time a request and a text, and predicts two workers' requests of 1, 8 and 32 texts. Processor
time is that of all processes of the service, so other load on the machine matters little.

``simulate`` runs pods of one worker and one thread under Poisson arrivals with bursts. Each request goes to a random
pod; a pod with 64 requests in flight answers 429, and so does one that could not answer within 80% of the deadline. The
autoscaler is that of deploy/helm/sentiment: looks every 15 seconds at the processor time of the last period but one,
doubles at most, and a new pod answers half a minute later.
"""

import argparse
import asyncio
import json
import math
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.load import Load, request_bytes, run
from benchmarks.server_processes import ONE_OF_EACH, TEXT, Server, running

FITTED = (1, 32)
PREDICTED = (1, 8, 32)
CONNECTIONS = 8

IN_FLIGHT = 64
"""``SENTIMENT_MAX_IN_FLIGHT``: requests that a worker holds; one more is 429."""

LATEST_SECONDS = 0.8 * 30
"""What ``SENTIMENT_DEADLINE_SECONDS`` leaves for work that is admitted."""

STEP = 0.1
"""Seconds that are simulated at once."""

SCALE_EVERY = 15.0
"""Seconds between two looks of the autoscaler, and the age of the figure it sees."""

POD_START = 30.0
"""Seconds from the decision to the first answer of a pod: placed, image there already, started in 3 to 8 s, ready."""

TOLERANCE = 0.1
"""The autoscaler of Kubernetes leaves the number of pods alone if the load per pod is off by no more than that."""

KEEP = 300.0
"""Seconds for which the autoscaler keeps the largest number of pods that it wanted."""


CASES = ((0.7, 1.0, 0), (0.7, 1.3, 300), (0.7, 3.0, 120), (0.35, 2.0, 120), (0.35, 3.0, 120))
"""For how much of the time pods are kept busy, and the burst: how many times the load, for how many seconds."""


@dataclass(frozen=True)
class Costs:
    """Processor seconds.

    Attributes:
        request: of a request, whatever is in it.
        text: of a text of 26 tokens.
    """

    request: float
    text: float

    def of(self, texts: int) -> float:
        """Processor seconds of a request with so many texts."""
        return self.request + self.text * texts


def fit(seconds: dict[int, float]) -> Costs:
    """The costs that explain the processor seconds of two sizes of request."""
    (few, cheap), (many, dear) = sorted(seconds.items())
    text = (dear - cheap) / (many - few)
    return Costs(request=cheap - few * text, text=text)


def pods_needed(costs: Costs, *, texts_a_second: float, texts_a_request: int, utilization: float) -> int:
    """Pods of one processor each that such a load keeps busy for that share of their time."""
    requests = texts_a_second / texts_a_request
    return max(1, math.ceil(requests * costs.of(texts_a_request) / utilization))


def measured(server: Server, texts: int, seconds: float) -> tuple[float, float]:
    """Processor seconds a request of the service's processes, and requests a second of the clock."""
    request = request_bytes(server.url, json.dumps({"texts": [TEXT] * texts}).encode(), [])
    load = Load(until=time.perf_counter() + seconds, requests=10**9)
    before = server.processor_seconds()
    elapsed = asyncio.run(run(server.url, request, load, CONNECTIONS))
    assert set(load.statuses) == {"200"}, load.statuses
    return (server.processor_seconds() - before) / load.statuses["200"], load.statuses["200"] / elapsed


def measure(seconds: float, rounds: int) -> None:
    """Fit to one worker, predict two, and print both."""
    one: dict[int, list[float]] = {texts: [] for texts in FITTED}
    two: dict[int, list[float]] = {texts: [] for texts in PREDICTED}
    rates: dict[int, list[float]] = {texts: [] for texts in PREDICTED}
    for _ in range(rounds):
        for workers, found in (("1", one), ("2", two)):
            settings = ONE_OF_EACH | {"SENTIMENT_WORKERS": workers}
            with (
                tempfile.TemporaryDirectory() as folder,
                running("service", Path(folder), uvloop=False, settings=settings) as server,
            ):
                for texts, values in found.items():
                    measured(server, texts, seconds / 4)  # both workers have answered before it counts
                    cost, rate = measured(server, texts, seconds)
                    values.append(cost)
                    if workers == "2":
                        rates[texts].append(rate)
    costs = fit({texts: statistics.median(values) for texts, values in one.items()})
    console = Console()
    console.print(f"one worker: {1000 * costs.request:.2f} ms a request and {1000 * costs.text:.3f} ms a text")
    table = Table("texts a request", "predicted, ms", "two workers, ms (range)", "measured / predicted", "requests/s")
    for texts, values in two.items():
        middle = statistics.median(values)
        table.add_row(
            str(texts),
            f"{1000 * costs.of(texts):.2f}",
            f"{1000 * middle:.2f} ({1000 * min(values):.2f} to {1000 * max(values):.2f})",
            f"{middle / costs.of(texts):.2f}",
            f"{statistics.median(rates[texts]):,.0f}",
        )
    console.print(table)


@dataclass
class Autoscaler:
    """A HorizontalPodAutoscaler on processor time, as deploy/helm/sentiment sets it up."""

    pods: int
    most: int
    target: float
    wanted: deque[tuple[float, int]] = field(default_factory=deque)
    starting: deque[tuple[float, int]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.wanted.append((0.0, self.pods))
        self.seen = self.target

    def look(self, now: float, busy: float) -> None:
        """Decide, by the figure of one period ago."""
        ratio = self.seen / self.target
        wanted = self.pods if abs(ratio - 1) <= TOLERANCE else math.ceil(self.pods * ratio)
        self.wanted.append((now, max(1, min(self.most, 2 * self.pods, wanted))))
        self.seen = busy
        while self.wanted[0][0] < now - KEEP:
            self.wanted.popleft()
        desired = max(count for _, count in self.wanted)
        on_the_way = self.pods + sum(count for _, count in self.starting)
        if desired > on_the_way:
            self.starting.append((now + POD_START, desired - on_the_way))
        elif desired < self.pods and not self.starting:
            self.pods = desired

    def start(self, now: float) -> None:
        """Let the pods answer that are ready by now."""
        while self.starting and self.starting[0][0] <= now:
            self.pods += self.starting.popleft()[1]


@dataclass(frozen=True)
class Outcome:
    """What a simulation saw.

    Attributes:
        refused: share of the requests that got 429.
        p50, p99: seconds from arrival to answer, of those answered.
        pods: the largest number.
        refused_for: seconds in which at least one request in a hundred was refused.
    """

    refused: float
    p50: float
    p99: float
    pods: int
    refused_for: float


def simulate(
    rate: Callable[[float], float], *, service: float, scaler: Autoscaler, seconds: float, seed: int = 1
) -> Outcome:
    """Run pods under a load.

    Args:
        rate: requests a second at a time.
        service: processor seconds a request.
        scaler: gives the number of pods.
        seconds: how long.
        seed: of the arrivals.
    """
    random = np.random.default_rng(seed)
    queues: NDArray[np.float64] = np.zeros(scaler.pods)  # seconds of work waiting in each pod
    longest = min(IN_FLIGHT * service, LATEST_SECONDS)
    waits, counts = [], []
    asked = refused = refused_for = busy = 0.0
    most, next_look = scaler.pods, SCALE_EVERY
    for step in range(round(seconds / STEP)):
        now = step * STEP
        scaler.start(now)
        most = max(most, scaler.pods)
        if len(queues) != scaler.pods:  # a pod that goes is drained: its work is done, and not counted again
            queues = np.resize(np.append(queues, np.zeros(max(0, scaler.pods - len(queues)))), scaler.pods)
        arrived = random.multinomial(random.poisson(rate(now) * STEP), np.full(scaler.pods, 1 / scaler.pods))
        # Work that ends within the step makes room, too.
        admitted = np.minimum(arrived, np.maximum(0, np.floor((longest + STEP - queues) / service)))
        waits.append(np.maximum(0, queues + service * (admitted + 1) / 2 - STEP / 2 * (admitted > 0)))
        counts.append(admitted)
        queues += admitted * service
        done = np.minimum(queues, STEP)
        queues -= done
        busy += float(done.sum()) / scaler.pods
        asked += float(arrived.sum())
        lost = float((arrived - admitted).sum())
        refused += lost
        refused_for += STEP if lost > arrived.sum() / 100 else 0
        if now + STEP >= next_look:
            scaler.look(now, busy / SCALE_EVERY)
            busy, next_look = 0.0, next_look + SCALE_EVERY
    p50, p99 = weighted(np.concatenate(waits) + service, np.concatenate(counts), shares=(0.5, 0.99))
    return Outcome(refused / max(asked, 1), p50, p99, most, refused_for)


def weighted(values: NDArray[np.float64], weights: NDArray[np.float64], *, shares: tuple[float, ...]) -> list[float]:
    """The values that these shares of the weight do not exceed."""
    order = np.argsort(values)
    cumulated = np.cumsum(weights[order])
    return [float(values[order][np.searchsorted(cumulated, share * cumulated[-1])]) for share in shares]


def burst(
    texts_a_second: float, *, texts: int, factor: float, begin: float, seconds: float
) -> Callable[[float], float]:
    """Requests a second: steady, but for one burst of so many times as much."""
    steady = texts_a_second / texts
    return lambda now: steady * (factor if begin <= now < begin + seconds else 1.0)


def print_simulation(costs: Costs) -> None:
    """Simulate loads up to 100,000 texts a second, 32 in a request, and print a table."""
    texts, service = 32, costs.of(32)
    table = Table("texts/s", "busy", "pods", "burst", "429", "for, s", "p50, s", "p99, s")
    for load in (1_000, 10_000, 100_000):
        for target, factor, length in (
            (0.7, 1.0, 0),
            (0.7, 1.3, 300),
            (0.7, 3.0, 120),
            (0.35, 2.0, 120),
            (0.35, 3.0, 120),
        ):
            pods = pods_needed(costs, texts_a_second=load, texts_a_request=texts, utilization=target)
            outcome = simulate(
                burst(load, texts=texts, factor=factor, begin=120, seconds=length),
                service=service,
                scaler=Autoscaler(pods, most=4 * pods, target=target),
                seconds=600,
            )
            table.add_row(
                f"{load:,}",
                f"{target:.0%}",
                f"{pods:,} to {outcome.pods:,}",
                f"x {factor:g} for {length} s" if length else "none",
                f"{outcome.refused:.1%}",
                f"{outcome.refused_for:.0f}",
                f"{outcome.p50:.2f}",
                f"{outcome.p99:.2f}",
            )
    console = Console()
    console.print(table)
    console.print(f"32 texts a request, {1000 * service:.1f} ms of processor each; 10 minutes, the burst after 2")


def main() -> None:
    """Measure or simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("measure", "simulate"))
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind, interleaved")
    parser.add_argument("--request_ms", type=float, default=0.9, help="processor time of a request")
    parser.add_argument("--text_ms", type=float, default=0.7, help="processor time of a text")
    options = parser.parse_args()
    if options.what == "measure":
        measure(options.seconds, options.rounds)
    else:
        print_simulation(Costs(options.request_ms / 1000, options.text_ms / 1000))


if __name__ == "__main__":
    main()
