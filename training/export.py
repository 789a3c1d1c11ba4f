"""From a trained task to a bundle: calibrate, build the graph, prove that it is the same network, measure, write."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from rich.progress import track
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.utils.rnn import pack_sequence

from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.card import model_card
from model_store.manifest import (
    Architecture,
    Calibration,
    Label,
    Limits,
    Manifest,
    Measurement,
    TokenizerCard,
    Training,
)
from training.calibration import fit_temperature
from training.data import tokenization
from training.data.examples import Example
from training.evaluation import evaluate
from training.task import SentimentTask

PARITY = 1e-5
"""The largest difference between a bundle's numbers and the network's with which a bundle is written."""

PARITY_TEXTS = 256
BATCH = 64

POLARITIES = {
    "very negative": -1.0, "negative": -1.0, "neg": -1.0, "bad": -1.0,
    "neutral": 0.0, "mixed": 0.0,
    "positive": 1.0, "pos": 1.0, "good": 1.0, "very positive": 1.0,
}  # fmt: skip


class ParityError(RuntimeError):
    """The ONNX graph disagrees with the network it was built from, so no bundle is written."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a person says of a bundle."""

    name: str
    version: str
    text: str
    max_tokens: int


def default_polarities(labels: Sequence[str]) -> dict[str, float | None]:
    """Each label's polarity in [-1, 1] as its name tells; None for names that tell nothing.

    Whole-number labels ("0" to "4", "1" to "5") are spread evenly in their order. With a "very negative" or "very
    positive" among the labels, the plain ones count half.
    """
    if all(label.removeprefix("-").isdecimal() for label in labels):
        numbers = [int(label) for label in labels]
        low, high = min(numbers), max(numbers)
        return {label: 2 * (number - low) / (high - low) - 1 for label, number in zip(labels, numbers, strict=True)}
    plain = [label.lower().replace("_", " ").replace("-", " ") for label in labels]
    half = any(name.startswith("very ") for name in plain)
    named = {label: POLARITIES.get(name) for label, name in zip(labels, plain, strict=True)}
    if not half:
        return named
    return {
        label: polarity if polarity is None or name.startswith("very ") else polarity / 2
        for (label, polarity), name in zip(named.items(), plain, strict=True)
    }


def calibrate(task: SentimentTask, examples: Sequence[Example], *, data: str) -> Calibration:
    """Fits the temperature on examples the network was not trained on."""
    with torch.no_grad():  # nothing learns here, and the graph of a whole validation file would be kept in memory
        logits = torch.cat([task(pack_sequence(ids, enforce_sorted=False)) for ids in _batches(task, examples)])
    labels = torch.tensor([task.labels.index(example.label) for example in examples])
    return Calibration(temperature=fit_temperature(logits, labels), data=data, rows=len(examples))


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


def measure(model: SentimentModel, examples: Sequence[Example], *, data: str) -> list[Measurement]:
    """The bundle's figures on labelled examples, from its own answers."""
    names = model.manifest.label_names
    scores = []
    for start in track(range(0, len(examples), 512), description=f"Measuring {data}", transient=True):
        answers = model.predict([example.text for example in examples[start : start + 512]])
        scores.extend([list(answer.scores.values()) for answer in answers])
    measured = evaluate(
        np.array(scores),
        np.array([names.index(example.label) for example in examples]),
        polarities=[label.polarity for label in model.manifest.labels],
    )
    return [
        Measurement(data=data, rows=rows, metric=metric, value=value) for metric, (value, rows) in measured.items()
    ]


def make_manifest(
    task: SentimentTask,
    *,
    description: Description,
    calibration: Calibration,
    polarities: dict[str, float | None],
    training: Training,
    libraries: dict[str, str],
) -> Manifest:
    """Everything but the files and the figures, which are known last."""
    hyper = task.hparams
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    biases = task.network.head.bias.tolist()
    return Manifest(
        format_version=1,
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
        calibration=calibration,
        limits=Limits(max_tokens=description.max_tokens),
        metrics=[],
        training=training,
        libraries=libraries,
        files={},
    )


def write_bundle(
    folder: Path,
    manifest: Manifest,
    task: SentimentTask,
    *,
    graph: bytes,
    measured_on: Mapping[str, Sequence[Example]],
    overwrite: bool,
) -> Manifest:
    """Measures the bundle's own answers, writes the card, and puts everything in place at once."""
    files = {bundles.TOKENIZER: task.tokenizer_json.encode(), bundles.GRAPH: graph}
    unwritten = bundles.Bundle(
        folder=folder, manifest=manifest, sha256="", tokenizer=files[bundles.TOKENIZER], graph=graph
    )
    model = SentimentModel(unwritten)
    metrics = [metric for data, examples in measured_on.items() for metric in measure(model, examples, data=data)]
    complete = manifest.model_copy(update={"metrics": metrics})
    bundles.write(folder, complete, {**files, bundles.CARD: model_card(complete).encode()}, overwrite=overwrite)
    return complete


def _batches(task: SentimentTask, examples: Sequence[Example]) -> Iterable[list[Tensor]]:
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    encoded = tokenization.encode_all(pipeline, (example.text for example in examples), max_tokens=512)
    texts = [torch.tensor(ids) for ids in encoded if ids]
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH]


def _padded(texts: list[Tensor]) -> dict[str, NDArray[np.int64] | NDArray[np.int32]]:
    ids = torch.nn.utils.rnn.pad_sequence(texts, batch_first=True)
    return {"ids": ids.numpy(), "lengths": np.array([len(text) for text in texts], dtype=np.int32)}
