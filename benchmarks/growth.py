"""How time and memory grow: with the text, with layers, models, workers and training rows; beside the expected law.

    python -m benchmarks.growth [--quick] [--json figures.json]

Each curve is measured on one thread, its points in turn and in random order; a point is the median of its calls. The
law is fitted by least squares to the relative errors, and its largest error says how far the curve is from it.
"""

import argparse
import asyncio
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.engine import in_runtime
from benchmarks.inference import timed
from benchmarks.load import Load, request_bytes, run
from benchmarks.server_processes import ONE_OF_EACH, body, running
from model_store import SentimentModel
from training.export.onnx_graph import build_graph
from training.network import SentimentNetwork
from training.network.embedding import make_embedding
from training.network.options import EncoderOptions

FloatArray = NDArray[np.float64]

Law = Literal["a + b x", "a + b / x", "b x"]

TOKENS = 25
CONNECTIONS = 16

LOADED = """
import json, sys, psutil
from model_store import SentimentModel
process, models, sizes = psutil.Process(), [], []
for _ in range(int(sys.argv[1])):
    models.append(SentimentModel.load(sys.argv[2]))
    models[-1].predict(["fine"])
    sizes.append(process.memory_info().rss / 2**20)
print(json.dumps(sizes))
"""


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity against another.

    Attributes:
        name: a word for files and pages.
        x, y: what is on the axes, with units.
        law: the expected one.
        points: of x.
        values: of y.
        fitted: a and b.
        largest_error: of a value, relative to the fitted law.
        spread: the widest middle half of a point's calls, relative to their median; None for points measured once.
    """

    name: str
    x: str
    y: str
    law: Law
    points: list[float]
    values: list[float]
    fitted: tuple[float, float]
    largest_error: float
    spread: float | None


def curve(
    name: str,
    *,
    x: str,
    y: str,
    points: Sequence[float],
    values: Sequence[float],
    law: Law = "a + b x",
    spread: float | None = None,
) -> Curve:
    """A measured curve with its law."""
    xs, ys = np.array(points, dtype=float), np.array(values, dtype=float)
    columns = _columns(law, xs)
    a, b = np.linalg.lstsq(columns / ys[:, None], np.ones_like(ys))[0]
    error = float(np.abs((columns @ [a, b]) / ys - 1).max())
    return Curve(name, x, y, law, list(points), list(values), (float(a), float(b)), error, spread)


def fitted_values(one: Curve) -> list[float]:
    """The law's values at the curve's points."""
    values: list[float] = (_columns(one.law, np.array(one.points, dtype=float)) @ one.fitted).tolist()
    return values


def _columns(law: Law, xs: FloatArray) -> FloatArray:
    """(points, 2) what a and b are multiplied by."""
    return np.stack([np.ones_like(xs) * ("a" in law), 1 / xs if "/" in law else xs], axis=1)


def medians(calls: dict[int, Callable[[], object]], *, rounds: int) -> tuple[list[float], float]:
    """Milliseconds of each call, in turn, each after an uncounted one; and the spread, as of a ``Curve``."""
    seconds: dict[int, list[float]] = {point: [] for point in calls}
    for _ in range(rounds):
        for point in random.sample(list(calls), len(calls)):
            calls[point]()
            seconds[point].append(timed(calls[point]))
    quartiles = [statistics.quantiles(taken, n=4) for taken in seconds.values()]
    spread = max((high - low) / median for low, median, high in quartiles)
    return [1000 * median for _, median, _ in quartiles], spread


def text_length(model: SentimentModel, *, quick: bool) -> Curve:
    """Milliseconds of a text by its tokens."""
    lengths = [1, 3, 10, 30, 100, 300, 1000] + ([] if quick else [2000, 5000])
    calls: dict[int, Callable[[], object]] = {length: partial(model.predict, ["good " * length]) for length in lengths}
    values, spread = medians(calls, rounds=3 if quick else 11)
    return curve("length", x="tokens of a text", y="milliseconds a text", points=lengths, values=values, spread=spread)


def batch_size(model: SentimentModel, *, quick: bool) -> Curve:
    """Milliseconds of each of several texts."""
    sizes = [1, 4, 16, 64] + ([] if quick else [256])
    calls: dict[int, Callable[[], object]] = {size: partial(model.predict, ["good " * TOKENS] * size) for size in sizes}
    times, spread = medians(calls, rounds=3 if quick else 11)
    values = [value / size for value, size in zip(times, sizes, strict=True)]
    axes = {"x": "texts of a call", "y": "milliseconds a text"}
    return curve("batch", **axes, points=sizes, values=values, law="a + b / x", spread=spread)


def depth(*, quick: bool) -> Curve:
    """Milliseconds of a text by the number of layers, of random weights in 32 bits."""
    ids = np.random.default_rng(0).integers(0, 1000, (1, TOKENS))
    calls: dict[int, Callable[[], object]] = {}
    for layers in (1, 2, 4, 8, 16):
        embedding = make_embedding(1000, 256, vectors=None, frozen=False)
        encoder = EncoderOptions(layers=layers, hidden_size=160)
        network = SentimentNetwork(embedding, labels=3, pooling=["max", "mean"], encoder=encoder).eval()
        calls[layers] = partial(in_runtime(build_graph(network)), ids)
    values, spread = medians(calls, rounds=5 if quick else 31)
    return curve("depth", x="layers", y="milliseconds a text", points=list(calls), values=values, spread=spread)


def loaded_models(bundle: str, *, quick: bool) -> Curve:
    """Resident memory of a process by the number of models that it has loaded."""
    points = list(range(1, 4 if quick else 9))
    command = [sys.executable, "-c", LOADED, str(len(points)), bundle]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    return curve("models", x="models loaded", y="MiB resident", points=points, values=json.loads(done.stdout))


def workers(*, quick: bool) -> Curve:
    """Answers a second by the number of workers, with the clients on the same machine."""
    seconds, counts, rates = 3 if quick else 15, [1, 2], []
    for count in counts:
        settings = ONE_OF_EACH | {"SENTIMENT_WORKERS": str(count)}
        with (
            tempfile.TemporaryDirectory() as folder,
            running("service", Path(folder), uvloop=False, settings=settings) as server,
        ):
            request = request_bytes(server.url, body(1, server.url), [])
            for _ in range(2):  # the first one warms the workers up
                load = Load(until=time.perf_counter() + seconds, requests=10**9)
                elapsed = asyncio.run(run(server.url, request, load, CONNECTIONS))
            rates.append(len(load.seconds) / elapsed)
    return curve("workers", x="workers", y="answers a second", points=counts, values=rates, law="b x")


def training_rows(*, quick: bool) -> Iterator[Curve]:
    """Seconds and peak memory to read and tokenize a training file, by its rows."""
    rows = [3_000, 10_000] if quick else [10_000, 100_000, 1_000_000]
    measured = []
    for count in rows:
        with tempfile.TemporaryDirectory() as folder:
            to = Path(folder, "measured.json")
            # In a process between, since a process's peak counts what its parent had when it was started.
            options = ["--rows", str(count), "--tokenizers", "subword", "--json", str(to)]
            subprocess.run([sys.executable, "-m", "benchmarks.data_preparation", *options], check=True)  # noqa: S603
            measured.append(json.loads(to.read_text(encoding="utf-8"))[0])  # with an empty cache
    seconds = [one["seconds"] for one in measured]
    yield curve("rows-time", x="training rows", y="seconds to read and tokenize", points=rows, values=seconds)
    peaks = [one["peak"] / 2**20 for one in measured]
    yield curve("rows-memory", x="training rows", y="MiB at the peak", points=rows, values=peaks)


def measure(*, bundle: str, quick: bool) -> list[Curve]:
    """All curves."""
    torch.set_num_threads(1)
    model = SentimentModel.load(bundle)
    return [
        text_length(model, quick=quick),
        batch_size(model, quick=quick),
        depth(quick=quick),
        loaded_models(bundle, quick=quick),
        workers(quick=quick),
        *training_rows(quick=quick),
    ]


def in_words(one: Curve) -> str:
    """The fitted law."""
    a, b = one.fitted
    return one.law.replace("a", f"{a:,.3g}").replace("b", f"{b:,.3g}")


def show(curves: Sequence[Curve]) -> None:
    """Print a table."""
    table = Table("x", "y", "points", "law", "largest error")
    for one in curves:
        points = ", ".join(f"{x:,}: {y:,.3g}" for x, y in zip(one.points, one.values, strict=True))
        table.add_row(one.x, one.y, points, in_words(one), f"{one.largest_error:.0%}")
    Console().print(table)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="default", help="a bundle's folder, or default")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller points")
    parser.add_argument("--json", type=Path, help="write the curves to this file, too")
    options = parser.parse_args()
    curves = measure(bundle=options.bundle, quick=options.quick)
    show(curves)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in curves], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
