"""Claim: an LSTM learns to count, a GRU does not."""

from dataclasses import asdict, dataclass
from typing import Any, cast

import torch

from model_store.manifest import CellName
from training.lecture import brackets
from training.lecture.formatting import percent, short, spread
from training.lecture.plots import BLUE, DASHES, GRAY, GREEN, ORANGE, EndLabel, finished, label_ends, new_plot
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.settings import Settings
from training.lecture.symbols import SymbolReader
from training.lecture.unrolled import read_step_by_step
from training.network.cells import RecurrentLayer

CLAIM = Claim(
    name="counting",
    title="LSTM counts, GRU does not",
    statement=(
        "An LSTM learns to use units of its cell as counters, which may grow without bound, and so carries aⁿbⁿ beyond "
        "the lengths it was trained on. A GRU's state is bounded and mixes old and new by a gate, so it does not count."
    ),
    source="Weiss, Goldberg and Yahav 2018; Gers and Schmidhuber 2001 (the task as next-symbol prediction)",
)

LEARNED_SHARE = 0.9  # part of the trained lengths that counts as having learned the language
FOLLOWS = 0.99  # correlation with the count that makes a unit a counter


@dataclass(frozen=True, slots=True)
class CountingSizes:
    """Sizes of the experiment."""

    units: int = 10
    longest: int = 100
    steps: int = 1500
    tested_to: int = 1000
    tested_every: int = 50


QUICK = CountingSizes(steps=250, tested_to=300)


@dataclass(frozen=True, slots=True)
class Counter:
    """One trained network.

    Attributes:
        inside: part right of n = 1 to the longest trained.
        outside: part right of the longer n tested.
        right: the longer n that are right.
        correlation: of the unit that follows the count best, at the longest trained n.
        course: that unit's state along the text; an LSTM's cell state, a GRU's hidden state.
    """

    cell: str
    seed: int
    inside: float
    outside: float
    right: list[int]
    unit: int
    correlation: float
    course: list[float]
    loss: float


def investigate(settings: Settings, sizes: CountingSizes) -> Finding:
    """Train both cells for all seeds, test them on longer texts, and find the unit that counts."""
    cells: tuple[CellName, ...] = ("lstm", "gru")
    counters = [measure(cell, seed=seed, sizes=sizes) for cell in cells for seed in settings.seeds]
    by_hand = right_by_hand(longer(sizes))
    return Finding(
        claim=CLAIM,
        setting={
            "Task": (
                "Predict the next symbol of aⁿbⁿ. A text is right if all predictions from the first b on are "
                "right, including the end; until then the next symbol is unknown."
            ),
            "Networks": f"One layer of our encoder, left to right, {sizes.units} units, and a linear head.",
            "Training": (
                f"{sizes.steps} steps of 16 texts, n at random from 1 to {sizes.longest}; Adam 0.01, clipped at "
                f"norm 1. Tested on n = 1 to {sizes.longest}, and on every {sizes.tested_every}th n beyond up to "
                f"{sizes.tested_to}. Seeds {', '.join(map(str, settings.seeds))}."
            ),
            "Trial": (
                "A trial with one seed and 600 steps preceded the rules: the loss was still falling, so there are "
                "more steps here."
            ),
            "Counting unit": (
                f"The unit whose state correlates best with “a read minus b read” along n = {sizes.longest}: of "
                "the cell state in an LSTM, of the hidden state in a GRU."
            ),
        },
        plots=[_draw_unit(counters, "lstm", sizes), _draw_unit(counters, "gru", sizes)],
        tables=[_table(counters, sizes)],
        numbers={"runs": [_as_json(counter) for counter in counters], "set_by_hand_right": by_hand},
        checks=judge(counters, by_hand=by_hand),
        meaning=_meaning(counters),
    )


def measure(cell: CellName, *, seed: int, sizes: CountingSizes) -> Counter:
    """Train one network and test it."""
    torch.manual_seed(seed)
    reader = SymbolReader(cell, symbols=brackets.SYMBOLS, hidden_size=sizes.units, classes=brackets.SYMBOLS)
    generator = torch.Generator().manual_seed(seed)
    losses = brackets.train(reader, longest=sizes.longest, steps=sizes.steps, generator=generator)
    right = [n for n in longer(sizes) if brackets.is_right(reader, n)]
    unit, correlation, course = follow(reader, sizes.longest)
    return Counter(
        cell=cell,
        seed=seed,
        inside=brackets.share_right(reader, range(1, sizes.longest + 1)),
        outside=len(right) / len(longer(sizes)),
        right=right,
        unit=unit,
        correlation=correlation,
        course=course,
        loss=sum(losses[-20:]) / len(losses[-20:]),
    )


def longer(sizes: CountingSizes) -> range:
    """The n beyond training that are tested."""
    return range(sizes.longest + sizes.tested_every, sizes.tested_to + 1, sizes.tested_every)


def follow(reader: SymbolReader, n: int) -> tuple[int, float, list[float]]:
    """The unit that follows the count best, its correlation, and its state along the text."""
    layer = cast("RecurrentLayer", reader.encoder.layers[0])
    with torch.no_grad():
        states = read_step_by_step(layer, reader.vectors(brackets.text(n).unsqueeze(1)))
    memory = torch.stack(states.cells or states.hidden)[:, 0]  # (2n, units)
    unit, correlation = brackets.counting_unit(memory, n)
    return unit, correlation, memory[:, unit].tolist()


def right_by_hand(ns: range) -> float:
    """The part of the ``ns`` that an LSTM of one unit gets right whose weights are set, not learned."""
    reader = SymbolReader("lstm", symbols=brackets.SYMBOLS, hidden_size=1, classes=brackets.SYMBOLS)
    brackets.set_by_hand(reader)
    return brackets.share_right(reader, ns)


def judge(counters: list[Counter], *, by_hand: float) -> list[Check]:
    """Apply the rules, which were fixed before the measurement."""
    lstm = [counter for counter in counters if counter.cell == "lstm"]
    gru = [counter for counter in counters if counter.cell == "gru"]
    return [
        Check(
            rule="Set by hand, an LSTM of a single unit gets every longer n right.",
            measured=percent(by_hand),
            held=by_hand == 1.0,
        ),
        Check(
            rule=f"Trained, the lstm gets at least {LEARNED_SHARE:.0%} of the trained n right, in every seed.",
            measured=spread([counter.inside for counter in lstm], share=True),
            held=all(counter.inside >= LEARNED_SHARE for counter in lstm),
        ),
        Check(
            rule="The lstm gets more of the longer n right than the gru, in every seed.",
            measured=(
                f"{spread([counter.outside for counter in lstm], share=True)} against "
                f"{spread([counter.outside for counter in gru], share=True)}"
            ),
            held=all(more.outside > less.outside for more, less in zip(lstm, gru, strict=True)),
        ),
        Check(
            rule=(
                f"In the lstm a unit of the cell follows the count with a correlation of at least {FOLLOWS}, in "
                "every seed."
            ),
            measured=_correlations(lstm),
            held=all(counter.correlation >= FOLLOWS for counter in lstm),
        ),
        Check(
            rule=f"In the gru no unit reaches {FOLLOWS}, in any seed.",
            measured=_correlations(gru),
            held=all(counter.correlation < FOLLOWS for counter in gru),
        ),
    ]


def _correlations(counters: list[Counter]) -> str:
    return ", ".join(f"{counter.correlation:.4f}" for counter in counters)


def _draw_unit(counters: list[Counter], cell: str, sizes: CountingSizes) -> Plot:
    figure, axes = new_plot(f"The unit that counts best: {cell}", x="token", y="state, scaled to its range")
    balance = brackets.balance(sizes.longest)
    axes.plot(range(1, 2 * sizes.longest + 1), balance / balance.max(), color=GRAY, linewidth=1, linestyle=(0, (4, 3)))
    labels = []
    of_cell = [counter for counter in counters if counter.cell == cell]
    for counter, color, dash in zip(of_cell, (BLUE, ORANGE, GREEN), DASHES, strict=False):
        course = torch.tensor(counter.course)
        span = float(course.max() - course.min()) or 1.0
        scaled = (course - course.min()) / span
        if course[sizes.longest - 1] < course[-1]:  # a unit may count downwards
            scaled = 1 - scaled
        axes.plot(range(1, len(course) + 1), scaled, color=color, linestyle=dash, linewidth=1.4)
        name = f"seed {counter.seed}, r = {counter.correlation:.3f}"
        labels.append(EndLabel(len(course), float(scaled[-1]), name, color))
    axes.set_xlim(1, 2 * sizes.longest)
    axes.axvline(sizes.longest, color=GRAY, linewidth=0.8)
    label_ends(axes, labels)
    kind = "cell state" if cell == "lstm" else "hidden state"
    caption = (
        f"{kind.capitalize()} along {sizes.longest} “a” and {sizes.longest} “b”; upright if it counts downwards. "
        "Dashed: a perfect counter."
    )
    return finished(figure, name=f"counting-{cell}", caption=caption)


def _table(counters: list[Counter], sizes: CountingSizes) -> Table:
    return Table(
        caption="Texts that are right",
        header=["", f"n = 1 to {sizes.longest}", "longer n", "longest right", "best unit: correlation", "last losses"],
        rows=[
            [
                f"{counter.cell}, seed {counter.seed}",
                percent(counter.inside),
                percent(counter.outside),
                str(max(counter.right, default="none")),
                f"{counter.correlation:.4f}",
                short(counter.loss),
            ]
            for counter in counters
        ],
    )


def _meaning(counters: list[Counter]) -> str:
    far = {
        cell: max((max(c.right, default=0) for c in counters if c.cell == cell), default=0) for cell in ("lstm", "gru")
    }
    reached = " and ".join(
        f"the best {cell} was right up to n = {n}" if n else f"no {cell} was right at any length beyond training"
        for cell, n in far.items()
    )
    return (
        f"An LSTM can count exactly: set by hand, one unit is enough. Learning it is another matter; here {reached}. "
        "Prefer an LSTM if the answer depends on counts (nesting, lists, lengths). Sentiment hardly does."
    )


def _as_json(counter: Counter) -> dict[str, Any]:
    return {**asdict(counter), "course": [round(value, 4) for value in counter.course]}
