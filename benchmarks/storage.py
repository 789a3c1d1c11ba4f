"""Size, accuracy and speed of a trained model by the storage of its weights, in one run.

    python -m benchmarks.storage runs/default/seed-1/checkpoints/best.ckpt data/sst/test.txt.gz [--repeats 300]

- float32 throughout: frozen token embeddings are dequantized too. They are quantized to 8 bits before training, so that
  the network is trained with the numbers that are shipped.
- float32, float16, int8: ``export --storage``; matrices are rounded once and converted back on loading.
- int8 arithmetic: ``export --storage int8 --arithmetic int8``; the recurrent layers multiply in 8 bits.

The labeled file is read with the options of the checkpoint's run. "Batch difference" is the largest difference of a
probability between a text alone and the same text in a batch. Times are medians of one text of 26 tokens on one thread.
The variants take turns, so that other load affects all alike.
"""

import argparse
import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import get_args

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: one thread, like the model's

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

from benchmarks.inference import TEXT, timed
from model_store import Evaluation, SentimentModel
from model_store import bundle as bundles
from model_store.manifest import Arithmetic, Calibration, Training
from model_store.softmax import softmax
from training.data.examples import Example
from training.data.readers import ReadingOptions, read_examples
from training.evaluation.predictions import bundle_logits
from training.export.bundle import Description, make_manifest
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights
from training.export.storage import Storage
from training.fit.checkpoint import Checkpoint, load_checkpoint
from training.network import SentimentNetwork
from training.network.embedding import QuantizedEmbedding

FLOAT32_THROUGHOUT = "float32 throughout"
INT8_ARITHMETIC = "int8 arithmetic"


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one variant.

    Attributes:
        megabytes: of the graph's file.
        accuracy: share of texts whose most probable label is the true one.
        changed_labels: texts whose most probable label differs from that with float32.
        batch_difference: the largest difference of a probability between a text alone and in a batch.
        milliseconds: of one text.
    """

    megabytes: float
    accuracy: float
    changed_labels: int
    batch_difference: float
    milliseconds: float


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="a checkpoint of a training run")
    parser.add_argument("texts", type=Path, help="labeled file in the format of the run's own files")
    parser.add_argument("--repeats", type=int, default=300, help="timed calls of each variant")
    options = parser.parse_args()
    loaded = load_checkpoint(options.checkpoint)
    reading = ReadingOptions.among(loaded.data_options, trees="root", on_bad_row="skip")
    examples = list(read_examples(options.texts, reading, allowed_labels=loaded.task.labels))
    graphs = dict(variants(loaded.task.network))
    models = {
        name: model_of(loaded, graph, arithmetic="int8" if name == INT8_ARITHMETIC else "float32")
        for name, graph in graphs.items()
    }
    seconds = take_turns(models, repeats=options.repeats)
    scores = {name: probabilities(model, examples) for name, model in models.items()}
    true = np.array([loaded.task.labels.index(example.label) for example in examples])
    show(
        {
            name: Measured(
                megabytes=len(graphs[name]) / 1e6,
                accuracy=float((scores[name].argmax(1) == true).mean()),
                changed_labels=int((scores[name].argmax(1) != scores["float32"].argmax(1)).sum()),
                batch_difference=batch_difference(model, examples, scores[name]),
                milliseconds=1000 * median(seconds[name]),
            )
            for name, model in models.items()
        },
        texts=len(examples),
    )


def variants(network: SentimentNetwork) -> Iterator[tuple[str, bytes]]:
    """The name and the graph of each variant."""
    if isinstance(network.embedding, QuantizedEmbedding):
        dequantized = copy.deepcopy(network)
        dequantized.embedding = nn.Embedding.from_pretrained(network.embedding.vectors)
        yield FLOAT32_THROUGHOUT, build_graph(dequantized)
    for storage in get_args(Storage):
        rounded = copy.deepcopy(network)
        quantize_weights(rounded, storage)
        yield storage, build_graph(rounded, storage=storage)
    rounded = copy.deepcopy(network)
    quantize_weights(rounded, "int8", arithmetic="int8")
    yield INT8_ARITHMETIC, build_graph(rounded, storage="int8", arithmetic="int8")


def model_of(loaded: Checkpoint, graph: bytes, *, arithmetic: Arithmetic) -> SentimentModel:
    """A model of the graph, without writing a bundle."""
    files = {bundles.TOKENIZER: loaded.task.tokenizer_json.encode(), bundles.GRAPH: graph}
    manifest = make_manifest(
        loaded.task,
        description=Description(name="measured", version="0.0.0", text="", max_tokens=5000, arithmetic=arithmetic),
        calibration=Calibration(temperature=1.0, data=None, rows=0),
        polarities=dict.fromkeys(loaded.task.labels),
        training=Training(command=None, files=[], epochs=0, seed=None, sources=[]),
        libraries={},
        files=files,
    )
    bundle = bundles.Bundle(Path("measured"), manifest, Evaluation(), "", files[bundles.TOKENIZER], graph)
    return SentimentModel(bundle, threads=torch.get_num_threads())


def take_turns(models: dict[str, SentimentModel], *, repeats: int) -> dict[str, list[float]]:
    """Seconds of each call by variant."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in track(range(repeats), description="Timing", transient=True):
        for name, model in models.items():
            model.predict([TEXT])  # not counted: it fills the processor's caches
            seconds[name].append(timed(partial(model.predict, [TEXT])))
    return seconds


def probabilities(model: SentimentModel, examples: Sequence[Example]) -> NDArray[np.float64]:
    """Probabilities of texts in batches, (texts, labels)."""
    texts = [example.text for example in examples]
    return softmax(bundle_logits(model.runner, texts, labels=len(model.manifest.labels)))


def batch_difference(model: SentimentModel, examples: Sequence[Example], together: NDArray[np.float64]) -> float:
    """The largest difference of a probability between 500 texts one by one and ``together``."""
    texts = [example.text for example in examples[:500]]
    alone = np.array([list(answer.scores.values()) for text in texts for answer in model.predict([text])])
    return float(np.abs(alone - together[: len(texts)]).max())


def show(measured: dict[str, Measured], *, texts: int) -> None:
    """Print a row for each variant."""
    table = Table(
        "stored as", "MB", "accuracy", "changed labels", "batch difference", "ms per text", title=f"{texts:,} texts"
    )
    table.columns[0].no_wrap = True
    for name, figures in measured.items():
        table.add_row(
            name,
            f"{figures.megabytes:.1f}",
            f"{figures.accuracy:.2%}",
            str(figures.changed_labels),
            f"{figures.batch_difference:.0e}",
            f"{figures.milliseconds:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
