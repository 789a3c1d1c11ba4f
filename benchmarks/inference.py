"""How long the shipped model takes without HTTP, on one processor thread.

    python benchmarks/inference.py [--bundle default] [--repeats 300]

Medians of calls that are interleaved, so that a busy machine disturbs all of them alike; judge by the ratios.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from rich.console import Console
from rich.progress import track
from rich.table import Table

from model_store import SentimentModel

TEXT = (
    "The film moves slowly at first, but its quiet performances and a wonderful final act make the whole thing feel "
    "honest and deeply human."
)


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="default", help="a bundle's folder, or default")
    parser.add_argument("--repeats", type=int, default=300, help="calls of each kind")
    options = parser.parse_args()
    model = SentimentModel.load(options.bundle)
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "predict, 1 text": (lambda: model.predict([TEXT]), 1),
        "predict with explanation, 1 text": (lambda: model.predict([TEXT], explain=True), 1),
        "represent, 1 text": (lambda: model.represent([TEXT]), 1),
        "tokenize, 1 text": (lambda: model.tokenize(TEXT), 1),
        "predict, 32 texts": (lambda: model.predict([TEXT] * 32), 32),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in track(range(options.repeats), description="Measuring", transient=True):
        for name, (call, _texts) in calls.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    reference = statistics.median(seconds["predict, 1 text"])
    title = f"{len(model.tokenize(TEXT))} tokens a text"
    table = Table("call", "median ms a text", "against predict, 1 text", title=title)
    for name, (_, texts) in calls.items():
        median = statistics.median(seconds[name]) / texts
        table.add_row(name, f"{1000 * median:.3f}", f"{median / reference:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
