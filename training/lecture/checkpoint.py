"""The user's own model and texts, for the sections on the gradient and on both directions."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from training.data.readers import read_examples
from training.fit.checkpoint import load_checkpoint
from training.lecture.settings import SAMPLE, DiagnosisError, Settings
from training.network import SentimentNetwork
from training.network.cells import RecurrentLayer

MAX_TEXTS = 200
MAX_TOKENS = 200


class OwnModel(NamedTuple):
    """A trained network with its tokenizer; ``name`` is for the report."""

    network: SentimentNetwork
    pipeline: Tokenizer
    name: str


class TopLayer(NamedTuple):
    """Inputs and outputs of the top layer for one text.

    Attributes:
        layer: its recurrent module.
        inputs: (tokens, input size), as the recurrent module reads them.
        below: (tokens, width), as the connection sees them.
        output: (tokens, directions * hidden), before the connection.
    """

    layer: RecurrentLayer
    inputs: Tensor
    below: Tensor
    output: Tensor


def load(path: Path) -> OwnModel:
    """Load a checkpoint's network in evaluation mode, without gradients for its weights.

    Raises:
        CheckpointError: the file cannot be used.
    """
    task = load_checkpoint(path).task
    task.requires_grad_(requires_grad=False)
    return OwnModel(task.network.eval(), Tokenizer.from_str(task.tokenizer_json), path.name)


def texts_of(settings: Settings) -> list[str]:
    """The user's texts, one a line, or the sample's sentences.

    Raises:
        DiagnosisError: the file is missing, is not UTF-8 text, or is empty.
    """
    if settings.texts is None:
        return [example.text for example in read_examples(SAMPLE / "test.csv")]
    if not settings.texts.is_file():
        message = f"{settings.texts}: no such file; pass --texts a file with one text a line"
        raise DiagnosisError(message)
    try:
        lines = settings.texts.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        message = f"{settings.texts}: is not UTF-8 ({error.reason} at byte {error.start:,}); save it as UTF-8"
        raise DiagnosisError(message) from error
    texts = [line.strip() for line in lines if line.strip()][:MAX_TEXTS]
    if not texts:
        message = f"{settings.texts}: no text in it; put one text on each line"
        raise DiagnosisError(message)
    return texts


def encoded(model: OwnModel, texts: list[str]) -> Iterator[PackedSequence]:
    """Token ids of each text, packed separately; texts without a token are skipped."""
    for text in texts:
        ids = model.pipeline.encode(text, add_special_tokens=False).ids[:MAX_TOKENS]
        if ids:
            yield pack_sequence([torch.tensor(ids)])


def look_into_top_layer(network: SentimentNetwork, ids: PackedSequence) -> tuple[Tensor, TopLayer]:
    """Run the network on one text; return its (labels,) logits and its top layer's inputs and outputs."""
    caught: dict[str, Tensor] = {}
    layer = cast("RecurrentLayer", network.encoder.layers[-1])

    def catch_inputs(_module: object, arguments: tuple[PackedSequence, ...]) -> None:
        caught["inputs"] = arguments[0].data

    def catch_both(_module: object, arguments: tuple[Tensor, Tensor]) -> None:
        caught["below"], caught["output"] = arguments

    hooks = [
        layer.register_forward_pre_hook(catch_inputs),
        network.encoder.connections[-1].register_forward_pre_hook(catch_both),
    ]
    try:
        with torch.no_grad():
            logits = network(ids)[0]
    finally:
        for hook in hooks:
            hook.remove()
    return logits, TopLayer(layer, **caught)
