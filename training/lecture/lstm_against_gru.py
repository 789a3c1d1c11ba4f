"""Claim: a GRU is smaller and faster than an LSTM, and about as accurate."""

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import fmean, median

import torch
from torch.nn import functional

from training.lecture.formatting import percent, short, spread
from training.lecture.plots import BLUE, GRAY, GREEN, finished, new_plot
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.sentences import (
    Sentences,
    accuracy,
    interval,
    new_network,
    read_sentences,
    train,
    training_batches,
)
from training.lecture.settings import Settings
from training.lecture.symbols import take_step
from training.network import SentimentNetwork

CLAIM = Claim(
    name="lstm-gru",
    title="LSTM against GRU",
    statement=(
        "A GRU has three quarters of an LSTM's parameters and is faster to compute. There is no conclusive evidence "
        "that one of them is consistently the more accurate."
    ),
    source='Lecture "Vanishing Gradients and Fancy RNNs", LSTM vs GRU; Chung et al. 2014',
)

QUARTERS = 0.75
VARIANTS = ("lstm", "gru, equal units", "gru, equal parameters")


@dataclass(frozen=True, slots=True)
class LstmAgainstGruSizes:
    """Sizes of the experiment."""

    steps: int = 150
    rounds: int = 7
    timed_steps: int = 8


QUICK = LstmAgainstGruSizes(steps=40, rounds=3, timed_steps=4)


@dataclass(frozen=True, slots=True)
class Trained:
    """One trained classifier."""

    variant: str
    seed: int
    accuracy: float


@dataclass(frozen=True, slots=True)
class SizedCell:
    """A cell, its units, and the parameters of its recurrent layers."""

    name: str
    cell: str
    hidden_size: int
    parameters: int


def investigate(settings: Settings, sizes: LstmAgainstGruSizes) -> Finding:
    """Count parameters, time training steps in turns, and train all three variants."""
    sentences = read_sentences(settings)
    variants = list(make_variants(sentences, settings))
    speeds = measure_speed(sentences, settings, variants, sizes)
    trained = [
        Trained(variant.name, seed, _score(sentences, settings, variant, seed=seed, steps=sizes.steps))
        for variant in variants
        for seed in settings.seeds
    ]
    return Finding(
        claim=CLAIM,
        setting={
            "Data": sentences.describe(settings),
            "Networks": (
                f"{settings.model.network['layers']} layer(s), "
                f"{'both directions' if settings.model.network['bidirectional'] else 'one direction'}; "
                f"{variants[0].hidden_size} units in the LSTM, and a GRU of {variants[2].hidden_size} units that "
                "comes closest to its parameters."
            ),
            "Speed": (
                "Training steps (forward, backward, AdamW) of 32 texts per CPU second on one thread: "
                f"{sizes.rounds} rounds of {sizes.timed_steps} steps on the same batches, the cells taking turns."
            ),
            "Training": (
                f"{sizes.steps} steps of 32 texts; AdamW at {settings.model.learning_rate:g}, one cycle. Seeds "
                f"{', '.join(map(str, settings.seeds))}. An accuracy's 95% interval is about "
                f"±{interval(sentences):.1%}."
            ),
        },
        plots=[_draw_accuracy(trained), _draw_speed(speeds)],
        tables=[_table(variants, speeds, trained)],
        numbers={
            "variants": [asdict(variant) for variant in variants],
            "steps_per_cpu_second": speeds,
            "accuracy": [asdict(run) for run in trained],
            "interval": interval(sentences),
        },
        checks=judge(variants, speeds, trained),
        meaning=_meaning(speeds, trained),
    )


def make_variants(sentences: Sentences, settings: Settings) -> Iterator[SizedCell]:
    """The LSTM of the settings, the GRU with as many units, and the GRU with as many parameters."""
    units = settings.model.network["hidden_size"]
    target = _parameters(sentences, settings, "lstm", units)
    yield SizedCell("lstm", "lstm", units, target)
    yield SizedCell("gru, equal units", "gru", units, _parameters(sentences, settings, "gru", units))
    counts = {size: _parameters(sentences, settings, "gru", size) for size in range(units, 2 * units)}
    closest = min(counts, key=lambda size: abs(counts[size] - target))
    yield SizedCell("gru, equal parameters", "gru", closest, counts[closest])


def measure_speed(
    sentences: Sentences, settings: Settings, variants: list[SizedCell], sizes: LstmAgainstGruSizes
) -> dict[str, list[float]]:
    """Training steps per CPU second of every variant, one figure a round; in turns, so that a busy machine hits all."""
    batches = list(training_batches(sentences, steps=sizes.timed_steps, seed=0))
    speeds: dict[str, list[float]] = {variant.name: [] for variant in variants}
    networks = {variant.name: _network(sentences, settings, variant, seed=0).train() for variant in variants}
    for turn in range(sizes.rounds + 1):
        for name, network in networks.items():
            parameters = list(network.parameters())
            optimizer = torch.optim.AdamW(parameters, lr=1e-4)
            before = time.process_time()
            for batch in batches:
                take_step(optimizer, functional.cross_entropy(network(batch.ids), batch.labels), parameters, clip=1.0)
            if turn:  # the first round warms up
                speeds[name].append(len(batches) / (time.process_time() - before))
    return speeds


def judge(variants: list[SizedCell], speeds: dict[str, list[float]], trained: list[Trained]) -> list[Check]:
    """Apply the rules, which were fixed before the measurement."""
    lstm, gru, _ = variants
    faster = [gru_speed > lstm_speed for gru_speed, lstm_speed in zip(speeds[gru.name], speeds[lstm.name], strict=True)]
    return [
        Check(
            rule="With equal units the GRU's recurrent layers have exactly three quarters of the LSTM's parameters.",
            measured=f"{gru.parameters:,} against {lstm.parameters:,}: {gru.parameters / lstm.parameters:.4f}",
            held=gru.parameters == QUARTERS * lstm.parameters,
        ),
        Check(
            rule="With equal units the GRU takes more training steps per CPU second, in every round.",
            measured=(
                f"{spread(speeds[gru.name])} against {spread(speeds[lstm.name])}; faster in {sum(faster)} of "
                f"{len(faster)}"
            ),
            held=all(faster),
        ),
        *(_undecided(trained, variant.name) for variant in variants[1:]),
    ]


def _undecided(trained: list[Trained], gru: str) -> Check:
    lstm_runs, gru_runs = _accuracies(trained, "lstm"), _accuracies(trained, gru)
    signs = {(gru_run > lstm_run) - (gru_run < lstm_run) for gru_run, lstm_run in zip(gru_runs, lstm_runs, strict=True)}
    return Check(
        rule=f"Neither the LSTM nor the GRU ({gru.removeprefix('gru, ')}) is the more accurate in every seed.",
        measured=f"gru {spread(gru_runs, share=True)}, lstm {spread(lstm_runs, share=True)}",
        held=signs not in ({1}, {-1}),
    )


def _network(sentences: Sentences, settings: Settings, variant: SizedCell, *, seed: int) -> SentimentNetwork:
    return new_network(sentences, settings, seed=seed, cell=variant.cell, hidden_size=variant.hidden_size)


def _parameters(sentences: Sentences, settings: Settings, cell: str, units: int) -> int:
    network = new_network(sentences, settings, seed=0, cell=cell, hidden_size=units)
    return sum(parameter.numel() for parameter in network.encoder.layers.parameters())


def _score(sentences: Sentences, settings: Settings, variant: SizedCell, *, seed: int, steps: int) -> float:
    network = _network(sentences, settings, variant, seed=seed)
    train(network, sentences, settings, steps=steps, seed=seed)
    return accuracy(network, sentences)


def _accuracies(trained: list[Trained], variant: str) -> list[float]:
    return [run.accuracy for run in trained if run.variant == variant]


def _draw_accuracy(trained: list[Trained]) -> Plot:
    figure, axes = new_plot("Accuracy, one dot a seed", x="accuracy", y="", height=2.2)
    for position, name in enumerate(reversed(VARIANTS)):
        runs = _accuracies(trained, name)
        axes.plot(runs, [position] * len(runs), "o", color=BLUE if name == "lstm" else GREEN, alpha=0.75, markersize=7)
        axes.plot([fmean(runs)], [position], "|", color=GRAY, markersize=20, markeredgewidth=2)
    axes.set_yticks(range(len(VARIANTS)), list(reversed(VARIANTS)))
    axes.set_ylim(-0.6, len(VARIANTS) - 0.4)
    axes.xaxis.set_major_formatter("{x:.1%}")
    return finished(figure, name="lstm-gru-accuracy", caption="Stroke: mean over seeds.")


def _draw_speed(speeds: dict[str, list[float]]) -> Plot:
    figure, axes = new_plot("Training speed, one dot a round", x="steps per CPU second", y="", height=2.2)
    for position, name in enumerate(reversed(VARIANTS)):
        runs = speeds[name]
        axes.plot(runs, [position] * len(runs), "o", color=BLUE if name == "lstm" else GREEN, alpha=0.6, markersize=7)
        axes.plot([median(runs)], [position], "|", color=GRAY, markersize=20, markeredgewidth=2)
    axes.set_yticks(range(len(VARIANTS)), list(reversed(VARIANTS)))
    axes.set_ylim(-0.6, len(VARIANTS) - 0.4)
    axes.set_xlim(left=0)
    return finished(figure, name="lstm-gru-speed", caption="On this machine's CPU. Stroke: median over rounds.")


def _table(variants: list[SizedCell], speeds: dict[str, list[float]], trained: list[Trained]) -> Table:
    return Table(
        caption="Mean (range)",
        header=["", "units", "recurrent parameters", "steps per CPU second", "accuracy"],
        rows=[
            [
                variant.name,
                str(variant.hidden_size),
                f"{variant.parameters:,}",
                spread(speeds[variant.name]),
                spread(_accuracies(trained, variant.name), share=True),
            ]
            for variant in variants
        ],
    )


def _meaning(speeds: dict[str, list[float]], trained: list[Trained]) -> str:
    ratio = median(speeds["gru, equal units"]) / median(speeds["lstm"])
    best = max(VARIANTS, key=lambda name: fmean(_accuracies(trained, name)))
    return (
        f"On this machine a GRU of equal units trains {short(ratio)} times as fast as the LSTM; libraries treat the "
        f"two differently, so measure where you will train. Most accurate on average was {best} "
        f"({percent(fmean(_accuracies(trained, best)))}). Start with an LSTM, and change to a GRU where size counts "
        "and your own data shows no loss."
    )
