"""What adapting a bundle gives: airline tweets and product reviews, several draws, beside TF-IDF and the bundle itself.

    python -m benchmarks.adapt DATA [--tasks tweets cr-1000 cr-64] [--start default] [--draws 5] [--to figures.json]
    python -m benchmarks.adapt DATA --tasks tweets --teacher pretrained/all-mpnet-base-v2

DATA has airline_tweets/tweets.csv.gz (three classes; 3,000 to learn from, 5,000 others to measure on) and
cr/custrev.txt (two classes; 1,000 or 64 to learn from, all others to measure on). Texts that differ only in case,
spacing and punctuation are one. Every draw runs the command adapt as it is, on the training texts alone, with its
defaults and the draw's number as seed; for reviews with --class_weights none, since they are measured by accuracy.
The measured texts choose nothing. With --teacher, a transformer teaches too, and scores the tweets that are neither
learned from nor measured on, without their labels. Prints a line after each draw, and in the end a Markdown table with
mean and spread (sample standard deviation) over draws. The seconds are those of adapt, without the start of Python.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from training.adaptation.baselines import linear_scores
from training.adaptation.measuring import answers_of
from training.adaptation.options import AdaptOptions
from training.adaptation.report import outcomes_of
from training.commands.adapt import adapt
from training.data.examples import Example
from training.data.readers import ReadingOptions, read_examples
from training.data.splitting import write_json_lines
from training.data.text_fingerprint import text_fingerprint
from training.evaluation.label_sets import true_labels
from training.evaluation.metrics import METRICS, Outcomes, Scores
from training.fit.class_weights import ClassWeights

TWEETS = "airline_tweets/tweets.csv.gz"
REVIEWS = "cr/custrev.txt"
READ_REVIEWS = ReadingOptions(
    format="lines", ptb_tokens=True, on_bad_row="skip", label_map={"0": "negative", "1": "positive"}
)


@dataclass(frozen=True, slots=True)
class Task:
    """A file, how much of it is learned from and measured on, and in which figure.

    Attributes:
        test: texts to measure on; 0 for all others.
        class_weights: balanced for macro-F1, which counts labels alike, and none for accuracy, which counts texts.
        draws: by default.
    """

    path: str
    reading: ReadingOptions
    train: int
    test: int
    metric: str
    class_weights: ClassWeights
    draws: int


TASKS = {
    "cr-64": Task(REVIEWS, READ_REVIEWS, 64, 0, "accuracy", "none", 5),
    "cr-1000": Task(REVIEWS, READ_REVIEWS, 1000, 0, "accuracy", "none", 5),
    "tweets": Task(TWEETS, ReadingOptions(), 3000, 5000, "macro_f1", "balanced", 3),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One draw: the figure of each system, and the seconds that adapt took, from its first line to its report."""

    task: str
    draw: int
    adapted: float
    before: float
    linear: float
    seconds: float
    processor_seconds: float


def main() -> None:
    """Measure, print Markdown, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of labeled data")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--start", default="default", help="the bundle to begin with")
    parser.add_argument("--teacher", help="a transformer's folder, which teaches on labeled and unlabeled texts")
    parser.add_argument("--bfloat16", action="store_true", help="the teacher computes in bfloat16")
    parser.add_argument("--draws", type=int, default=0, help="draws of each task; 0 for 3 of tweets and 5 of reviews")
    parser.add_argument("--to", type=Path, help="also write every figure as JSON to this file")
    options = parser.parse_args()
    teaching = {"teacher": options.teacher, "bfloat16": options.bfloat16}
    measured = []
    for name in options.tasks:
        examples = list(distinct(read_examples(options.data / TASKS[name].path, TASKS[name].reading)))
        for draw in range(1, (options.draws or TASKS[name].draws) + 1):
            measured.append(measure(name, examples, draw=draw, start=options.start, teaching=teaching))
            print(json.dumps(asdict(measured[-1])), flush=True)
            if options.to is not None:
                options.to.write_text(json.dumps([asdict(entry) for entry in measured], indent=2) + "\n")
    print("\n".join(markdown(measured)))


def distinct(examples: Iterator[Example]) -> Iterator[Example]:
    """The examples without repeats of a text."""
    known: set[str] = set()
    for example in examples:
        fingerprint = text_fingerprint(example.text)
        if fingerprint not in known:
            known.add(fingerprint)
            yield example


def measure(name: str, examples: Sequence[Example], *, draw: int, start: str, teaching: Mapping[str, Any]) -> Measured:
    """Draw, adapt, and measure on texts that were not drawn."""
    task = TASKS[name]
    shuffled = list(examples)
    random.Random(draw).shuffle(shuffled)  # noqa: S311 - not for cryptography
    train = shuffled[: task.train]
    test = shuffled[task.train :][: task.test or None]
    further = shuffled[task.train + len(test) :] if teaching["teacher"] else []
    labels = sorted({example.label for example in examples})
    with tempfile.TemporaryDirectory(prefix="benchmark-adapt-") as folder:
        file = Path(folder) / "train.jsonl"
        write_json_lines(file, train)
        unlabelled = Path(folder) / "further.jsonl" if further else None
        if unlabelled is not None:
            write_json_lines(unlabelled, (replace(example, label="") for example in further))
        bundle = Path(folder) / "adapted"
        began = time.perf_counter(), time.process_time()
        adapt(
            AdaptOptions(
                train=file,
                to=bundle,
                from_=start,
                unlabelled=unlabelled,
                **teaching,
                class_weights=task.class_weights,
                run_folder=Path(folder) / "run",
                seed=draw,
            ),
            command="python -m benchmarks.adapt",
        )
        seconds, processor = time.perf_counter() - began[0], time.process_time() - began[1]
        figure = _figure(task, test, labels)
        texts = [example.text for example in test]
        return Measured(
            name,
            draw,
            adapted=figure(answers_of(bundle, labels, texts).scores),
            before=figure(answers_of(start, labels, texts).scores),
            linear=figure(linear_scores(train, texts, labels=labels, balanced=task.class_weights == "balanced")),
            seconds=seconds,
            processor_seconds=processor,
        )


def _figure(task: Task, test: Sequence[Example], labels: Sequence[str]) -> Callable[[Scores], float]:
    true = true_labels(test, labels)

    def compute(scores: Scores) -> float:
        outcomes = outcomes_of(scores, None, true=true)
        assert isinstance(outcomes, Outcomes)  # one label a text
        return METRICS[task.metric].compute(outcomes)

    return compute


def markdown(measured: Sequence[Measured]) -> Iterator[str]:
    """One row a task."""
    yield "\n| task | figure | draws | TF-IDF + LR | before | adapted | seconds |"
    yield "|---|---|---|---|---|---|---|"
    for name, task in TASKS.items():
        runs = [run for run in measured if run.task == name]
        if runs:
            columns = [_mean([getattr(run, part) for run in runs]) for part in ("linear", "before", "adapted")]
            seconds = f"{min(run.seconds for run in runs):.0f} to {max(run.seconds for run in runs):.0f}"
            yield f"| {name} | {METRICS[task.metric].title} | {len(runs)} | {' | '.join(columns)} | {seconds} |"


def _mean(values: Sequence[float]) -> str:
    spread = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.fmean(values):.1f}{spread}"


if __name__ == "__main__":
    main()
