"""Time to encode representations into a response, without computing them, on one thread.

    python -m benchmarks.encoding [--repeats 200]

Measures the JSON of 256 tokens of 300 numbers, and a whole response of the shipped model to a text of 256 tokens
without the time of the tokenizer and the model (``encode`` in ``Server-Timing``).
"""

import argparse
import time
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.load import percentile
from model_store import SentimentModel
from service.answers import Matrix, matrix_pieces
from service.middleware.concurrency import ConcurrencyLimiter
from service.middleware.request_context import RequestContext, request_variable
from service.predictor import Predictor
from service.schemas import Dtype, Encoding, RepresentRequest
from service.settings import Settings

TOKENS, NUMBERS = 256, 300
KINDS: tuple[tuple[Encoding, Dtype], ...] = (("base64", "float32"), ("base64", "float16"), ("float", "float32"))


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="responses of each encoding")
    repeats = parser.parse_args().repeats
    settings = Settings()
    model = SentimentModel.load()
    predictor = Predictor(model, settings)
    text = "fine " * TOKENS
    assert len(model.tokenize(text)) == TOKENS
    matrix = np.random.default_rng(0).standard_normal((TOKENS, NUMBERS)).astype(np.float32)
    wide = model.manifest.architecture.representation_size
    table = Table("encoding", f"{TOKENS} x {NUMBERS}, ms", "p99", f"response of {TOKENS} x {wide}, ms", "p99", "bytes")
    for encoding, dtype in KINDS:
        request = RepresentRequest(texts=[text], encoding=encoding, dtype=dtype)
        numbers, whole = [], []
        for _ in range(repeats):
            started = time.perf_counter()
            b"".join(matrix_pieces(Matrix(1, matrix, dtype, encoding)))
            numbers.append(time.perf_counter() - started)
            seconds, size = timed_response(predictor, request)
            whole.append(seconds)
        cells = [
            f"{value:.2f}" for times in (numbers, whole) for value in (1000 * median(times), percentile(times, 0.99))
        ]
        table.add_row(f"{encoding}, {dtype}", *cells, f"{size:,}")
    Console().print(table)


def timed_response(predictor: Predictor, request: RepresentRequest) -> tuple[float, int]:
    """The seconds of one response without tokenizer and model, and its size in bytes."""
    context = RequestContext(ConcurrencyLimiter(max_in_flight=1, max_streams=1, max_bytes=2**40), seconds=60)
    token = request_variable.set(context)
    started = time.perf_counter()
    body = b"".join(predictor.represent(request).pieces())
    taken = time.perf_counter() - started
    request_variable.reset(token)
    context.finish()
    return taken - sum(context.stages.values()), len(body)


if __name__ == "__main__":
    main()
