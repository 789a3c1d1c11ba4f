"""Claim: reading in both directions lets a word's representation depend on what follows it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from model_store.manifest import CellName
from training.lecture import checkpoint as own_model
from training.lecture.formatting import percent, scientific, short, spread
from training.lecture.plots import BLUE, DASHES, ORANGE, EndLabel, finished, label_ends, new_plot
from training.lecture.results import Check, Claim, Finding, Plot, Table
from training.lecture.sentences import Sentences, accuracy, interval, new_network, read_sentences, train
from training.lecture.settings import Settings
from training.network import SentimentNetwork

CLAIM = Claim(
    name="bidirectionality",
    title="Reading in both directions",
    statement=(
        "In “the movie was terribly exciting” a left-to-right reader must represent “terribly” before it has seen "
        "“exciting”. The second direction adds what follows, so that the same word gets another representation in "
        "“terribly boring”; and if the whole text is available, both directions classify better than one."
    ),
    source='Lecture "Vanishing Gradients and Fancy RNNs", bidirectional RNNs; Schuster and Paliwal 1997',
)

PAIR = ("the movie was terribly exciting", "the movie was terribly boring")
WORD = "terribly"
EQUAL = 1e-6
DIFFERENT = 1e-3


@dataclass(frozen=True, slots=True)
class BidirectionalitySizes:
    """Sizes of the experiment."""

    steps: int = 150
    cells: tuple[CellName, ...] = ("lstm", "gru", "rnn")


QUICK = BidirectionalitySizes(steps=40)


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances between a layer's representations of the two sentences, token by token.

    Relative to the mean of the two norms: 0 is equal, 2 is opposite.
    """

    layer: int
    forward: list[float]
    backward: list[float]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sentences as one network sees them.

    Attributes:
        tokens: of the first sentence.
        word: position of the last token of "terribly".
        largest_forward: greatest absolute difference in the first layer's forward half up to and with the word.
        layers: lowest first.
    """

    network: str
    tokens: list[str]
    word: int
    largest_forward: float
    layers: list[Distances]


@dataclass(frozen=True, slots=True)
class TrainedClassifier:
    """One trained classifier."""

    direction: str
    seed: int
    accuracy: float


def investigate(settings: Settings, sizes: BidirectionalitySizes) -> Finding:
    """Compare the representations in fresh and trained networks, and both kinds of reading by accuracy."""
    sentences = read_sentences(settings)
    pairs, classifiers = [], []
    for cell in sizes.cells:
        network = new_network(
            sentences, settings, seed=settings.seeds[0], cell=cell, layers=1, bidirectional=True, connection="none"
        ).eval()
        pairs.append(compare(network, _every_word_known(sentences, network), name=f"{cell}, fresh"))
    for direction, options in _directions(settings).items():
        for seed in settings.seeds:
            network = new_network(sentences, settings, seed=seed, layers=1, connection="none", **options)
            train(network, sentences, settings, steps=sizes.steps, seed=seed)
            classifiers.append(TrainedClassifier(direction, seed, accuracy(network, sentences)))
            if direction == "both" and seed == settings.seeds[0]:
                pairs += _if_known(network, sentences.pipeline, name=f"{settings.model.network['cell']}, trained")
    own = list(_own(settings))
    return Finding(
        claim=CLAIM,
        setting=_setting(settings, sizes, sentences, own=own),
        plots=[_draw(pairs[-1], "bidirectionality"), *(_draw(pair, "bidirectionality-own") for pair in own)],
        tables=[_pair_table([*pairs, *own]), _accuracy_table(classifiers)],
        numbers={
            "pairs": [asdict(pair) for pair in [*pairs, *own]],
            "accuracy": [asdict(classifier) for classifier in classifiers],
            "interval": interval(sentences),
        },
        checks=judge([*pairs, *own], classifiers),
        meaning=_meaning(classifiers, own),
    )


def compare(
    network: SentimentNetwork, ids: tuple[list[int], list[int]], *, name: str, tokens: list[str] | None = None
) -> Pair:
    """Run both sentences and measure every layer, token by token, as far as the shorter one goes."""
    with torch.no_grad():
        both = [network.explain(pack_sequence([torch.tensor(sentence)])).layers for sentence in ids]
    length = min(map(len, ids))
    word = next(index for index, (left, right) in enumerate(zip(*ids, strict=False)) if left != right) - 1
    layers, largest = [], 0.0
    for index, (first, second) in enumerate(zip(*both, strict=True)):
        one, other = first[0, :length], second[0, :length]  # (tokens, 2 * hidden)
        half = one.shape[1] // 2
        if index == 0:
            largest = float((one - other)[: word + 1, :half].abs().max())
        layers.append(
            Distances(index + 1, _apart(one[:, :half], other[:, :half]), _apart(one[:, half:], other[:, half:]))
        )
    return Pair(name, tokens or PAIR[0].split(), word, largest, layers)


def judge(pairs: list[Pair], classifiers: list[TrainedClassifier]) -> list[Check]:
    """Apply the rules, which were fixed before the measurement."""
    largest = max(pair.largest_forward for pair in pairs)
    smallest = min(pair.layers[0].backward[pair.word] for pair in pairs)
    both, one, wide = (_accuracies(classifiers, name) for name in ("both", "forward", "forward, twice as wide"))
    return [
        Check(
            rule=(
                f"First layer: the forward half is equal to {scientific(EQUAL)} at every token up to “{WORD}”, in "
                "every network."
            ),
            measured=f"largest difference {short(largest)} in {len(pairs)} networks",
            held=largest <= EQUAL,
        ),
        Check(
            rule=f"First layer: the backward half at “{WORD}” is at least {DIFFERENT} apart, in every network.",
            measured=f"smallest relative distance {short(smallest)}",
            held=smallest >= DIFFERENT,
        ),
        Check(
            rule="Both directions are more accurate than one of the same size, in every seed.",
            measured=f"{spread(both, share=True)} against {spread(one, share=True)}",
            held=all(more > less for more, less in zip(both, one, strict=True)),
        ),
        Check(
            rule="Both directions are more accurate than one of twice the size, in every seed.",
            measured=f"{spread(both, share=True)} against {spread(wide, share=True)}",
            held=all(more > less for more, less in zip(both, wide, strict=True)),
        ),
    ]


def _apart(first: Tensor, second: Tensor) -> list[float]:
    scale = (first.norm(dim=-1) + second.norm(dim=-1)) / 2
    apart: list[float] = ((first - second).norm(dim=-1) / scale.clamp_min(1e-12)).tolist()
    return apart


def _directions(settings: Settings) -> dict[str, dict[str, Any]]:
    size = settings.model.network["hidden_size"]
    return {
        "forward": {"bidirectional": False},
        "forward, twice as wide": {"bidirectional": False, "hidden_size": 2 * size},
        "both": {"bidirectional": True},
    }


def _every_word_known(sentences: Sentences, network: SentimentNetwork) -> tuple[list[int], list[int]]:
    """Ids of the pair for a fresh network: words that the vocabulary lacks get unused ids."""
    words = sorted({word for text in PAIR for word in text.split()})
    last = network.embedding.num_embeddings - 1
    known = {word: sentences.pipeline.token_to_id(word) for word in words}
    taken = {index for index in known.values() if index is not None}
    free = iter(index for index in range(last, 0, -1) if index not in taken)
    ids = {word: next(free) if index is None else index for word, index in known.items()}
    first, second = ([ids[word] for word in text.split()] for text in PAIR)
    return first, second


def _if_known(network: SentimentNetwork, pipeline: Tokenizer, *, name: str) -> Iterator[Pair]:
    """The pair in a trained network, unless its vocabulary cannot tell the two sentences apart."""
    encodings = [pipeline.encode(text, add_special_tokens=False) for text in PAIR]
    if encodings[0].ids != encodings[1].ids:
        ids = (list(encodings[0].ids), list(encodings[1].ids))
        yield compare(network.eval(), ids, name=name, tokens=encodings[0].tokens)


def _own(settings: Settings) -> Iterator[Pair]:
    if settings.checkpoint is None:
        return
    model = own_model.load(settings.checkpoint)
    if model.network.encoder.layers[0].bidirectional:
        yield from _if_known(model.network, model.pipeline, name=f"your model, {model.name}")


def _accuracies(classifiers: list[TrainedClassifier], direction: str) -> list[float]:
    return [classifier.accuracy for classifier in classifiers if classifier.direction == direction]


def _setting(
    settings: Settings, sizes: BidirectionalitySizes, sentences: Sentences, *, own: list[Pair]
) -> dict[str, str]:
    lines = {
        "Sentences": f"“{PAIR[0]}” and “{PAIR[1]}”: equal up to and with “{WORD}”.",
        "Networks": (
            f"One bidirectional layer of our encoder with {settings.model.network['hidden_size']} units a "
            f"direction: fresh {', '.join(sizes.cells)}, and the network trained below. Distances are relative "
            "to the mean norm."
        ),
        "Data for accuracy": sentences.describe(settings),
        "Training": (
            f"One layer, {' + '.join(settings.model.network['pooling'])} pooling, {sizes.steps} steps of 32 "
            f"texts; AdamW at {settings.model.learning_rate:g}, one cycle. Seeds "
            f"{', '.join(map(str, settings.seeds))}. An accuracy's 95% interval is about "
            f"±{interval(sentences):.1%}."
        ),
    }
    if own:
        lines["Your model"] = f"{len(own[0].layers)} layers; the checks on equality include its first one."
    elif settings.checkpoint is not None:
        lines["Your model"] = "Reads in one direction, or does not know the words; it was left out here."
    return lines


def _draw(pair: Pair, name: str) -> Plot:
    figure, axes = new_plot(pair.network.capitalize(), x="", y="distance between the sentences")
    top = pair.layers[-1]
    positions = range(len(top.forward))
    labels = []
    for half, values, color, dash in (
        ("forward", top.forward, ORANGE, DASHES[1]),
        ("backward", top.backward, BLUE, DASHES[0]),
    ):
        axes.plot(positions, values, color=color, linestyle=dash, marker="o", markersize=5)
        labels.append(EndLabel(positions[-1], values[-1], half, color))
    names = [*pair.tokens[: len(positions) - 1], "…"] if len(pair.tokens) != len(PAIR[0].split()) else pair.tokens
    shown = [*names[:-1], "exciting /\nboring"] if len(names) == len(PAIR[0].split()) else names
    axes.set_xticks(positions, shown)
    axes.set_ylim(bottom=-0.03)
    label_ends(axes, labels)
    which = "The only layer" if len(pair.layers) == 1 else f"The top of {len(pair.layers)} layers"
    caption = (
        f"{which}. The forward half cannot know what comes; the backward half differs most next to the word that does."
        if len(pair.layers) == 1
        else f"{which}. Above the first layer the forward half reads the backward half below, so it knows too."
    )
    return finished(figure, name=name, caption=caption)


def _pair_table(pairs: list[Pair]) -> Table:
    rows = [
        [
            pair.network,
            str(layer.layer),
            short(max(layer.forward[: pair.word + 1])),
            short(layer.backward[pair.word]),
        ]
        for pair in pairs
        for layer in pair.layers
    ]
    return Table(
        caption="Relative distance between the two sentences",
        header=["network", "layer", f"forward, largest up to “{WORD}”", f"backward, at “{WORD}”"],
        rows=rows,
    )


def _accuracy_table(classifiers: list[TrainedClassifier]) -> Table:
    names = dict.fromkeys(classifier.direction for classifier in classifiers)
    return Table(
        caption="Accuracy, mean (range) over seeds",
        header=["direction", "accuracy"],
        rows=[[name, spread(_accuracies(classifiers, name), share=True)] for name in names],
    )


def _meaning(classifiers: list[TrainedClassifier], own: list[Pair]) -> str:
    means = {name: sum(_accuracies(classifiers, name)) for name in ("both", "forward", "forward, twice as wide")}
    best = max(means, key=lambda name: means[name])
    advice = (
        "Use both directions if the whole text is available, as it is for sentiment, and one direction only if text "
        "must be read as it arrives. "
    )
    comparison = (
        f"On this data {best} {'were' if best == 'both' else 'was'} the most accurate on average"
        f" ({percent(means[best] / len(_accuracies(classifiers, best)))}); a gain below the interval above is not "
        "significant."
    )
    own_model = (
        f" In your model's first layer the backward halves at “{WORD}” differ by "
        f"{short(own[0].layers[0].backward[own[0].word])} of their norm."
        if own
        else ""
    )
    return advice + comparison + own_model
