"""Processor time of a response without the model's run, for 1 text and for 32, in the process, without HTTP.

    python -m benchmarks.stages [--rounds 9]

The output of the model's run is taken from memory, so the figures are those of everything else. Each figure is the
fastest round.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

# Metrics are kept in files, as under `bentoml serve`.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="stages-")
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

from model_store import SentimentModel, bundle
from service.predictor import Predictor
from service.schemas import PredictRequest
from service.settings import Settings

TEXT = (
    "The movie was terribly exciting from the first scene to the last, and I would gladly see it again "
    "with all of my friends."
)
SIZES = {1: 300, 32: 20}  # texts in a request, and calls in a round


class CachedSession:
    """A session of ONNX Runtime that runs once for each input shape and then returns the same output."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 - onnxruntime has no types
        self._session = session
        self._known: dict[tuple[str, ...], list[Any]] = {}

    def run(self, outputs: list[str], inputs: Mapping[str, Any]) -> list[Any]:
        """The output of the first run with this input shape."""
        key = (*outputs, str(inputs["ids"].shape))
        if key not in self._known:
            self._known[key] = self._session.run(outputs, inputs)
        return self._known[key]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9, help="measurements of each part")
    rounds = parser.parse_args().rounds
    model, settings = SentimentModel.load(), Settings()
    runs = [fastest(partial(model.predict, [TEXT] * count), rounds, calls) for count, calls in SIZES.items()]
    model.runner._session = CachedSession(model.runner._session)  # noqa: SLF001 - a model has no option for it
    predictor = Predictor(model, settings)
    pipeline = Tokenizer.from_buffer(bundle.read(bundle.resolve("default")).tokenizer)
    columns = [timed(model, predictor, pipeline, count, rounds=rounds) for count in SIZES]
    table = Table("", *(f"{count} texts, ms" for count in SIZES), title="Processor time")
    for name in columns[0]:
        table.add_row(name, *(f"{1000 * column[name]:.3f}" for column in columns))
    table.add_row("for comparison: predict, with the model's run", *(f"{1000 * run:.2f}" for run in runs))
    Console().print(table)


def timed(
    model: SentimentModel, predictor: Predictor, pipeline: Tokenizer, count: int, *, rounds: int
) -> dict[str, float]:
    """Seconds of each part for a request of ``count`` texts."""
    texts = [TEXT] * count
    request = PredictRequest(texts=texts)
    tokenized = [model.tokenize(text) for text in texts]
    answer = predictor.predict(request)
    body = request.model_dump_json()
    parts: dict[str, Callable[[], object]] = {
        "reading the request's JSON": lambda: PredictRequest.model_validate_json(body),
        "tokenizing": lambda: [model.tokenize(text) for text in texts],
        "  of it in the tokenizer, one by one": lambda: [pipeline.encode(text) for text in texts],
        "  the same with encode_batch": lambda: pipeline.encode_batch(texts),
        "from logits to predictions": lambda: model.predict_tokenized(tokenized),
        "the whole answer, with checks and metrics": lambda: predictor.predict(request),
        "writing its JSON": lambda: b"".join(answer.pieces()),
    }
    return {name: fastest(part, rounds, SIZES[count]) for name, part in parts.items()}


def fastest(part: Callable[[], object], rounds: int, calls: int) -> float:
    """Processor time of a call in the fastest round, in seconds."""
    part()
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            part()
        seconds.append((time.process_time() - started) / calls)
    return min(seconds)


if __name__ == "__main__":
    main()
