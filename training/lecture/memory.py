"""Claim: gated cells remember over longer distances than a plain recurrent network."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any, cast

import torch
from torch import Tensor

from model_store.manifest import CellName
from training.lecture.formatting import spread
from training.lecture.plots import (
    BLUE,
    DASHES,
    GRAY,
    GREEN,
    ORANGE,
    PURPLE,
    EndLabel,
    finished,
    label_ends,
    new_plot,
)
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.settings import Settings
from training.lecture.symbols import (
    ANSWERS,
    RECALL_SYMBOLS,
    SymbolReader,
    recall_loss,
    recall_texts,
    train_on_recall,
)
from training.network.cells import RecurrentLayer

CLAIM = Claim(
    name="memory",
    title="Memory over long distances",
    statement=(
        "A plain recurrent network learns to use tokens about 7 steps back; LSTM and GRU learn to use tokens much "
        "further back, an LSTM about 100."
    ),
    source='Lecture "Vanishing Gradients and Fancy RNNs"; Hochreiter and Schmidhuber 1997, section 5.2',
)

FAR = 100  # tokens an LSTM should reach
RIGHT = 0.9  # accuracy that counts as remembering; guessing gives a quarter
SURE = 20  # consecutive batches without a mistake after which training stops


@dataclass(frozen=True, slots=True)
class MemoryVariant:
    """A cell and its initialization."""

    name: str
    cell: CellName
    color: str
    dash: Any
    long_start: bool = False
    torch_start: bool = False


VARIANTS = (
    MemoryVariant("rnn", "rnn", ORANGE, DASHES[0]),
    MemoryVariant("rnn, torch's start", "rnn", GRAY, DASHES[2], torch_start=True),
    MemoryVariant("gru", "gru", GREEN, DASHES[3]),
    MemoryVariant("lstm", "lstm", BLUE, DASHES[0]),
    MemoryVariant("lstm, long start", "lstm", PURPLE, DASHES[1], long_start=True),
)


@dataclass(frozen=True, slots=True)
class MemorySizes:
    """Sizes of the experiment."""

    distances: tuple[int, ...] = (10, 30, 100, 200, 400)
    units: int = 32
    steps: int = 400
    texts: int = 16
    tested: int = 256


QUICK = MemorySizes(distances=(10, 40, 100), steps=120)


@dataclass(frozen=True, slots=True)
class Memory:
    """One network, trained and tested at one distance."""

    variant: str
    distance: int
    seed: int
    accuracy: float
    steps: int


def investigate(settings: Settings, sizes: MemorySizes) -> Finding:
    """Train all variants at all distances."""
    memories = list(measure(settings, sizes))
    return Finding(
        claim=CLAIM,
        setting={
            "Task": (
                "Recall the first symbol (one of 4) after a number of others; guessing is right in 25%. Each "
                "network is trained and tested at one distance."
            ),
            "Networks": (
                f"One layer of our encoder, left to right, {sizes.units} units, and a linear head; as the "
                "encoder initializes them. “Long start” is an LSTM whose forget bias is log(distance) and input "
                "bias its negative (after Tallec and Ollivier 2018); it and the rnn with torch's initialization "
                "are only for comparison, not for the verdict."
            ),
            "Training": (
                f"At most {sizes.steps} steps of {sizes.texts} texts, fewer after {SURE} batches in a row "
                f"without a mistake; Adam 0.003, clipped at norm 1. Tested on {sizes.tested} new texts. Seeds "
                f"{', '.join(map(str, settings.seeds))}."
            ),
            "Trial": (
                "A trial with one seed at distances of 10 and 30 (300 steps of 32 texts) preceded the rules: it "
                "showed that all cells learn the task at 10."
            ),
        },
        plots=[_draw(memories, sizes)],
        tables=[_table(memories, sizes)],
        numbers={"runs": [asdict(memory) for memory in memories], "reach": _reaches(memories)},
        checks=judge(memories),
        meaning=_meaning(memories),
    )


def measure(settings: Settings, sizes: MemorySizes) -> Iterator[Memory]:
    """Train and test all networks, one at a time."""
    for variant in VARIANTS:
        for distance in sizes.distances:
            for seed in settings.seeds:
                reader = new_reader(variant, distance=distance, units=sizes.units, seed=seed)
                course = train_on_recall(
                    reader,
                    distance=distance,
                    steps=sizes.steps,
                    texts=sizes.texts,
                    generator=torch.Generator().manual_seed(seed),
                    enough=lambda accuracies: len(accuracies) >= SURE and min(accuracies[-SURE:]) == 1.0,
                )
                test = recall_texts(
                    sizes.tested, distance=distance, generator=torch.Generator().manual_seed(seed + 1000)
                )
                with torch.no_grad():
                    _, accuracy = recall_loss(reader, test)
                yield Memory(variant.name, distance, seed, accuracy, len(course))


def new_reader(variant: MemoryVariant, *, distance: int, units: int, seed: int) -> SymbolReader:
    """A fresh network of this variant."""
    torch.manual_seed(seed)
    reader = SymbolReader(variant.cell, symbols=RECALL_SYMBOLS, hidden_size=units, classes=ANSWERS)
    if variant.torch_start:
        cast("RecurrentLayer", reader.encoder.layers[0]).reset_parameters()
    if variant.long_start:
        gates = cast("Tensor", reader.encoder.layers[0].bias_ih_l0).detach().chunk(4)  # input, forget, content, output
        gates[0].fill_(-math.log(distance))
        gates[1].fill_(math.log(distance))
    return reader


def reach(memories: list[Memory], variant: str, seed: int) -> int:
    """The longest distance up to which all are remembered; 0 if the shortest is not."""
    furthest = 0
    of_seed = [memory for memory in memories if (memory.variant, memory.seed) == (variant, seed)]
    for memory in sorted(of_seed, key=lambda memory: memory.distance):
        if memory.accuracy < RIGHT:
            break
        furthest = memory.distance
    return furthest


def judge(memories: list[Memory]) -> list[Check]:
    """Apply the rules, which were fixed before the measurement."""
    reaches = _reaches(memories)
    middle = {name: median(of_seeds) for name, of_seeds in reaches.items()}
    shown = {name: f"{middle[name]:g} (seeds: {', '.join(map(str, of_seeds))})" for name, of_seeds in reaches.items()}
    meant = f"reach is the furthest distance up to which accuracy is at least {RIGHT:.0%}; median over seeds"
    return [
        Check(
            rule=f"The lstm's reach is greater than the rnn's ({meant}).",
            measured=f"{shown['lstm']} against {shown['rnn']}",
            held=middle["lstm"] > middle["rnn"],
        ),
        Check(
            rule="The gru's reach is greater than the rnn's.",
            measured=f"{shown['gru']} against {shown['rnn']}",
            held=middle["gru"] > middle["rnn"],
        ),
        Check(
            rule=f"The lstm's reach is at least {FAR}.",
            measured=shown["lstm"],
            held=middle["lstm"] >= FAR,
        ),
    ]


def _reaches(memories: list[Memory]) -> dict[str, list[int]]:
    seeds = sorted({memory.seed for memory in memories})
    return {variant.name: [reach(memories, variant.name, seed) for seed in seeds] for variant in VARIANTS}


def _accuracies(memories: list[Memory], variant: str, distance: int) -> list[float]:
    return [memory.accuracy for memory in memories if (memory.variant, memory.distance) == (variant, distance)]


def _draw(memories: list[Memory], sizes: MemorySizes) -> Plot:
    figure, axes = new_plot("Recalling a symbol", x="distance in tokens", y="accuracy")
    axes.set_xscale("log")
    labels = []
    for variant in VARIANTS:
        runs = [_accuracies(memories, variant.name, distance) for distance in sizes.distances]
        means = [fmean(run) for run in runs]
        axes.plot(sizes.distances, means, color=variant.color, linestyle=variant.dash, marker="o", markersize=4)
        axes.fill_between(
            sizes.distances, list(map(min, runs)), list(map(max, runs)), color=variant.color, alpha=0.12, linewidth=0
        )
        labels.append(EndLabel(sizes.distances[-1], means[-1], variant.name, variant.color))
    axes.axhline(1 / ANSWERS, color=GRAY, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        "guessing",
        (sizes.distances[0], 1 / ANSWERS),
        xytext=(0, -11),
        textcoords="offset points",
        color=GRAY,
        fontsize=9,
    )
    axes.set_xticks(sizes.distances, [str(distance) for distance in sizes.distances])
    axes.minorticks_off()
    axes.set_ylim(0, 1.03)
    axes.yaxis.set_major_formatter("{x:.0%}")
    label_ends(axes, labels)
    caption = (
        "Each network was trained at the distance it is tested at. Line: mean over seeds; band: smallest to largest."
    )
    return finished(figure, name="memory", caption=caption)


def _table(memories: list[Memory], sizes: MemorySizes) -> Table:
    return Table(
        caption="Accuracy, mean (smallest to largest) over seeds",
        header=["", *(f"{distance} back" for distance in sizes.distances)],
        rows=[
            [
                variant.name,
                *(spread(_accuracies(memories, variant.name, distance), share=True) for distance in sizes.distances),
            ]
            for variant in VARIANTS
        ],
    )


def _meaning(memories: list[Memory]) -> str:
    middle = {name: median(of_seeds) for name, of_seeds in _reaches(memories).items()}
    order = "; ".join(f"{name}: {reached:g}" for name, reached in middle.items())
    helped = middle["lstm, long start"] > middle["lstm"]
    start = (
        "An LSTM whose forget bias is the logarithm of the distance reached further than one that starts at 1, at no "
        "cost: if the distance is known, start there. "
        if helped
        else "Starting the forget bias at the logarithm of the distance did not carry the LSTM further. "
    )
    return (
        f"Reach under this training, in tokens: {order}. {start}What is compared is what the "
        "same little training gives. In sentiment the signal is spread over the text and pooling reads "
        "every token, so that no state has to carry one word over hundreds of others."
    )
