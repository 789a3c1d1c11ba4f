"""What storing a trained model's weights in less space costs and saves, each way beside the others in one run.

    python -m benchmarks.storage runs/default/seed-1/checkpoints/best.ckpt data/sst/test.txt.gz [--repeats 300]

- float32 throughout: the token embeddings widened too, which a frozen table never is (it is rounded to 8 bits before
  training, so that the network learns on the very numbers that are shipped).
- float32, float16, int8: ``export --storage``; matrices are rounded once and widened on loading.
- int8 arithmetic: ``export --storage int8 --arithmetic int8``, the recurrent layers multiply in 8 bits.

Accuracy is of the labelled file, read as the checkpoint's run read its own, of all its labels. "Alone or not" is the
largest difference that a text's company in a call makes to a probability. Times are medians of one 26-token text on
one thread; the ways take turns, so that a busy machine troubles all alike.
"""

import argparse
import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import get_args

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported: one thread, like the model's

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn

from benchmarks.inference import TEXT, timed
from model_store import SentimentModel
from model_store import bundle as bundles
from model_store.manifest import Arithmetic, Calibration, Training
from training.data.examples import Example
from training.data.readers import ReadingOptions, read_examples
from training.evaluation.predictions import bundle_logits, softmax
from training.export import bundle as export
from training.export.onnx_graph import build_graph
from training.export.quantization import Storage, round_weights
from training.fit.checkpoint import Checkpoint, load_checkpoint
from training.network import SentimentNetwork
from training.network.embedding import QuantizedEmbedding

WIDE = "float32 throughout"
ARITHMETIC = "int8 arithmetic"


@dataclass(frozen=True, slots=True)
class Measured:
    """One way of storing.

    Attributes:
        megabytes: of the graph's file.
        accuracy: share of texts whose most probable label is the true one.
        moved: texts whose most probable label is another one than with float32.
        company: the largest difference in a probability between a text alone and in a batch.
        milliseconds: of one text.
    """

    megabytes: float
    accuracy: float
    moved: int
    company: float
    milliseconds: float


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="of a training run")
    parser.add_argument("texts", type=Path, help="labelled file, in the form of the run's own")
    parser.add_argument("--repeats", type=int, default=300, help="timed calls of each way")
    options = parser.parse_args()
    loaded = load_checkpoint(options.checkpoint)
    reading = ReadingOptions.among(loaded.data_options, trees="root", on_bad_row="skip")
    examples = list(read_examples(options.texts, reading, allowed_labels=loaded.task.labels))
    graphs = dict(stored(loaded.task.network))
    models = {
        name: model_of(loaded, graph, arithmetic="int8" if name == ARITHMETIC else "float32")
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
                moved=int((scores[name].argmax(1) != scores["float32"].argmax(1)).sum()),
                company=company(model, examples, scores[name]),
                milliseconds=1000 * median(seconds[name]),
            )
            for name, model in models.items()
        },
        texts=len(examples),
    )


def stored(network: SentimentNetwork) -> Iterator[tuple[str, bytes]]:
    """Each way's name and graph, of a copy of the network where the way changes it."""
    if isinstance(network.embedding, QuantizedEmbedding):
        widened = copy.deepcopy(network)
        widened.embedding = nn.Embedding.from_pretrained(network.embedding.vectors)
        yield WIDE, build_graph(widened)
    for storage in get_args(Storage):
        rounded = copy.deepcopy(network)
        round_weights(rounded, storage)
        yield storage, build_graph(rounded, storage=storage)
    rounded = copy.deepcopy(network)
    round_weights(rounded, "int8", arithmetic="int8")
    yield ARITHMETIC, build_graph(rounded, storage="int8", arithmetic="int8")


def model_of(loaded: Checkpoint, graph: bytes, *, arithmetic: Arithmetic) -> SentimentModel:
    """A bundle around the graph that is written nowhere."""
    manifest = export.make_manifest(
        loaded.task,
        description=export.Description(name="measured", version="0.0.0", text="", max_tokens=5000),
        calibration=Calibration(temperature=1.0, data=None, rows=0),
        polarities=dict.fromkeys(loaded.task.labels),
        training=Training(command=None, files=[], epochs=0, seed=None, sources=[]),
        libraries={},
        arithmetic=arithmetic,
    )
    files = {bundles.TOKENIZER: loaded.task.tokenizer_json.encode(), bundles.GRAPH: graph}
    return export.unwritten_model(Path("measured"), manifest, files)


def take_turns(models: dict[str, SentimentModel], *, repeats: int) -> dict[str, list[float]]:
    """Seconds of every call."""
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in track(range(repeats), description="Timing", transient=True):
        for name, model in models.items():
            model.predict([TEXT])  # not counted: the weights of the others are in the processor's caches
            seconds[name].append(timed(lambda model=model: model.predict([TEXT])))
    return seconds


def probabilities(model: SentimentModel, examples: Sequence[Example]) -> NDArray[np.float64]:
    """(texts, labels), asked for many at a time."""
    return softmax(bundle_logits(model, [example.text for example in examples]), temperature=1.0)


def company(model: SentimentModel, examples: Sequence[Example], together: NDArray[np.float64]) -> float:
    """How far a probability is from what the same text gets alone, at most; of 500 texts."""
    texts = [example.text for example in examples[:500]]
    alone = np.array([list(answer.scores.values()) for text in texts for answer in model.predict([text])])
    return float(np.abs(alone - together[: len(texts)]).max())


def show(measured: dict[str, Measured], *, texts: int) -> None:
    """A row a way."""
    table = Table("stored as", "MB", "accuracy", "other label", "alone or not", "ms a text", title=f"{texts:,} texts")
    table.columns[0].no_wrap = True
    for name, one in measured.items():
        table.add_row(
            name,
            f"{one.megabytes:.1f}",
            f"{one.accuracy:.2%}",
            str(one.moved),
            f"{one.company:.0e}",
            f"{one.milliseconds:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
