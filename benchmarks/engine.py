"""Speed of the model beside transformers of usual sizes and fastText, on one thread, without HTTP.

    python -m benchmarks.engine [--quick] [--json figures.json]

Every contestant is given the same numbers of token ids, in texts of one length, so that none pays for padding or for
tokenizing. They take turns, each call after an uncounted one, so that other load affects all alike; a figure is the
median of the calls. The transformers have random weights: their speed is that of trained ones. fastText is measured if
it is installed; it is given words instead of ids.

Then two products of matrices, in 32 and in 8 bits, as the bound of the processor, and how many of their operations a
second the model's recurrent layers reach.
"""

import argparse
import json
import os
import random
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: one thread, like the model's

import numpy as np
import torch
from onnx import TensorProto, helper
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch.nn.utils.rnn import pack_sequence

from benchmarks.inference import operations, timed
from benchmarks.transformers_for_speed import SIZES, Classify, Ids, contestants, one_thread
from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.graph_runner import PADDED_TOKENS_A_BATCH
from training.export.onnx_graph import build_graph
from training.export.read_back import task_of
from training.fit.provenance import processor_name

OURS = "this model, 8 bits"
LENGTHS = (5, 25, 100, 400)
BATCHES = (1, 32)
LARGE = 3_000
"""Tokens from which a transformer takes seconds a call: few calls, and none uncounted."""

WIDTH = 1024
"""Of the square matrices whose product is the bound."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant on texts of one length.

    Attributes:
        milliseconds: of a text, the median of the calls.
        low, high: quartiles.
        times_ours: the same over this model's.
    """

    contestant: str
    tokens: int
    texts: int
    milliseconds: float
    low: float
    high: float
    times_ours: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        peaks: bits to 10^9 operations a second of a product of matrices.
        reached: the same of the recurrent layers, in 8 bits, by (tokens, texts).
    """

    rows: list[Row]
    peaks: dict[str, float]
    reached: dict[str, float]


def own_contestants(bundle: str) -> Iterator[tuple[str, Classify]]:
    """The model as it is served, in 32 bits, and as a network in torch."""
    content = bundles.read(bundles.resolve(bundle))
    network = task_of(content).network.eval()
    yield OURS, in_runtime(content.graph, one_by_one=content.manifest.one_by_one)
    yield "this model, 32 bits", in_runtime(build_graph(network))

    def classify(ids: Ids) -> object:
        with torch.inference_mode():
            return network(pack_sequence(list(torch.from_numpy(ids))))

    yield "this model in torch", classify


def in_runtime(graph: bytes, *, one_by_one: bool = False) -> Classify:
    """A bundle's graph on one thread, in runs of the size that the model store chooses."""
    session = one_thread(graph)

    most = 0 if one_by_one else PADDED_TOKENS_A_BATCH["cpu"]

    def run(ids: Ids) -> object:
        lengths = np.full(len(ids), ids.shape[1], dtype=np.int32)
        return session.run(["logits"], {"ids": ids, "lengths": lengths})

    def in_runs(ids: Ids) -> object:
        texts = max(1, most // ids.shape[1])
        return [run(ids[start : start + texts]) for start in range(0, len(ids), texts)]

    return in_runs


def fasttext_contestant() -> Iterator[tuple[str, Classify]]:
    """The linear model of word pairs, after an epoch over made-up lines; nothing if it is not installed."""
    try:
        import fasttext  # noqa: PLC0415 - optional
    except ImportError:
        return
    draw = random.Random(0)  # noqa: S311 - not for cryptography
    path = Path("build", "fasttext.txt")
    path.parent.mkdir(exist_ok=True)
    words = [f"w{number}" for number in range(20_000)]
    lines = (f"__label__{draw.randrange(3)} {' '.join(draw.choices(words, k=20))}\n" for _ in range(5_000))
    path.write_text("".join(lines))
    model = fasttext.train_supervised(str(path), epoch=1, wordNgrams=2, dim=100, verbose=0, thread=1)

    def classify(ids: Ids) -> object:
        # Its binding returns an array in a way that numpy 2 refuses; what it wraps does not.
        return [model.f.predict(" ".join(words[index % 20_000] for index in row) + "\n", 1, 0.0, "") for row in ids]

    yield "fastText", classify


def measure(*, bundle: str, quick: bool) -> Figures:
    """Let all take turns."""
    torch.set_num_threads(1)
    calls = dict(own_contestants(bundle))
    for size in SIZES:
        calls |= dict(contestants(size))
    calls |= dict(fasttext_contestant())
    generator = np.random.default_rng(0)
    seconds: dict[tuple[str, int, int], list[float]] = {}
    cells = [cell for cell in product(LENGTHS, BATCHES) if not quick or cell[0] * cell[1] <= 100 * 8]
    rounds = 3 if quick else 15
    for tokens, texts in track(cells, description="Measuring", transient=True):
        ids = generator.integers(10, 20_000, (texts, tokens))
        large = tokens * texts > LARGE
        for _ in range(3 if large else rounds):
            for name in random.sample(list(calls), len(calls)):
                call = partial(calls[name], ids)
                if not large:
                    call()
                seconds.setdefault((name, tokens, texts), []).append(timed(call))
    return figures(seconds, bundle=bundle)


def figures(seconds: dict[tuple[str, int, int], list[float]], *, bundle: str) -> Figures:
    """The rows of a table, and the processor's bounds."""
    rows = []
    for (name, tokens, texts), taken in seconds.items():
        low, median, high = (1000 * value / texts for value in statistics.quantiles(taken, n=4))
        ours = 1000 * statistics.median(seconds[OURS, tokens, texts]) / texts
        rows.append(Row(name, tokens, texts, median, low, high, times_ours=median / ours))
    shape = SentimentModel.load(bundle).manifest.architecture
    reached = {
        f"{row.tokens} x {row.texts}": row.tokens * operations(shape) / row.milliseconds / 1e6
        for row in rows
        if row.contestant == OURS
    }
    return Figures(sorted(rows, key=rising), peaks(), reached)


def peaks() -> dict[str, float]:
    """10^9 multiplications and additions a second of a product of two matrices, in ONNX Runtime."""
    generator = np.random.default_rng(0)
    in_bytes = {
        "a": generator.integers(0, 255, (WIDTH, WIDTH), dtype=np.uint8),
        "b": generator.integers(-63, 64, (WIDTH, WIDTH), dtype=np.int8),
    }
    in_floats = {name: matrix.astype(np.float32) for name, matrix in in_bytes.items()}
    return {"32": _peak("MatMul", in_floats), "8": _peak("MatMulInteger", in_bytes)}


def _peak(operator: str, inputs: dict[str, np.ndarray]) -> float:
    kinds = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8}
    shape = [WIDTH, WIDTH]
    a = helper.make_tensor_value_info("a", kinds[inputs["a"].dtype.name], shape)
    out = TensorProto.FLOAT if operator == "MatMul" else TensorProto.INT32
    result = helper.make_tensor_value_info("c", out, shape)
    # The second matrix is a constant, as weights are, so that it is packed beforehand.
    b = helper.make_tensor("b", kinds[inputs["b"].dtype.name], shape, inputs["b"].tobytes(), raw=True)
    graph = helper.make_graph([helper.make_node(operator, ["a", "b"], ["c"])], "peak", [a], [result], [b])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = one_thread(model.SerializeToString())
    best = min(timed(lambda: session.run(None, {"a": inputs["a"]})) for _ in range(20))
    return 2 * WIDTH**3 / best / 1e9


def rising(row: Row) -> tuple[int, int, float]:
    """By what is computed, then by the time."""
    return row.texts, row.tokens, row.milliseconds


def show(measured: Figures) -> None:
    """Print the tables."""
    table = Table("contestant", "tokens", "texts", "ms a text (quartiles)", "times ours", title=processor_name())
    for row in measured.rows:
        spread = f"{row.milliseconds:.3f} ({row.low:.3f} to {row.high:.3f})"
        table.add_row(row.contestant, str(row.tokens), str(row.texts), spread, f"{row.times_ours:.2f}")
    console = Console()
    console.print(table)
    bounds = ", ".join(f"{rate:,.0f} in {bits} bits" for bits, rate in measured.peaks.items())
    console.print(f"10^9 operations a second of a product of matrices: {bounds}; of the model's recurrent layers:")
    console.print(", ".join(f"{cell}: {rate:,.0f}" for cell, rate in measured.reached.items()))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="default", help="a bundle's folder, or default")
    parser.add_argument("--quick", action="store_true", help="few calls, and no large requests")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    measured = measure(bundle=options.bundle, quick=options.quick)
    show(measured)
    if options.json:
        options.json.write_text(json.dumps(asdict(measured), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
