"""Claim: deep stacks need connections for gradients to reach their lowest layer."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from statistics import fmean, stdev

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from training.lecture.formatting import percent, short, spread
from training.lecture.plots import (
    BLUE,
    DASHES,
    GREEN,
    ORANGE,
    PURPLE,
    EndLabel,
    few_decades,
    finished,
    label_ends,
    new_plot,
)
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.sentences import Sentences, accuracy, interval, new_network, read_sentences, train
from training.lecture.settings import Settings
from training.network import SentimentNetwork
from training.network.connections import CONNECTIONS

CLAIM = Claim(
    name="depth",
    title="Depth needs connections",
    statement=(
        "Gradients vanish over layers as they do over time, so the lowest layers of a deep stack learn slowly. "
        "Residual, dense and highway connections carry them down, and make deep stacks trainable."
    ),
    source=(
        'Lecture "Vanishing Gradients and Fancy RNNs", vanishing gradients in deep networks; He et al. 2015; '
        "Huang et al. 2016; Srivastava et al. 2015"
    ),
)

COLORS = dict(zip(CONNECTIONS, (ORANGE, BLUE, GREEN, PURPLE), strict=True))
STYLES = dict(zip(CONNECTIONS, DASHES, strict=True))
LESS = 10  # times smaller, or greater, that counts as a difference between gradients


@dataclass(frozen=True, slots=True)
class DepthSizes:
    """Sizes of the experiment."""

    depths: tuple[int, ...] = (1, 2, 4, 8, 16)
    steps: int = 120
    texts: int = 64


QUICK = DepthSizes(depths=(1, 2, 8), steps=20)


@dataclass(frozen=True, slots=True)
class Stack:
    """One network.

    Attributes:
        reached: norm of the gradient at the first layer's representations over that at the top layer's, when fresh.
        weights: norm of the gradient of the first layer's weights, when fresh.
        accuracy: after training.
    """

    connection: str
    layers: int
    seed: int
    reached: float
    weights: float
    accuracy: float


def investigate(settings: Settings, sizes: DepthSizes) -> Finding:
    """Build all depths with all connections, measure the fresh gradient, and train."""
    sentences = read_sentences(settings)
    stacks = list(measure(sentences, settings, sizes))
    return Finding(
        claim=CLAIM,
        setting={
            "Data": sentences.describe(settings),
            "Networks": (
                f"{settings.model.network['cell']}, {settings.model.network['hidden_size']} units a direction, "
                f"{' + '.join(settings.model.network['pooling'])} pooling, {', '.join(map(str, sizes.depths))} "
                "layers."
            ),
            "Gradient": (
                f"Fresh, without dropout, of the loss of {sizes.texts} texts: norm over all tokens at the first "
                "layer's representations, divided by that at the top layer's."
            ),
            "Training": (
                f"{sizes.steps} steps of 32 texts; AdamW at {settings.model.learning_rate:g}, one cycle, clipped "
                f"at norm 1. Seeds {', '.join(map(str, settings.seeds))}. An accuracy's 95% interval is about "
                f"±{interval(sentences):.1%}."
            ),
        },
        plots=[_draw_gradient(stacks, sizes), _draw_accuracy(stacks, sizes)],
        tables=[
            _table(
                stacks, sizes, "reached", "Fresh: gradient at the first layer over gradient at the top, mean (range)"
            ),
            _table(stacks, sizes, "weights", "Fresh: norm of the gradient of the first layer's weights, mean (range)"),
            _table(stacks, sizes, "accuracy", "Accuracy after training, mean (range)"),
        ],
        numbers={"stacks": [asdict(stack) for stack in stacks], "interval": interval(sentences)},
        checks=judge(stacks),
        meaning=_meaning(stacks),
    )


def measure(sentences: Sentences, settings: Settings, sizes: DepthSizes) -> Iterator[Stack]:
    """Measure all stacks, one at a time."""
    for connection in CONNECTIONS:
        for layers in sizes.depths:
            for seed in settings.seeds:
                network = new_network(sentences, settings, seed=seed, layers=layers, connection=connection)
                reached, weights = gradient_reaching_first_layer(network, sentences, texts=sizes.texts)
                train(network, sentences, settings, steps=sizes.steps, seed=seed)
                yield Stack(connection, layers, seed, reached, weights, accuracy(network, sentences))


def gradient_reaching_first_layer(
    network: SentimentNetwork, sentences: Sentences, *, texts: int
) -> tuple[float, float]:
    """Norm of the loss's gradient at the first layer's representations over the top layer's, and at its weights."""
    caught: list[Tensor] = []

    def catch(_module: object, _arguments: object, layers: list[PackedSequence]) -> None:
        caught.extend(layer.data for layer in layers)

    batch = sentences.train[list(range(min(texts, len(sentences.train))))]
    hook = network.eval().encoder.register_forward_hook(catch)
    try:
        loss = functional.cross_entropy(network(batch.ids), batch.labels)
    finally:
        hook.remove()
    weights = list(network.encoder.layers[0].parameters())
    first, top, *of_weights = torch.autograd.grad(loss, [caught[0], caught[-1], *weights])
    return float(first.norm() / top.norm()), float(nn.utils.get_total_norm(of_weights))


def judge(stacks: list[Stack]) -> list[Check]:
    """The rules, fixed beforehand; seeds are compared one by one."""
    depths = sorted({stack.layers for stack in stacks})
    deepest, shallow = depths[-1], next(depth for depth in depths if depth > 1)
    plain = _of(stacks, "none", deepest, "reached")
    fallen = [low / high for low, high in zip(plain, _of(stacks, "none", shallow, "reached"), strict=True)]
    joined = [name for name in CONNECTIONS if name != "none"]
    return [
        Check(
            rule=(
                f"Without connections the part reaching the first of {deepest} layers is at most a {_ordinal(LESS)} of "
                f"that with {shallow}, in every seed."
            ),
            measured=f"{spread(fallen)} of it",
            held=all(part <= 1 / LESS for part in fallen),
        ),
        *(
            Check(
                rule=(
                    f"At {deepest} layers {name} carries at least {LESS} times as much down as no connection, in "
                    "every seed."
                ),
                measured=f"{spread(_of(stacks, name, deepest, 'reached'))} against {spread(plain)}",
                held=all(
                    more >= LESS * less for more, less in zip(_of(stacks, name, deepest, "reached"), plain, strict=True)
                ),
            )
            for name in joined
        ),
        _falls(stacks, depths),
        *(
            Check(
                rule=f"At {deepest} layers {name} is more accurate than no connection, in every seed.",
                measured=(
                    f"{spread(_of(stacks, name, deepest, 'accuracy'), share=True)} against "
                    f"{spread(_of(stacks, 'none', deepest, 'accuracy'), share=True)}"
                ),
                held=all(
                    more > less
                    for more, less in zip(
                        _of(stacks, name, deepest, "accuracy"), _of(stacks, "none", deepest, "accuracy"), strict=True
                    )
                ),
            )
            for name in joined
        ),
    ]


def _falls(stacks: list[Stack], depths: list[int]) -> Check:
    accuracies = {depth: _of(stacks, "none", depth, "accuracy") for depth in depths}
    best = max(depths[:-1], key=lambda depth: fmean(accuracies[depth]))
    best_runs, deep_runs = accuracies[best], accuracies[depths[-1]]
    noise = stdev(best_runs) + stdev(deep_runs) if len(deep_runs) > 1 else 0.0
    return Check(
        rule=(
            f"Without connections {depths[-1]} layers are less accurate than the best shallower stack, by more than "
            "the two standard deviations together."
        ),
        measured=f"{spread(deep_runs, share=True)} against {spread(best_runs, share=True)} with {best}",
        held=fmean(best_runs) - fmean(deep_runs) > noise,
    )


def _of(stacks: list[Stack], connection: str, layers: int, what: str) -> list[float]:
    return [getattr(stack, what) for stack in stacks if (stack.connection, stack.layers) == (connection, layers)]


def _ordinal(divisor: int) -> str:
    return "tenth" if divisor == LESS else f"{divisor}th"


def _draw_gradient(stacks: list[Stack], sizes: DepthSizes) -> Plot:
    return _draw(
        stacks,
        sizes,
        "reached",
        title="Gradient reaching the first layer",
        y="part of the gradient at the top",
        caption="Before training. Line: geometric mean over seeds; strokes: smallest to largest.",
    )


def _draw_accuracy(stacks: list[Stack], sizes: DepthSizes) -> Plot:
    return _draw(
        stacks,
        sizes,
        "accuracy",
        title="Accuracy after training",
        y="accuracy",
        caption=f"After {sizes.steps} steps. Line: mean over seeds; strokes: smallest to largest.",
    )


def _draw(stacks: list[Stack], sizes: DepthSizes, what: str, *, title: str, y: str, caption: str) -> Plot:
    figure, axes = new_plot(title, x="layers", y=y)
    axes.set_xscale("log", base=2)
    gradient = what == "reached"
    if gradient:
        axes.set_yscale("log")
    labels = []
    for connection in CONNECTIONS:
        runs = torch.tensor([_of(stacks, connection, depth, what) for depth in sizes.depths])  # (depths, seeds)
        means = (runs.log().mean(dim=1).exp() if gradient else runs.mean(dim=1)).tolist()
        color = COLORS[connection]
        apart = 1.03 ** (list(CONNECTIONS).index(connection) - 1.5)  # side by side, so that no range hides another
        positions = [depth * apart for depth in sizes.depths]
        axes.plot(positions, means, color=color, linestyle=STYLES[connection], marker="o", markersize=4)
        axes.vlines(positions, runs.amin(dim=1).tolist(), runs.amax(dim=1).tolist(), color=color, linewidth=1.2)
        labels.append(EndLabel(sizes.depths[-1], means[-1], connection, color))
    axes.set_xticks(sizes.depths, [str(depth) for depth in sizes.depths])
    axes.xaxis.minorticks_off()
    if gradient:
        few_decades(axes)
    else:
        axes.yaxis.set_major_formatter("{x:.0%}")
    label_ends(axes, labels)
    return finished(figure, name=f"depth-{what}", caption=caption)


def _table(stacks: list[Stack], sizes: DepthSizes, what: str, caption: str) -> Table:
    return Table(
        caption=caption,
        header=["connection", *(f"{depth} {'layer' if depth == 1 else 'layers'}" for depth in sizes.depths)],
        rows=[
            [name, *(spread(_of(stacks, name, depth, what), share=what == "accuracy") for depth in sizes.depths)]
            for name in CONNECTIONS
        ],
    )


def _meaning(stacks: list[Stack]) -> str:
    groups = {(stack.connection, stack.layers) for stack in stacks}
    means = {group: fmean(_of(stacks, *group, "accuracy")) for group in groups}
    (connection, layers), best = max(means.items(), key=lambda item: (item[1], -item[0][1]))
    deepest = max(layers for _, layers in groups)
    gradient_left = {name: fmean(_of(stacks, name, deepest, "reached")) for name in CONNECTIONS}
    strongest = max(gradient_left, key=lambda name: gradient_left[name])
    vanished = gradient_left["none"] <= 1 / LESS
    fresh = (
        "Without a connection the gradient fades on its way down a fresh stack."
        if vanished
        else "The gradient keeps its size on its way down a fresh stack even without connections, so its norm alone "
        "does not tell how well a deep stack trains."
    )
    return (
        f"Most accurate on average: {layers} {'layer' if layers == 1 else 'layers'} with connection {connection} "
        f"({percent(best)}); read it together with the interval above. {fresh} At {deepest} layers {strongest} "
        f"brings the most down ({short(gradient_left[strongest])} of the top's, against "
        f"{short(gradient_left['none'])} without one), "
        f"and accuracy is {percent(means['none', deepest])} without a connection, "
        + ", ".join(f"{percent(means[name, deepest])} with {name}" for name in CONNECTIONS if name != "none")
        + "."
    )
