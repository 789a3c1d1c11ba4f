"""Speed of a training step of the encoder and of its alternatives, in one run.

    python -m benchmarks.training_speed --data train.txt.gz --json figures.json

The figures are tokens per second, without padding, of whole steps: forward, backward, clipping by norm, AdamW.

- encoder: the 2-layer residual encoder on packed, length-bucketed batches, as ``fit`` trains it.
- fused: the same network with one ``nn.LSTM(num_layers=2)``, on a GPU cuDNN's two-layer kernel.
- padded: the encoder's network on shuffled batches, padded with zeros to their longest text and not packed.
- gru: the encoder with GRU cells.
- encoder without oneDNN (CPU only): torch runs an LSTM, but not a GRU, with oneDNN's fused kernel. Without oneDNN both
  run the same kernels, so that the cells are compared.
- encoder bf16 (on CPUs with bfloat16 units, and on GPUs): the encoder under autocast, as with ``--trainer.precision
  bf16-mixed``.

The contestants take turns step by step, in random order, so that other load affects all alike. A round is one pass over
the batches of all contestants; a ratio is the median of the ratios of the rounds. Batches are made beforehand, on the
device, so that reading data is not measured. No GPU has been measured yet.
"""

import argparse
import json
import platform
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.contestants import IN_BFLOAT16, WITHOUT_ONEDNN, Contestant, Setup, count_tokens, make_contestants
from training.data import tokenization
from training.data.batches import LengthBucketedSampler
from training.data.readers import ReadingOptions, read_examples
from training.network.padded_kernels import has_bfloat16_units

SAMPLE = Path(__file__).resolve().parents[1] / "training" / "data" / "sample" / "train.csv"
MIN_TEXTS = 6_400  # a hundred batches, one pool of the sampler; a smaller file is repeated
MIN_ROUNDS = 2  # after an uncounted one; quartiles need at least two


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    data: Path
    trees: Literal["root", "phrases"]
    batch_size: int
    batches: int
    max_tokens: int
    embedding_size: int
    hidden_size: int
    seconds: float
    device: str
    threads: int
    json: Path | None


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio of the speeds of two contestants, and its lower bound, if any."""

    fast: str
    slow: str
    bound: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """Median and quartiles over the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """The speed of one contestant relative to another, with the lower bound, if any."""

    figure: Figure
    goal: float | None

    @property
    def verdict(self) -> str:
        """The lower bound, and whether it is reached."""
        if self.goal is None:
            return "none"
        return f"{self.goal:.2f} {'met' if self.figure.median >= self.goal else 'NOT met'}"


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """Everything that is printed or written."""

    conditions: dict[str, object]
    tokens_per_second: dict[str, Figure]
    ratios: dict[str, Ratio]


def main() -> None:
    """Read the texts, measure the contestants for the given time, and print the figures."""
    options = read_options()
    torch.set_num_threads(options.threads)
    texts, vocabulary = read_texts(options)
    bucketed, shuffled = choose_batches(texts, options)
    contestants = make_contestants(
        bucketed,
        shuffled,
        vocabulary=vocabulary,
        setup=Setup(options.device, options.batch_size, options.embedding_size, options.hidden_size),
    )
    rounds = measure(contestants, steps=len(bucketed), seconds=options.seconds)
    report = make_report(contestants, rounds, options=options, conditions=describe(bucketed, shuffled, options))
    show(report)
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SAMPLE, help="labeled file (default: the project's sample)")
    parser.add_argument(
        "--trees",
        choices=["root", "phrases"],
        default="root",
        help="of treebank files: whole sentences, or every phrase",
    )
    parser.add_argument("--batch_size", type=int, default=64, help="texts in a batch")
    parser.add_argument("--batches", type=int, default=8, help="steps of each contestant in a round")
    parser.add_argument("--max_tokens", type=int, default=512, help="longer texts are truncated, as in training")
    parser.add_argument("--embedding_size", type=int, default=100, help="size of the token embeddings")
    parser.add_argument("--hidden_size", type=int, default=150, help="units of a layer and direction")
    parser.add_argument("--seconds", type=float, default=60.0, help="time for all rounds; at least three are run")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="torch threads on the CPU")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return Options(**vars(parser.parse_args()))


def read_texts(options: Options) -> tuple[list[Tensor], int]:
    """Token ids of the texts, repeated up to ``MIN_TEXTS``, and the size of their vocabulary."""
    examples = read_examples(options.data, ReadingOptions(trees=options.trees, on_bad_row="skip"))
    raw = [example.text for example in examples]
    pipeline = tokenization.word_pipeline(sorted(tokenization.count_words(raw)))
    encoded = tokenization.encode_all(pipeline, raw, max_tokens=options.max_tokens)
    texts = [torch.tensor(ids) for ids in encoded if len(ids)]
    repeats = -(-MIN_TEXTS // len(texts))
    return texts * repeats, pipeline.get_vocab_size()


def choose_batches(texts: list[Tensor], options: Options) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """Equal numbers of bucketed batches, evenly spread over all lengths, and of shuffled batches."""
    lengths = torch.tensor([len(text) for text in texts])
    sampler = LengthBucketedSampler(lengths, batch_size=options.batch_size, shuffle=True, seed=0)
    full = sorted(
        (rows for rows in sampler if len(rows) == options.batch_size), key=lambda rows: int(lengths[rows].sum())
    )
    count = min(options.batches, len(full))
    chosen = [full[(2 * index + 1) * len(full) // (2 * count)] for index in range(count)]
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(0))
    shuffled = [rows.tolist() for rows in torch.split(order, options.batch_size)[:count]]
    return [[texts[row] for row in rows] for rows in chosen], [[texts[row] for row in rows] for rows in shuffled]


def measure(contestants: list[Contestant], *, steps: int, seconds: float) -> list[dict[str, float]]:
    """Seconds by contestant of each round, for as many rounds as fit the time, after an uncounted one."""
    end = time.perf_counter() + seconds
    generator = torch.Generator().manual_seed(0)
    run_round(contestants, steps=steps, generator=generator)
    rounds: list[dict[str, float]] = []
    while len(rounds) < MIN_ROUNDS or time.perf_counter() < end:
        rounds.append(run_round(contestants, steps=steps, generator=generator))
    return rounds


def run_round(contestants: list[Contestant], *, steps: int, generator: torch.Generator) -> dict[str, float]:
    """Seconds of each contestant for one pass over its batches."""
    taken = dict.fromkeys((contestant.name for contestant in contestants), 0.0)
    for index in range(steps):
        for turn in torch.randperm(len(contestants), generator=generator).tolist():
            wait_for_device()
            start = time.perf_counter()
            contestants[turn].step(index)
            wait_for_device()
            taken[contestants[turn].name] += time.perf_counter() - start
    return taken


def wait_for_device() -> None:
    """Wait until the GPU has finished: its calls return before."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def make_report(
    contestants: list[Contestant], rounds: list[dict[str, float]], *, options: Options, conditions: dict[str, object]
) -> SpeedReport:
    """Speeds, and the ratios of each round."""
    speeds = {each.name: [each.tokens / taken[each.name] for taken in rounds] for each in contestants}
    ratios = {}
    for goal in goals(options):
        compared = [fast / slow for fast, slow in zip(speeds[goal.fast], speeds[goal.slow], strict=True)]
        ratios[f"{goal.fast} / {goal.slow}"] = Ratio(summarize(compared), goal.bound)
    summaries = {name: summarize(speed) for name, speed in speeds.items()}
    return SpeedReport({**conditions, "rounds": len(rounds)}, summaries, ratios)


def goals(options: Options) -> list[Goal]:
    """The pairs to compare; there are no bounds for a GPU."""
    if options.device == "cpu":
        measured = [Goal("encoder", "fused", 0.9), Goal("encoder", "padded", 1.8), Goal("gru", "encoder", 1.0)]
        in_bfloat16 = [Goal(IN_BFLOAT16, "encoder", None)] if has_bfloat16_units() else []
        return [*measured, Goal("gru", WITHOUT_ONEDNN, None), *in_bfloat16]
    pairs = [("encoder", "fused"), ("encoder", "padded"), ("gru", "encoder")]
    same = [Goal(f"{fast} {kind}", f"{slow} {kind}", None) for kind in ("fp32", "bf16") for fast, slow in pairs]
    return [*same, Goal(IN_BFLOAT16, "encoder fp32", None)]


def summarize(values: list[float]) -> Figure:
    """Median and quartiles."""
    low, median, high = quantiles(values, n=4, method="inclusive")
    return Figure(median, low, high)


def describe(bucketed: list[list[Tensor]], shuffled: list[list[Tensor]], options: Options) -> dict[str, object]:
    """The conditions of the measurement."""
    on_gpu = options.device != "cpu"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "device": torch.cuda.get_device_name(options.device) if on_gpu else f"CPU, {platform.machine()}",
        "threads": options.threads,
        "torch": torch.__version__,
        "data": options.data.name,
        "batch_size": options.batch_size,
        "steps_per_round": len(bucketed),
        "tokens_per_round": {"bucketed": count_tokens(bucketed), "shuffled": count_tokens(shuffled)},
        "padded_over_real": {"bucketed": padding_ratio(bucketed), "shuffled": padding_ratio(shuffled)},
        "network": f"2 x {options.hidden_size}, bidirectional, residual; frozen embedding of {options.embedding_size}",
    }


def padding_ratio(batches: list[list[Tensor]]) -> float:
    """Positions of the padded batches over real tokens."""
    positions = sum(max(len(text) for text in texts) * len(texts) for texts in batches)
    return round(positions / count_tokens(batches), 3)


def show(report: SpeedReport) -> None:
    """Print the conditions and two tables."""
    console = Console()
    for name, value in report.conditions.items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)
    speeds = Table("contestant", "tokens per second", "quartiles", title="Training steps")
    for name, figure in report.tokens_per_second.items():
        speeds.add_row(name, f"{figure.median:,.0f}", f"{figure.low:,.0f} to {figure.high:,.0f}")
    ratios = Table("ratio", "median", "quartiles", "goal", title="Ratios of the speeds of a round")
    for name, ratio in report.ratios.items():
        spread = f"{ratio.figure.low:.2f} to {ratio.figure.high:.2f}"
        ratios.add_row(name, f"{ratio.figure.median:.2f}", spread, ratio.verdict)
    console.print(speeds, ratios)


if __name__ == "__main__":
    main()
