"""Memory and time to read and tokenize a large file, without and with the cache.

    python -m benchmarks.data_preparation [--rows 1000000] [--tokenizers word subword pretrained]

Writes random reviews to a temporary folder and prepares each in a new process, first with an empty cache, then with a
full one. Memory is the peak of the process; the memory after the imports is a separate column.
"""

import argparse
import csv
import itertools
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.console import Console
from rich.progress import track
from rich.table import Table

if TYPE_CHECKING:
    from training.data.vocabulary import TokenizerName

WORDS_A_ROW = (5, 35)  # 20 on average, as in the Stanford Sentiment Treebank's sentences
DIFFERENT_WORDS = 500_000  # as in a web crawl; frequencies are proportional to 1 / rank (Zipf's law)
LABELS = ("negative", "neutral", "positive")
TOKENIZERS = ("word", "subword", "pretrained")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the training file")
    parser.add_argument("--tokenizers", nargs="+", choices=TOKENIZERS, default=TOKENIZERS)
    parser.add_argument("--json", type=Path, help="write the measurements to this file, too")
    parser.add_argument("--prepare", nargs=2, metavar=("FOLDER", "TOKENIZER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare:
        prepare(Path(options.prepare[0]), cast("TokenizerName", options.prepare[1]))
        return
    rows = []
    table = Table("tokenizer", "cache", "seconds", "peak MB", "imports MB", "tokens", title=f"{options.rows:,} rows")
    with tempfile.TemporaryDirectory(prefix="benchmark-data-") as folder:
        write_reviews(Path(folder) / "train.csv", options.rows)
        write_reviews(Path(folder) / "validation.csv", 1000)
        for tokenizer, cache in itertools.product(options.tokenizers, ("empty", "full")):
            measured = measure_in_subprocess(folder, tokenizer)
            rows.append({"tokenizer": tokenizer, "cache": cache, **measured})
            table.add_row(
                tokenizer,
                cache,
                f"{measured['seconds']:.1f}",
                f"{measured['peak'] / 1e6:,.0f}",
                f"{measured['imports'] / 1e6:,.0f}",
                f"{measured['tokens']:,}",
            )
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def write_reviews(path: Path, rows: int) -> None:
    """Write rows of random words by Zipf's law. The same number of rows gives the same file."""
    generator = random.Random(rows)  # noqa: S311 - not for cryptography
    words = [word_of(rank) for rank in range(DIFFERENT_WORDS)]
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(DIFFERENT_WORDS)))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for _ in track(range(rows), description=f"Writing {path.name}", transient=True):
            chosen = generator.choices(words, cum_weights=weights, k=generator.randint(*WORDS_A_ROW))
            writer.writerow([" ".join(chosen) + ".", generator.choice(LABELS)])


def word_of(rank: int) -> str:
    """A distinct word for each rank: two letters for each digit of the rank in base 100."""
    syllables = ""
    while True:
        rank, syllable = divmod(rank, 100)
        syllables += "bcdfghklmnprstvwzjxq"[syllable // 5] + "aeiou"[syllable % 5]
        if not rank:
            return syllables


def measure_in_subprocess(folder: str, tokenizer: str) -> dict[str, float]:
    """Peak memory and memory after the imports (bytes), seconds and tokens of one preparation."""
    command = [sys.executable, "-m", "benchmarks.data_preparation", "--prepare", folder, tokenizer]
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this module
    if result.returncode:
        raise SystemExit(result.stderr)
    measured: dict[str, float] = json.loads(result.stdout)
    return measured


def prepare(folder: Path, tokenizer: "TokenizerName") -> None:
    """Prepare the files as ``fit`` does before its first step, and print the measurements as JSON."""
    from training.data import tokenization  # noqa: PLC0415 - in the parent, its memory would count in the child
    from training.data.module import SentimentData  # noqa: PLC0415
    from training.data.vocabulary import TokenizerOptions  # noqa: PLC0415

    if tokenizer == "pretrained" and not (folder / "tokenizer.json").is_file():
        texts = [" ".join(map(word_of, range(start, start + 20))) for start in range(0, 20_000, 20)]
        tokenization.subword_pipeline(texts, size=5000).save(str(folder / "tokenizer.json"))
    imports = peak_memory()
    start = time.perf_counter()
    data = SentimentData(
        str(folder / "train.csv"),
        str(folder / "validation.csv"),
        cache_folder=str(folder / "cache"),
        tokenization=TokenizerOptions(tokenizer=tokenizer, tokenizer_folder=str(folder)),
    )
    data.setup("fit")
    seconds = time.perf_counter() - start
    next(iter(data.train_dataloader()))  # the sampler's order takes memory too
    tokens = int(data._examples["train"].lengths.sum())  # noqa: SLF001
    print(json.dumps({"seconds": seconds, "peak": peak_memory(), "imports": imports, "tokens": tokens}))


def peak_memory() -> int:
    """The peak resident memory of this process in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux kibibytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    main()
