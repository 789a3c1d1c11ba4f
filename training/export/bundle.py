"""From a trained task to a bundle: check that the graph equals the network, and make the manifest."""

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

from model_store import GraphRunner
from model_store.bundle import GRAPH, TOKENIZER, hashes
from model_store.manifest import (
    FORMAT_VERSION,
    Architecture,
    Arithmetic,
    Calibration,
    Label,
    LabelChoice,
    Limits,
    Manifest,
    TokenizerCard,
    Training,
)
from model_store.progress import track
from training.data import tokenization
from training.data.examples import Example
from training.fit.task import SentimentTask

PARITY = 1e-4
"""The largest difference allowed between the graph's numbers and the network's, relative to an output's largest number
if that is above 1: 32 bits hold seven digits, and a network that is trained long has logits of ten and more. Mostly it
is some 3e-6, but what is rounded is carried on from token to token: an adaptation to tweets has had 1.7e-5."""

ROUNDING = 0.05
"""The largest change of a label's probability allowed to 8-bit arithmetic, at temperature 1."""

PARITY_TEXTS = 256
BATCH_SIZE = 64


class ParityError(RuntimeError):
    """The ONNX graph disagrees with the network it was built from, so no bundle is written."""


class RoundingError(ParityError):
    """8-bit arithmetic changes a probability by more than ``ROUNDING``, so no bundle is written."""


@dataclass(frozen=True, slots=True)
class Description:
    """The fields of a manifest that are chosen at export."""

    name: str
    version: str
    text: str
    max_tokens: int
    arithmetic: Arithmetic = "float32"


def check_parity(task: SentimentTask, graph: bytes, batches: Iterable[list[Tensor]]) -> float:
    """The largest difference between graph and network in any output, over ragged batches; see ``PARITY``.

    Contributions are compared with those that the network makes of the graph's own states. The network's may differ in
    the last bit, and where two tokens share a maximum the last bit decides which of them owns it.

    Raises:
        ParityError: it exceeds ``PARITY``.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    differences = [0.0]
    for batch in track(batches, "Comparing the graph with the network", unit="batches"):
        logits, contributions, *layers = (torch.from_numpy(output) for output in session.run(None, _padded(batch)))
        mask = torch.arange(layers[-1].shape[1]) < torch.tensor([len(text) for text in batch]).unsqueeze(1)
        with torch.inference_mode():
            explained = task.network.explain(pack_sequence(batch, enforce_sorted=False))
            of_states = task.network.contributions(layers[-1], mask)  # (texts, tokens, labels)
        pairs = [(explained.logits, logits), (of_states, contributions), *zip(explained.layers, layers, strict=True)]
        for expected, actual in pairs:
            scale = max(1.0, float(expected.abs().max()))
            differences.append(float((expected - actual).abs().max()) / scale)
    largest = float(np.max(differences))  # NaN if one is, unlike the built-in max
    if not largest <= PARITY:  # true for NaN as well
        message = f"the ONNX graph is {largest:.2e} off the network, more than {PARITY:.0e}; no bundle was written"
        raise ParityError(message)
    return largest


def check_rounding(task: SentimentTask, graph: bytes, batches: Iterable[list[Tensor]]) -> float:
    """The largest change of a probability by 8-bit arithmetic, each text computed by itself.

    Raises:
        RoundingError: it exceeds ``ROUNDING``.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    differences = [0.0]
    for batch in track(batches, "Comparing the graph with the network", unit="batches"):
        with torch.inference_mode():
            expected = task.network(pack_sequence(batch, enforce_sorted=False))  # (texts, labels)
        actual = np.concatenate([session.run(["logits"], _padded([text]))[0] for text in batch])  # (texts, labels)
        expected, rounded = (task.objective.scores(logits.double()) for logits in (expected, torch.from_numpy(actual)))
        differences.append(float((expected - rounded).abs().max()))
    largest = float(np.max(differences))
    if not largest <= ROUNDING:
        message = (
            f"8-bit arithmetic changes a probability by {largest:.3f}, more than {ROUNDING}; no bundle was written. "
            "Export with --arithmetic float32."
        )
        raise RoundingError(message)
    return largest


def real_batches(task: SentimentTask, examples: Sequence[Example]) -> list[list[Tensor]]:
    """Ragged batches of real texts for the parity check, in the order of the file and so of mixed length."""
    return list(_batches(task, examples[:PARITY_TEXTS]))


def random_batches(task: SentimentTask) -> list[list[Tensor]]:
    """Ragged batches of random ids, for an export without texts."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = Tokenizer.from_str(task.tokenizer_json).get_vocab_size()
    lengths = torch.randint(1, 60, (PARITY_TEXTS,), generator=generator).tolist()
    texts = [torch.randint(0, vocabulary, (length,), generator=generator) for length in lengths]
    return [texts[start : start + BATCH_SIZE] for start in range(0, len(texts), BATCH_SIZE)]


def make_manifest(
    task: SentimentTask,
    *,
    description: Description,
    calibration: Calibration,
    multi_label: dict[str, LabelChoice] | None = None,
    polarities: dict[str, float | None],
    training: Training,
    libraries: dict[str, str],
    files: Mapping[str, bytes],
) -> Manifest:
    """The identity of a bundle of this task, whose tokenizer and graph are ``files``."""
    hyper = task.hparams
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    biases = task.network.head.bias.tolist()
    return Manifest(
        format_version=FORMAT_VERSION,
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
        arithmetic=description.arithmetic,
        calibration=calibration,
        multi_label=multi_label,
        limits=Limits(max_tokens=description.max_tokens),
        training=training,
        libraries=libraries,
        files=hashes(files),
    )


def make_runner(files: Mapping[str, bytes], *, description: Description, folder: Path) -> GraphRunner:
    """Run the files of a bundle that is not written yet."""
    pipeline = Tokenizer.from_buffer(files[TOKENIZER])
    return GraphRunner(
        tokenizer=files[TOKENIZER],
        graph=files[GRAPH],
        unknown_token=str(tokenization.unknown_token(pipeline)),
        max_tokens=description.max_tokens,
        arithmetic=description.arithmetic,
        one_by_one=False,
        folder=folder,
        threads=torch.get_num_threads(),
    )


def _batches(task: SentimentTask, examples: Sequence[Example]) -> Iterable[list[Tensor]]:
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    encoded = tokenization.encode_all(pipeline, (example.text for example in examples), max_tokens=512)
    texts = [torch.tensor(ids) for ids in encoded if ids]
    for start in range(0, len(texts), BATCH_SIZE):
        yield texts[start : start + BATCH_SIZE]


def _padded(texts: list[Tensor]) -> dict[str, NDArray[np.int64] | NDArray[np.int32]]:
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    return {"ids": ids.numpy(), "lengths": np.array([len(text) for text in texts], dtype=np.int32)}
