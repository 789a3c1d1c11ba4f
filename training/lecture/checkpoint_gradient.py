"""The share of the gradient that is left with distance, in the user's own model on the user's own texts."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from training.lecture.checkpoint import OwnModel, encoded, load, look_into_top_layer, texts_of
from training.lecture.formatting import percent
from training.lecture.plots import BLUE, DASHES, ORANGE, EndLabel, finished, label_ends, new_plot
from training.lecture.results import Plot, Table
from training.lecture.settings import DiagnosisError, Settings
from training.lecture.unrolled import gradient_norms, read_step_by_step

MIN_TEXTS = 5  # an average over fewer is not drawn
SHOWN = (1, 5, 10, 20, 50)
FLOOR = 1e-30


class OwnGradient(NamedTuple):
    """The part of the section that is about the user's model."""

    setting: dict[str, str]
    plots: list[Plot]
    tables: list[Table]
    numbers: dict[str, Any]
    meaning: str


def measure(settings: Settings) -> OwnGradient:
    """Follow the gradient back through the top layer of the checkpoint, in each direction.

    Raises:
        DiagnosisError: there are too few texts, or all are too short for any distance.
    """
    if settings.checkpoint is None:
        message = "no checkpoint was given"
        raise DiagnosisError(message)
    model = load(settings.checkpoint)
    directions = ["forward", "backward"] if model.network.encoder.layers[-1].bidirectional else ["forward"]
    texts = list(encoded(model, texts_of(settings)))
    left = {
        direction: averages([_of_text(model, ids, backward=direction == "backward") for ids in texts])
        for direction in directions
    }
    if len(left["forward"]) < 2:  # noqa: PLR2004 - a curve needs two points
        message = f"{len(texts)} texts are too few or too short; at least {MIN_TEXTS} of two or more tokens are needed"
        raise DiagnosisError(message)
    return OwnGradient(
        setting={
            "Your model": (
                f"{model.name} on {len(texts)} texts: the gradient of the model's own classification of the "
                "text, read from the state where a direction stops reading (its pooling, connection and head on "
                "that one token), followed back through the top layer."
            )
        },
        plots=[_draw(left)],
        tables=[_table(left)],
        numbers={"name": model.name, "texts": len(texts), "left": left},
        meaning=_meaning(left),
    )


def averages(norms: list[Tensor]) -> list[float]:
    """Geometric mean at each distance over the texts that reach it, relative to distance 0; stops where too few do."""
    lefts = [(norm.clamp_min(FLOOR).log() - norm[0].clamp_min(FLOOR).log()).double() for norm in norms if norm[0] > 0]
    means = []
    for distance in range(max(map(len, lefts), default=0)):
        there = [float(left[distance]) for left in lefts if len(left) > distance]
        if len(there) < MIN_TEXTS:
            break
        means.append(float(torch.tensor(there, dtype=torch.float64).mean().exp()))
    return means


def _of_text(model: OwnModel, ids: torch.nn.utils.rnn.PackedSequence, *, backward: bool) -> Tensor:
    """(distances,) gradient norms at one direction's states, from where it stops reading."""
    network = model.network
    logits, top = look_into_top_layer(network, ids)
    states = read_step_by_step(top.layer, top.inputs.unsqueeze(1).requires_grad_(), backward=backward)
    position, size = (0 if backward else -1), top.layer.hidden_size
    other = top.output[position]
    last = states.hidden[-1][0]
    halves = [other[:size], last] if backward else [last, other[size:]]
    joined = network.encoder.connections[-1](top.below[position].unsqueeze(0), torch.cat(halves).unsqueeze(0))
    pooled = network.pooling(joined.representation.unsqueeze(1), torch.ones(1, 1, dtype=torch.bool))
    loss = functional.cross_entropy(network.head(pooled), logits.argmax().unsqueeze(0))
    return gradient_norms(loss, states.hidden)[:, 0]


def _draw(left: dict[str, list[float]]) -> Plot:
    figure, axes = new_plot(
        "Your model, your texts", x="distance i - j in tokens", y="gradient norm, at distance 0 = 1"
    )
    axes.set_yscale("log")
    looks = {"forward": (BLUE, DASHES[0]), "backward": (ORANGE, DASHES[1])}
    labels = []
    for direction, means in left.items():
        color, dash = looks[direction]
        axes.plot(range(len(means)), means, color=color, linestyle=dash)
        labels.append(EndLabel(len(means) - 1, means[-1], direction, color))
    label_ends(axes, labels)
    caption = f"Top layer of the checkpoint; geometric mean over texts, as far as at least {MIN_TEXTS} texts reach."
    return finished(figure, name="vanishing-own", caption=caption)


def _table(left: dict[str, list[float]]) -> Table:
    shown = [distance for distance in SHOWN if distance < len(left["forward"])]
    rows = [
        [direction, *(percent(means[distance]) if distance < len(means) else "none" for distance in shown)]
        for direction, means in left.items()
    ]
    header = ["direction", *(f"{distance} back" for distance in shown)]
    return Table(caption="Your model: part of the gradient that is left", header=header, rows=rows)


def _meaning(left: dict[str, list[float]]) -> str:
    means = left["forward"]
    tenth = next((distance for distance, part in enumerate(means) if part < 0.1), None)  # noqa: PLR2004 - the tenth
    if tenth is None:
        return (
            f"In your model more than a tenth of the gradient is left as far as your texts reach ({len(means) - 1} "
            "tokens)."
        )
    return (
        f"In your model a tenth of the gradient is left {tenth} {'token' if tenth == 1 else 'tokens'} back (forward "
        "direction)."
    )
