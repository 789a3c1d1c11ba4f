"""Time of the model's calls without HTTP, on one thread.

    python -m benchmarks.inference [--bundle default] [--repeats 300]

The calls are interleaved, so that other load on the machine affects all of them alike; the ratios are more stable than
the times. An uncounted call of the same kind precedes each one, to fill the processor's caches. The last column counts
the multiplications and additions of the recurrent layers. The last row, a product of two matrices, is an upper bound
for the same thread.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: one thread, like the model's

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from model_store import SentimentModel
from model_store.manifest import Architecture
from training.network.cells import CELLS

TEXT = (
    "The film moves slowly at first, but its quiet performances and a wonderful final act make the whole thing feel "
    "honest and deeply human."
)
MATRIX = np.random.default_rng(0).standard_normal((512, 512)).astype(np.float32)


def operations(shape: Architecture) -> int:
    """Multiplications and additions of the recurrent layers for one token."""
    directions = 2 if shape.bidirectional else 1
    above = directions * shape.hidden_size
    inputs = [shape.embedding_size, *[above] * (shape.layers - 1)]
    gates = len(CELLS[shape.cell].gates)
    weights = sum(gates * shape.hidden_size * (width + shape.hidden_size) for width in inputs)
    return 2 * directions * weights


def timed(call: Callable[[], object]) -> float:
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="default", help="a bundle's folder, or default")
    parser.add_argument("--repeats", type=int, default=300, help="calls of each kind")
    options = parser.parse_args()
    model = SentimentModel.load(options.bundle)
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "predict, 1 text": (lambda: model.predict([TEXT]), 1),
        "predict with explanation, 1 text": (lambda: model.predict([TEXT], explain=True), 1),
        "represent, 1 text": (lambda: model.represent([TEXT]), 1),
        "tokenize, 1 text": (lambda: model.tokenize(TEXT), 1),
        "predict, 32 texts": (lambda: model.predict([TEXT] * 32), 32),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in track(range(options.repeats), description="Measuring", transient=True):
        for name, (call, _texts) in calls.items():
            call()
            seconds[name].append(timed(call))
    product = statistics.median(timed(lambda: MATRIX @ MATRIX) for _ in range(options.repeats))
    reference = statistics.median(seconds["predict, 1 text"])
    tokens = len(model.tokenize(TEXT))
    count = tokens * operations(model.manifest.architecture)
    title = f"{tokens} tokens a text"
    table = Table("call", "median ms a text", "against predict, 1 text", "10^9 operations/s", title=title)
    for name, (_, texts) in calls.items():
        median = statistics.median(seconds[name]) / texts
        rate = "" if name.startswith("tokenize") else f"{count / median / 1e9:.0f}"
        table.add_row(name, f"{1000 * median:.3f}", f"{median / reference:.2f}", rate)
    table.add_row("a product of matrices", "", "", f"{2 * MATRIX.shape[0] ** 3 / product / 1e9:.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
