"""Claim: the gradient vanishes over time in a plain recurrent network, and gates let more of it through."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from model_store.manifest import CellName
from training.lecture import checkpoint_gradient
from training.lecture.formatting import spread
from training.lecture.plots import (
    BLUE,
    DASHES,
    GRAY,
    GREEN,
    ORANGE,
    SKY,
    EndLabel,
    finished,
    label_ends,
    new_plot,
)
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.settings import Settings
from training.lecture.symbols import ANSWERS, RECALL_SYMBOLS, SymbolReader, recall_texts, train_on_recall
from training.lecture.unrolled import gradient_norms, read_step_by_step
from training.network.cells import RecurrentLayer

CLAIM = Claim(
    name="vanishing",
    title="The gradient vanishes with distance",
    statement=(
        "In a plain recurrent network the gradient of the loss at step i with respect to the hidden state at step j "
        "shrinks exponentially with the distance i - j, so that distant dependencies are not learned. The gates of "
        "LSTM and GRU let the gradient through; an LSTM's forget gate does it best when it starts open."
    ),
    source=(
        'Lecture "Vanishing Gradients and Fancy RNNs"; Hochreiter and Schmidhuber 1997; '
        "Jozefowicz, Zaremba and Sutskever 2015, section 2.2 (forget bias)"
    ),
)

NEAR = 20  # steps back at which variants are compared
STRAIGHT = 0.95  # R² of log norm against distance that counts as exponential
GONE = 0.01  # part of the gradient that counts as vanished at the furthest distance
FLOOR = 1e-30  # below it single precision has only rounding; also keeps logarithms finite


@dataclass(frozen=True, slots=True)
class VanishingVariant:
    """A cell and its initialization."""

    name: str
    cell: CellName
    color: str
    dash: Any
    forget_bias: float | None = None
    torch_start: bool = False


VARIANTS = (
    VanishingVariant("rnn, torch's start", "rnn", GRAY, DASHES[2], torch_start=True),
    VanishingVariant("rnn", "rnn", ORANGE, DASHES[0]),
    VanishingVariant("lstm, forget bias 0", "lstm", SKY, DASHES[1], forget_bias=0.0),
    VanishingVariant("lstm, forget bias 1", "lstm", BLUE, DASHES[0], forget_bias=1.0),
    VanishingVariant("gru", "gru", GREEN, DASHES[3]),
)


@dataclass(frozen=True, slots=True)
class VanishingSizes:
    """Sizes of the experiment."""

    units: int = 32
    furthest: int = 50
    texts: int = 64
    trained_distance: int = NEAR
    steps: int = 400


QUICK = VanishingSizes(steps=120)


@dataclass(frozen=True, slots=True)
class Reach:
    """The share of the gradient that is left by distance, in one network: (distances,) each, 1 at distance 0.

    Attributes:
        cell_state: the same for an LSTM's cell state; empty for others.
        accuracy: on the task it was trained on; None if it is fresh.
    """

    variant: str
    seed: int
    hidden: list[float]
    cell_state: list[float]
    accuracy: float | None


def investigate(settings: Settings, sizes: VanishingSizes) -> Finding:
    """Measure all variants fresh and trained, and the user's own checkpoint if given."""
    fresh, trained = [], []
    for seed in settings.seeds:
        for variant in VARIANTS:
            reader = new_reader(variant, units=sizes.units, seed=seed)
            fresh.append(measure(reader, variant.name, seed=seed, sizes=sizes, accuracy=None))
            generator = torch.Generator().manual_seed(seed)
            course = train_on_recall(reader, distance=sizes.trained_distance, steps=sizes.steps, generator=generator)
            last = course[-20:]
            trained.append(measure(reader, variant.name, seed=seed, sizes=sizes, accuracy=sum(last) / len(last)))
    own = checkpoint_gradient.measure(settings) if settings.checkpoint else None
    return Finding(
        claim=CLAIM,
        setting=_setting(sizes, settings) | (own.setting if own else {}),
        plots=[
            _draw(fresh, "vanishing-fresh", "Fresh networks", "Before any training."),
            _draw(
                trained,
                "vanishing-trained",
                "Trained networks",
                f"After {sizes.steps} steps of training to recall a symbol {sizes.trained_distance} steps back.",
            ),
            *(own.plots if own else []),
        ],
        tables=[_table(fresh, trained, sizes), *(own.tables if own else [])],
        numbers={
            "fresh": [_as_json(reach) for reach in fresh],
            "trained": [_as_json(reach) for reach in trained],
            "checkpoint": own.numbers if own else None,
        },
        checks=judge(fresh, trained),
        meaning=_meaning(fresh, trained) + (f" {own.meaning}" if own else ""),
    )


def new_reader(variant: VanishingVariant, *, units: int, seed: int) -> SymbolReader:
    """A fresh network of this variant."""
    torch.manual_seed(seed)
    reader = SymbolReader(variant.cell, symbols=RECALL_SYMBOLS, hidden_size=units, classes=ANSWERS)
    layer = cast("RecurrentLayer", reader.encoder.layers[0])
    if variant.torch_start:
        layer.reset_parameters()
    if variant.forget_bias is not None:
        with torch.no_grad():  # gates are stacked input, forget, content, output
            cast("Tensor", layer.bias_ih_l0).chunk(4)[1].fill_(variant.forget_bias)
    return reader


def measure(reader: SymbolReader, variant: str, *, seed: int, sizes: VanishingSizes, accuracy: float | None) -> Reach:
    """Geometric mean over texts of the gradient's norm at each distance, relative to distance 0."""
    recall = recall_texts(sizes.texts, distance=sizes.furthest, generator=torch.Generator().manual_seed(seed + 1000))
    layer = cast("RecurrentLayer", reader.encoder.layers[0])
    states = read_step_by_step(layer, reader.vectors(recall.ids))
    loss = functional.cross_entropy(reader.head(states.hidden[-1]), recall.answers, reduction="sum")
    return Reach(
        variant=variant,
        seed=seed,
        hidden=relative(gradient_norms(loss, states.hidden)),
        cell_state=relative(gradient_norms(loss, states.cells)) if states.cells else [],
        accuracy=accuracy,
    )


def relative(norms: Tensor) -> list[float]:
    """(distances, texts) norms to (distances,) geometric means of the part that is left."""
    left = norms.clamp_min(FLOOR).log().double()
    return (left - left[0]).mean(dim=1).exp().tolist()


def straightness(left: list[float]) -> float:
    """R² of a straight line through log(part left) against distance, from distance 1 on."""
    logs = torch.tensor(left[1:], dtype=torch.float64).clamp_min(FLOOR).log()
    distances = torch.arange(1, len(left), dtype=torch.float64)
    return float(torch.corrcoef(torch.stack([distances, logs]))[0, 1] ** 2)


def judge(fresh: list[Reach], trained: list[Reach]) -> list[Check]:
    """Apply the rules, fixed before the measurement. "In every seed" compares networks that saw the same texts."""
    plain = [reach.hidden for reach in fresh if reach.variant == "rnn"]
    furthest = len(plain[0]) - 1
    return [
        Check(
            rule=f"Fresh rnn: less than {GONE:.0%} is left {furthest} steps back, in every seed.",
            measured=spread([left[furthest] for left in plain], share=True),
            held=all(left[furthest] < GONE for left in plain),
        ),
        Check(
            rule=f"Fresh rnn: it shrinks exponentially (log norm against distance has R² ≥ {STRAIGHT}), in every seed.",
            measured="R² " + ", ".join(f"{straightness(left):.4f}" for left in plain),
            held=all(straightness(left) >= STRAIGHT for left in plain),
        ),
        _keeps_more(fresh, "lstm, forget bias 1", than="lstm, forget bias 0", when="Fresh"),
        _keeps_more(fresh, "lstm, forget bias 1", than="rnn", when="Fresh"),
        _keeps_more(fresh, "gru", than="rnn", when="Fresh"),
        _keeps_more(trained, "lstm, forget bias 1", than="rnn", when="Trained"),
        _keeps_more(trained, "gru", than="rnn", when="Trained"),
    ]


def _keeps_more(reaches: list[Reach], more: str, *, than: str, when: str) -> Check:
    left, right = _at(reaches, more, NEAR), _at(reaches, than, NEAR)
    return Check(
        rule=f"{when}: {more} keeps more {NEAR} steps back than {than}, in every seed.",
        measured=f"{spread(left, share=True)} against {spread(right, share=True)}",
        held=all(more > less for more, less in zip(left, right, strict=True)),
    )


def _at(reaches: list[Reach], variant: str, distance: int) -> list[float]:
    return [reach.hidden[distance] for reach in reaches if reach.variant == variant]


def _setting(sizes: VanishingSizes, settings: Settings) -> dict[str, str]:
    return {
        "Networks": (
            f"One layer of our encoder, left to right, {sizes.units} units, a linear head at the last token; "
            "rnn, lstm and gru as the encoder initializes them, and the rnn as torch does."
        ),
        "Texts": (
            f"{sizes.texts} random texts of {sizes.furthest + 1} symbols whose first is asked for at the last; "
            f"loss is cross-entropy there. Seeds {', '.join(map(str, settings.seeds))}."
        ),
        "Gradient": (
            "Norm at each hidden state by automatic differentiation through the layer's own weights, read token by "
            "token; divided by the norm at the last state; geometric mean over texts."
        ),
        "Training": (
            f"{sizes.steps} steps of 32 texts with the answer {sizes.trained_distance} steps back; Adam 0.003, "
            "clipped at norm 1."
        ),
    }


def _draw(reaches: list[Reach], name: str, title: str, caption: str) -> Plot:
    figure, axes = new_plot(title, x="distance i - j in tokens", y="gradient norm, at distance 0 = 1")
    axes.set_yscale("log")
    labels = []
    for variant in VARIANTS:
        lines = torch.tensor([reach.hidden for reach in reaches if reach.variant == variant.name])
        mean = lines.clamp_min(FLOOR).log().mean(dim=0).exp().tolist()
        distances = range(len(mean))
        axes.plot(distances, mean, color=variant.color, linestyle=variant.dash)
        low, high = lines.amin(dim=0).tolist(), lines.amax(dim=0).tolist()
        axes.fill_between(distances, low, high, color=variant.color, alpha=0.15, linewidth=0)
        labels.append(EndLabel(len(mean) - 1, mean[-1], variant.name, variant.color))
    axes.set_xlim(0, len(reaches[0].hidden) - 1)
    label_ends(axes, labels)
    return finished(figure, name=name, caption=f"{caption} Line: mean over seeds; band: smallest to largest.")


def _table(fresh: list[Reach], trained: list[Reach], sizes: VanishingSizes) -> Table:
    rows = []
    for variant in VARIANTS:
        accuracies = [reach.accuracy for reach in trained if reach.variant == variant.name]
        cells = [reach.cell_state[NEAR] for reach in trained if reach.variant == variant.name and reach.cell_state]
        rows.append(
            [
                variant.name,
                spread(_at(fresh, variant.name, NEAR), share=True),
                spread(_at(trained, variant.name, NEAR), share=True),
                spread(cells, share=True) if cells else "none",
                spread([value for value in accuracies if value is not None], share=True),
            ]
        )
    return Table(
        caption=f"Part of the gradient left {NEAR} steps back, mean (smallest to largest) over seeds",
        header=[
            "",
            "fresh",
            "trained",
            "trained, at the cell state",
            f"accuracy, answer {sizes.trained_distance} back",
        ],
        rows=rows,
    )


def _meaning(fresh: list[Reach], trained: list[Reach]) -> str:
    best_fresh = max(VARIANTS, key=lambda variant: min(_at(fresh, variant.name, NEAR))).name
    best_trained = max(VARIANTS, key=lambda variant: min(_at(trained, variant.name, NEAR))).name
    return (
        f"Before training, {best_fresh} lets the most through {NEAR} steps back; after training, {best_trained} "
        "does. The start matters as much as the cell: our rnn starts orthogonal, torch's does not. An LSTM carries "
        "its memory in the cell state, so the column for it tells more than the one for the hidden state, and once "
        "a task is learned a small gradient is expected. See the section on memory for what each cell makes of it. A "
        "forget bias of 1 costs nothing and is how our encoder starts an LSTM."
    )


def _as_json(reach: Reach) -> dict[str, Any]:
    return {
        "variant": reach.variant,
        "seed": reach.seed,
        "hidden": [float(f"{value:.3g}") for value in reach.hidden],
        "cell_state": [float(f"{value:.3g}") for value in reach.cell_state],
        "accuracy": reach.accuracy,
    }
