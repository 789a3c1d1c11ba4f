"""From a trained task to a bundle: prove that the graph is the same network, say what it is, write it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.card import model_card
from model_store.manifest import (
    Architecture,
    Arithmetic,
    Calibration,
    Label,
    Limits,
    Manifest,
    TokenizerCard,
    Training,
)
from training.data import tokenization
from training.data.examples import Example
from training.evaluation.predictions import softmax
from training.fit.task import SentimentTask

PARITY = 1e-5
"""The largest difference between a bundle's numbers and the network's with which a bundle is written."""

ROUNDING = 0.05
"""The most that 8-bit arithmetic may change a probability of a label, at temperature 1."""

PARITY_TEXTS = 256
BATCH = 64


class ParityError(RuntimeError):
    """The ONNX graph disagrees with the network it was built from, so no bundle is written."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a person says of a bundle."""

    name: str
    version: str
    text: str
    max_tokens: int
    intended_use: Sequence[str] = ()
    not_intended_for: Sequence[str] = ()


def check_parity(task: SentimentTask, graph: bytes, texts: Iterable[list[Tensor]]) -> float:
    """The largest difference between graph and network in any output, over ragged batches.

    Raises:
        ParityError: it exceeds ``PARITY``.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in texts:
        with torch.inference_mode():
            expected = task.network.explain(pack_sequence(batch, enforce_sorted=False))
        found = session.run(None, _padded(batch))
        for wanted, got in zip([expected.logits, expected.contributions, *expected.layers], found, strict=True):
            worst = max(worst, float(np.abs(wanted.numpy() - got).max()))
    if not worst <= PARITY:  # NaN is no parity either
        message = f"the ONNX graph is {worst:.2e} off the network, more than {PARITY:.0e}; no bundle was written"
        raise ParityError(message)
    return worst


def check_rounding(task: SentimentTask, graph: bytes, texts: Iterable[list[Tensor]]) -> float:
    """The most by which a graph with 8-bit arithmetic changes a probability, each text computed by itself.

    Raises:
        ParityError: it exceeds ``ROUNDING``.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch in texts:
        with torch.inference_mode():
            logits = task.network(pack_sequence(batch, enforce_sorted=False))  # (texts, labels)
        found = np.concatenate([session.run(["logits"], _padded([text]))[0] for text in batch])  # (texts, labels)
        wanted, got = (softmax(numbers, temperature=1.0) for numbers in (logits.numpy(), found))
        worst = max(worst, float(np.abs(wanted - got).max()))
    if not worst <= ROUNDING:
        message = (
            f"8-bit arithmetic changes a probability by {worst:.3f}, more than {ROUNDING}; no bundle was written. "
            "Export with --arithmetic float32."
        )
        raise ParityError(message)
    return worst


def real_batches(task: SentimentTask, examples: Sequence[Example]) -> list[list[Tensor]]:
    """Ragged batches of real texts for the parity check, in the order of the file and so of mixed length."""
    return list(_batches(task, examples[:PARITY_TEXTS]))


def random_batches(task: SentimentTask) -> list[list[Tensor]]:
    """Ragged batches of random ids, for where there is no text."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = Tokenizer.from_str(task.tokenizer_json).get_vocab_size()
    lengths = torch.randint(1, 60, (PARITY_TEXTS,), generator=generator).tolist()
    texts = [torch.randint(0, vocabulary, (length,), generator=generator) for length in lengths]
    return [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]


def make_manifest(
    task: SentimentTask,
    *,
    description: Description,
    calibration: Calibration,
    polarities: dict[str, float | None],
    training: Training,
    libraries: dict[str, str],
    arithmetic: Arithmetic = "float32",
) -> Manifest:
    """Everything but the files and what is measured, which are known last."""
    hyper = task.hparams
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    biases = task.network.head.bias.tolist()
    return Manifest(
        format_version=2,
        name=description.name,
        version=description.version,
        description=description.text,
        created=datetime.now(UTC).replace(microsecond=0),
        labels=[
            Label(name=name, polarity=polarities[name], bias=bias)
            for name, bias in zip(task.labels, biases, strict=True)
        ],
        architecture=Architecture(
            cell=hyper["cell"],
            layers=hyper["layers"],
            hidden_size=hyper["hidden_size"],
            bidirectional=hyper["bidirectional"],
            connection=hyper["connection"],
            pooling=hyper["pooling"],
            embedding_size=hyper["embedding_size"],
            parameters=sum(tensor.numel() for tensor in task.network.state_dict().values()),
        ),
        tokenizer=TokenizerCard(
            kind="word" if type(pipeline.model).__name__ == "WordLevel" else "subword",
            vocabulary_size=pipeline.get_vocab_size(),
            unknown_token=str(tokenization.unknown_token(pipeline)),
        ),
        arithmetic=arithmetic,
        calibration=calibration,
        limits=Limits(max_tokens=description.max_tokens),
        metrics=[],
        training=training,
        libraries=libraries,
        intended_use=list(description.intended_use),
        not_intended_for=list(description.not_intended_for),
        files={},
    )


def unwritten_model(folder: Path, manifest: Manifest, files: Mapping[str, bytes]) -> SentimentModel:
    """The model of a bundle that is not on disk yet, to be measured before it is."""
    bundle = bundles.Bundle(
        folder=folder, manifest=manifest, sha256="", tokenizer=files[bundles.TOKENIZER], graph=files[bundles.GRAPH]
    )
    return SentimentModel(bundle, threads=torch.get_num_threads())


def write_bundle(folder: Path, manifest: Manifest, files: Mapping[str, bytes], *, overwrite: bool) -> None:
    """Writes the card from the manifest and puts everything in place at once."""
    bundles.write(folder, manifest, {**files, bundles.CARD: model_card(manifest).encode()}, overwrite=overwrite)


def _batches(task: SentimentTask, examples: Sequence[Example]) -> Iterable[list[Tensor]]:
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    encoded = tokenization.encode_all(pipeline, (example.text for example in examples), max_tokens=512)
    texts = [torch.tensor(ids) for ids in encoded if ids]
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def _padded(texts: list[Tensor]) -> dict[str, NDArray[np.int64] | NDArray[np.int32]]:
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    return {"ids": ids.numpy(), "lengths": np.array([len(text) for text in texts], dtype=np.int32)}
