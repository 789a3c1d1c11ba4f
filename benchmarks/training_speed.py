"""How fast a training step is, contestants side by side in one run.

On a GPU: not yet measured.

    python -m benchmarks.training_speed --data train.txt.gz --json figures.json

Each figure is real tokens a second of whole steps: forward, backward, clipping by norm, AdamW. Padding is no token.

- encoder: the 2-layer residual encoder on packed, length-bucketed batches, as ``fit`` trains it.
- fused: the same network around one ``nn.LSTM(num_layers=2)``, which on a GPU is cuDNN's own two-layer kernel.
- padded: the encoder's network on shuffled batches, filled with zeros to their longest text and not packed.
- gru: the encoder with GRU cells.
- encoder without oneDNN (CPU only): torch hands an LSTM to oneDNN's fused kernel, but never a GRU; with that switched
  off both run the same kernels, and the cells themselves are compared.
- encoder bf16 (on CPUs with bfloat16 units, and on GPUs): the encoder under autocast, as ``--trainer.precision
  bf16-mixed`` trains it.

The contestants take turns step by step, each time in another order, so that a busy machine troubles all alike. A round
is one pass over everyone's batches; a ratio is the median of the rounds' ratios. Batches are made beforehand and lie on
the device: reading data is not measured.
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
LEAST_TEXTS = 6_400  # a hundred batches, one pool of the sampler; a smaller file is repeated
FEWEST_ROUNDS = 2  # beside the one that is not counted; quartiles need no fewer


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

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
    """A ratio of two contestants' speeds and the least it should be."""

    fast: str
    slow: str
    least: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """Median and quartiles over the rounds."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much faster one contestant is than another, and the least it should be where there is a goal."""

    figure: Figure
    goal: float | None

    @property
    def verdict(self) -> str:
        """The goal, and whether it is reached."""
        if self.goal is None:
            return "none set"
        return f"{self.goal:.2f} {'met' if self.figure.median >= self.goal else 'NOT met'}"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is printed and written."""

    conditions: dict[str, object]
    tokens_per_second: dict[str, Figure]
    ratios: dict[str, Ratio]


def main() -> None:
    """Reads the texts, lets the contestants run for the given time, and prints what they did."""
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
    rounds = race(contestants, steps=len(bucketed), seconds=options.seconds)
    report = make_report(contestants, rounds, options=options, conditions=describe(bucketed, shuffled, options))
    show(report)
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SAMPLE, help="labelled file; the project's sample by default")
    parser.add_argument("--trees", choices=["root", "phrases"], default="root", help="what to take of treebank files")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--batches", type=int, default=8, help="steps each takes in a round")
    parser.add_argument("--max-tokens", type=int, default=512, help="longer texts are cut, as in training")
    parser.add_argument("--embedding-size", type=int, default=100)
    parser.add_argument("--hidden-size", type=int, default=150)
    parser.add_argument("--seconds", type=float, default=60.0, help="time for all rounds; three are run in any case")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="threads of torch on the CPU")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    return Options(**vars(parser.parse_args()))


def read_texts(options: Options) -> tuple[list[Tensor], int]:
    """Token ids of every text, repeated until there are enough, and the size of their vocabulary."""
    examples = read_examples(options.data, ReadingOptions(trees=options.trees, on_bad_row="skip"))
    raw = [example.text for example in examples]
    pipeline = tokenization.word_pipeline(sorted(tokenization.count_words(raw)))
    encoded = tokenization.encode_all(pipeline, raw, max_tokens=options.max_tokens)
    texts = [torch.tensor(ids) for ids in encoded if len(ids)]
    repeats = -(-LEAST_TEXTS // len(texts))
    return texts * repeats, pipeline.get_vocab_size()


def choose_batches(texts: list[Tensor], options: Options) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
    """As many bucketed as shuffled batches: the bucketed evenly spread over all lengths, the shuffled as they come."""
    lengths = torch.tensor([len(text) for text in texts])
    sampler = LengthBucketedSampler(lengths, batch_size=options.batch_size, shuffle=True, seed=0)
    full = sorted(
        (rows for rows in sampler if len(rows) == options.batch_size), key=lambda rows: int(lengths[rows].sum())
    )
    count = min(options.batches, len(full))
    chosen = [full[(2 * number + 1) * len(full) // (2 * count)] for number in range(count)]
    order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(0))
    shuffled = [rows.tolist() for rows in order.split(options.batch_size)[:count]]
    return [[texts[row] for row in rows] for rows in chosen], [[texts[row] for row in rows] for rows in shuffled]


def race(contestants: list[Contestant], *, steps: int, seconds: float) -> list[dict[str, float]]:
    """Each round's seconds by contestant; as many rounds as the time allows, after one that is not counted."""
    end = time.perf_counter() + seconds
    generator = torch.Generator().manual_seed(0)
    run_round(contestants, steps=steps, generator=generator)
    rounds: list[dict[str, float]] = []
    while len(rounds) < FEWEST_ROUNDS or time.perf_counter() < end:
        rounds.append(run_round(contestants, steps=steps, generator=generator))
    return rounds


def run_round(contestants: list[Contestant], *, steps: int, generator: torch.Generator) -> dict[str, float]:
    """Everyone's seconds for one pass over the batches."""
    taken = dict.fromkeys((one.name for one in contestants), 0.0)
    for number in range(steps):
        for turn in torch.randperm(len(contestants), generator=generator).tolist():
            wait_for_device()
            start = time.perf_counter()
            contestants[turn].step(number)
            wait_for_device()
            taken[contestants[turn].name] += time.perf_counter() - start
    return taken


def wait_for_device() -> None:
    """A GPU works on after its calls have returned."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def make_report(
    contestants: list[Contestant], rounds: list[dict[str, float]], *, options: Options, conditions: dict[str, object]
) -> Report:
    """Speeds, and ratios round by round."""
    speeds = {one.name: [one.tokens / taken[one.name] for taken in rounds] for one in contestants}
    ratios = {}
    for goal in goals(options):
        compared = [fast / slow for fast, slow in zip(speeds[goal.fast], speeds[goal.slow], strict=True)]
        ratios[f"{goal.fast} / {goal.slow}"] = Ratio(summarise(compared), goal.least)
    summaries = {name: summarise(speed) for name, speed in speeds.items()}
    return Report({**conditions, "rounds": len(rounds)}, summaries, ratios)


def goals(options: Options) -> list[Goal]:
    """What is compared; on a GPU with its own fused kernel as the bound, and no goal set."""
    if options.device == "cpu":
        measured = [Goal("encoder", "fused", 0.9), Goal("encoder", "padded", 1.8), Goal("gru", "encoder", 1.0)]
        in_bfloat16 = [Goal(IN_BFLOAT16, "encoder", None)] if has_bfloat16_units() else []
        return [*measured, Goal("gru", WITHOUT_ONEDNN, None), *in_bfloat16]
    pairs = [("encoder", "fused"), ("encoder", "padded"), ("gru", "encoder")]
    same = [Goal(f"{fast} {kind}", f"{slow} {kind}", None) for kind in ("fp32", "bf16") for fast, slow in pairs]
    return [*same, Goal(IN_BFLOAT16, "encoder fp32", None)]


def summarise(values: list[float]) -> Figure:
    """Median and quartiles."""
    low, median, high = quantiles(values, n=4, method="inclusive")
    return Figure(median, low, high)


def describe(bucketed: list[list[Tensor]], shuffled: list[list[Tensor]], options: Options) -> dict[str, object]:
    """Under which conditions the figures hold."""
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
    """Positions of the padded batches to real tokens."""
    positions = sum(max(len(text) for text in texts) * len(texts) for texts in batches)
    return round(positions / count_tokens(batches), 3)


def show(report: Report) -> None:
    """The conditions and two tables."""
    console = Console()
    for name, value in report.conditions.items():
        console.print(f"{name.replace('_', ' ')}: {value}", highlight=False)
    speeds = Table("contestant", "real tokens a second", "quartiles", title="Training steps")
    for name, figure in report.tokens_per_second.items():
        speeds.add_row(name, f"{figure.median:,.0f}", f"{figure.low:,.0f} to {figure.high:,.0f}")
    ratios = Table("ratio", "median", "quartiles", "goal", title="Of the same round's speeds")
    for name, ratio in report.ratios.items():
        spread = f"{ratio.figure.low:.2f} to {ratio.figure.high:.2f}"
        ratios.add_row(name, f"{ratio.figure.median:.2f}", spread, ratio.verdict)
    console.print(speeds, ratios)


if __name__ == "__main__":
    main()
