"""Rows a second of scoring IMDb's reviews: one process, two, a Ray cluster of two nodes, and a loop over HTTP.

    python -m benchmarks.score_cluster --data data [--rows 4000] [--files 8] [--repeats 3]

``score`` is run as a user runs it, so its start counts: libraries and model, and for Ray the connection and the actors.
"after start" leaves out what the same command takes for one row. The nodes are processes of this machine with one
processor each, started beforehand. The loop sends one review a request over one connection, waits for each answer, and
reads every tenth review. Rates are of the clock, so they mean little beside other work; the repeats take turns, and the
range is shown. The outputs are compared byte for byte.
"""

import argparse
import csv
import gzip
import hashlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from benchmarks.repeats import median_and_range
from benchmarks.server_processes import running

SPLITS = ("test", "train", "unsup")
WAYS = {"one process": ["--workers", "1"], "two processes": ["--workers", "2"], "Ray, two nodes": ["--ray"]}
HTTP = "loop over HTTP"
HTTP_EVERY = 10


def reviews(folder: Path, rows: int) -> list[str]:
    """The first reviews of the data set."""

    def texts() -> Iterator[str]:
        for split in SPLITS:
            with gzip.open(folder / "imdb" / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
                yield from (json.loads(line)["text"] for line in file)

    return list(islice(texts(), rows))


def write(folder: Path, texts: list[str], files: int) -> list[Path]:
    """The texts in so many CSV files."""
    folder.mkdir()
    paths = [folder / f"{number:03}.csv" for number in range(files)]
    for number, path in enumerate(paths):
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            writer.writerows(list(enumerate(texts))[number::files])
    return paths


def score(sources: list[Path], to: Path, options: list[str], environment: dict[str, str]) -> float:
    """Seconds of the command."""
    command = [sys.executable, "-m", "model_store", "score", *map(str, sources), "--to", f"{to}/{{name}}.csv", *options]
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - started


def over_http(url: str, texts: list[str]) -> float:
    """Seconds of a loop with one text a request."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=60)
    started = time.perf_counter()
    for text in texts:
        connection.request("POST", parts.path, json.dumps({"texts": [text]}), {"Content-Type": "application/json"})
        response = connection.getresponse()
        content = response.read()
        assert response.status == 200, content  # noqa: PLR2004
    return time.perf_counter() - started


def digest(folder: Path) -> str:
    """One hash of all files of a folder."""
    whole = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        whole.update(path.name.encode() + path.read_bytes())
    return whole.hexdigest()[:12]


@contextmanager
def ray_nodes() -> Iterator[str]:
    """A Ray cluster of two nodes, which are processes of this machine; its address."""
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - optional

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    nodes.add_node(num_cpus=1, object_store_memory=10**8)
    try:
        yield nodes.address
    finally:
        nodes.shutdown()


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of the data sets")
    parser.add_argument("--rows", type=int, default=4000, help="reviews, of 100,000")
    parser.add_argument("--files", type=int, default=8, help="they are split into")
    parser.add_argument("--repeats", type=int, default=3, help="measurements of each kind, interleaved")
    options = parser.parse_args()
    texts = reviews(options.data, options.rows)
    seconds: dict[str, list[float]] = {name: [] for name in [*WAYS, HTTP]}
    starts: dict[str, list[float]] = {name: [] for name in WAYS}
    hashes = set()
    with tempfile.TemporaryDirectory() as name, ray_nodes() as address:
        folder = Path(name)
        sources, one = write(folder / "in", texts, options.files), write(folder / "one", texts[:1], 1)
        environment = {**os.environ, "RAY_ADDRESS": address}
        with running("service", folder, uvloop=False) as server:
            for repeat in range(options.repeats):
                for way, arguments in WAYS.items():
                    to = folder / f"{repeat} {way}"
                    starts[way].append(score(one, folder / f"{to.name} start", arguments, environment))
                    seconds[way].append(score(sources, to, arguments, environment))
                    hashes.add(digest(to))
                seconds[HTTP].append(over_http(server.url, texts[::HTTP_EVERY]))
    table = Table("", "rows/s (range)", "after start, rows/s", "start, s")
    for way, taken in seconds.items():
        rows = len(texts[::HTTP_EVERY]) if way == HTTP else len(texts)
        rates = [rows / each for each in taken]
        cells = ["", ""]
        if way in starts:
            after = statistics.median(rows / (whole - start) for whole, start in zip(taken, starts[way], strict=True))
            cells = [f"{after:,.0f}", f"{statistics.median(starts[way]):.1f}"]
        table.add_row(way, median_and_range(rates, ",.0f"), *cells)
    console = Console()
    console.print(table)
    load = os.getloadavg()[1]
    same = "all outputs have the same bytes" if len(hashes) == 1 else f"OUTPUTS DIFFER: {sorted(hashes)}"
    console.print(f"{len(texts):,} reviews in {options.files} files; {same}; load of the machine {load:.0f}")


if __name__ == "__main__":
    main()
