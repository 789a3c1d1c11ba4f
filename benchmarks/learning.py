"""What learning costs: processor seconds and peak memory, and the accuracy on SST-2 that it brings.

    pip install -e ".[train,distill,benchmarks]" -c constraints.txt
    python -m benchmarks.learning [--data data] [--rows 10000 30000 0]

Each learner learns two labels from the treebank's phrases: from some drawn at random, and from all (0). Each does so in
a process of its own on one thread, one after the other, and memory is what it took at the most beyond libraries and
texts. This project's network is the one of training/configs/sst2.yaml, exported as it is served; MiniLM is fine-tuned
as in ``benchmarks.accuracy``, two passes. No learner sees a text of the test set. Takes an hour and a half on one core,
most of it for MiniLM; a stopped run goes on. ``python -m benchmarks learning`` writes its table into the documentation.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from benchmarks import baselines
from benchmarks.baselines import System
from benchmarks.labeled_sets import LabeledSet, sets_to_measure, training_set
from benchmarks.load import resident_mebibytes
from benchmarks.neural_baselines import Pretrained, fine_tuned, network
from benchmarks.plain_torch import plain_torch
from training.recipes.default.measured_sets import TWO

DATA = "SST phrases"
TESTED = "SST-2 test"
ROWS = (10_000, 30_000, 0)
RESET_PEAK = "5"
"""Written into /proc/self/clear_refs, see proc(5)."""

FIGURES = Path("build", "bench", "figures", "learning.json")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a learner took, and how much it learned.

    Attributes:
        learner: its name.
        rows: texts that it learned from.
        seconds: of the processor.
        mebibytes: the most resident memory while it learned, beyond what the process had before.
        accuracy: on SST-2's test sentences.
    """

    learner: str
    rows: int
    seconds: float
    mebibytes: float
    accuracy: float


def learners(folder: Path, kept: Path) -> Mapping[str, Callable[..., System]]:
    """The learners by name.

    Args:
        folder: of all-MiniLM-L6-v2.
        kept: for what is learned.
    """
    pretrained = Pretrained("MiniLM", folder, kept)
    return {
        "fastText": baselines.fasttext,
        "TF-IDF + LR": baselines.linear,
        "this network": partial(network, pretrained=pretrained),
        "its layers in plain torch": partial(plain_torch, folder=folder),
        "MiniLM, fine-tuned": partial(fine_tuned, pretrained=pretrained),
    }


def learn(name: str, lesson: LabeledSet, tested: LabeledSet, *, folder: Path) -> Cost:
    """Let a learner learn, in this process."""
    torch.set_num_threads(1)
    before = resident_mebibytes(os.getpid())
    Path("/proc/self/clear_refs").write_text(RESET_PEAK, encoding="ascii")
    with tempfile.TemporaryDirectory(prefix="benchmark-learning-") as kept:
        system = learners(folder, Path(kept))[name](lambda _labels: lesson, data=DATA, kinds=[TWO])
        seconds = system.seconds(TWO) or 0.0
        mebibytes = resident_mebibytes(os.getpid(), field="VmHWM") - before
        scores = np.asarray(system.score(tested.texts, TWO))  # (texts, labels)
    right = scores.argmax(axis=1) == [TWO.index(label) for label in tested.truth]
    return Cost(name, len(lesson), seconds, mebibytes, float(right.mean()))


def learn_apart(name: str, lesson: LabeledSet, tested: LabeledSet, *, folder: Path) -> Cost:
    """The same in a process of its own, which does not read the data sets."""
    with tempfile.TemporaryDirectory(prefix="benchmark-learning-") as temporary:
        given, to = Path(temporary, "given.json"), Path(temporary, "cost.json")
        given.write_text(json.dumps([asdict(lesson), asdict(tested)]), encoding="utf-8")
        options = ["--pretrained", str(folder), "--json", str(to), "--learner", name, "--given", str(given)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-m", "benchmarks.learning", *options], check=True, env=environment)  # noqa: S603
        return Cost(**json.loads(to.read_text(encoding="utf-8")))


def main() -> None:
    """Measure, print a table, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data"), help="the folder of the data sets")
    parser.add_argument("--pretrained", type=Path, default=Path("pretrained/all-MiniLM-L6-v2"))
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="numbers of texts to learn from; 0 for all")
    parser.add_argument("--json", type=Path, default=FIGURES, help="figures; those there are not taken again")
    parser.add_argument("--learner", choices=learners(Path(), Path()), help="only this one")
    parser.add_argument("--given", type=Path, help=argparse.SUPPRESS)  # texts for one learner, in this process
    options = parser.parse_args()
    if options.given:
        lesson, tested = (LabeledSet(**rows) for rows in json.loads(options.given.read_text(encoding="utf-8")))
        cost = learn(options.learner, lesson, tested, folder=options.pretrained)
        options.json.write_text(json.dumps(asdict(cost)), encoding="utf-8")
        return
    texts = training_set(options.data, DATA, TWO)
    tested = next(labeled for labeled in sets_to_measure(options.data) if labeled.name == TESTED)
    costs = [Cost(**cost) for cost in json.loads(options.json.read_text())] if options.json.is_file() else []
    for rows, name in product(options.rows, [options.learner] if options.learner else learners(Path(), Path())):
        lesson = texts.sample(rows or len(texts), seed=0)
        if (name, len(lesson)) not in [(cost.learner, cost.rows) for cost in costs]:
            costs.append(learn_apart(name, lesson, tested, folder=options.pretrained))
            options.json.write_text(json.dumps([asdict(cost) for cost in costs], indent=2) + "\n", encoding="utf-8")
    show(costs)


def show(costs: Sequence[Cost]) -> None:
    """Print a table."""
    table = Table("learner", "texts", "processor seconds", "MiB", f"{TESTED}, %")
    for cost in costs:
        figures = [f"{cost.rows:,}", f"{cost.seconds:,.1f}", f"{cost.mebibytes:,.0f}", f"{100 * cost.accuracy:.1f}"]
        table.add_row(cost.learner, *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
