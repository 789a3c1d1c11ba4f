"""Rate, memory and overhead of scoring a file, against the library's own call in one process.

    python -m benchmarks.score_file [--rows 8000] [--workers 1] [--repeats 3]

Rows have 20 words. Rates are rows a second of processor time (user and system, all processes of the command together),
so that other load on the machine matters little. The command is measured with the rows and with one row; what it needs
for one row is its start, and the difference is the rows'. Memory is the sum of the processes' proportional set sizes,
sampled. The last line computes a million rows on two cores from the slowest repeat.
"""

import argparse
import csv
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from model_store import SentimentModel

SAMPLE = Path(__file__).parents[1] / "training" / "data" / "sample" / "train.csv"
WORDS = 20
MILLION = 1_000_000
SECONDS_BETWEEN_SAMPLES = 0.1


def texts(count: int) -> list[str]:
    """Texts of 20 words, from the sample's."""
    with SAMPLE.open(newline="") as file:
        words = cycle(word for row in csv.DictReader(file) for word in row["text"].split())
        return [" ".join(islice(words, WORDS)) for _ in range(count)]


def write(path: Path, rows: list[str]) -> Path:
    """A CSV file with an id and a text."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "text"])
        writer.writerows(enumerate(rows))
    return path


def command(source: Path, *, workers: int) -> tuple[float, int]:
    """Processor seconds and peak bytes of one run."""
    arguments = [str(source), "--to", f"{source}.out.csv", "--workers", str(workers), "--overwrite"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    peak = 0
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "model_store", "score", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as job:
        while job.poll() is None:
            peak = max(peak, memory(job.pid))
            time.sleep(SECONDS_BETWEEN_SAMPLES)
    assert job.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak


def memory(pid: int) -> int:
    """Bytes of a process and those it started; pages they share are counted once."""
    total = 0
    try:
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            total += process.memory_full_info().pss
    except (psutil.Error, OSError):
        return total  # it ended meanwhile
    return total


def in_process(model: SentimentModel, rows: list[str]) -> float:
    """Processor seconds of the library's call."""
    start = time.process_time()
    model.predict(rows)
    return time.process_time() - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=8000, help="rows of the file")
    parser.add_argument("--workers", type=int, default=1, help="processes of the command")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each kind, interleaved")
    options = parser.parse_args()
    model = SentimentModel.load()
    rows = texts(options.rows)
    model.predict(rows[:100])
    table = Table("repeat", "in process, rows/s", "command, rows/s", "share", "start, s", "memory, MB")
    shares, seconds = [], []
    with tempfile.TemporaryDirectory() as folder:
        one, many = write(Path(folder) / "one.csv", rows[:1]), write(Path(folder) / "many.csv", rows)
        for repeat in range(1, options.repeats + 1):
            library = in_process(model, rows)
            start, _ = command(one, workers=options.workers)
            whole, peak = command(many, workers=options.workers)
            shares.append(library / (whole - start))
            seconds.append((start + (whole - start) * MILLION / options.rows) / 2)
            rates = [f"{options.rows / taken:,.0f}" for taken in (library, whole - start)]
            table.add_row(str(repeat), *rates, f"{shares[-1]:.0%}", f"{start:.1f}", f"{peak / 1e6:,.0f}")
    console = Console()
    console.print(table)
    tokens = statistics.fmean(len(model.tokenize(text)) for text in rows[:1000])
    console.print(
        f"{options.rows:,} rows of {WORDS} words, {tokens:.1f} tokens; share {min(shares):.0%} to {max(shares):.0%}"
    )
    console.print(f"a million rows on two cores: {min(seconds) / 60:.1f} to {max(seconds) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
