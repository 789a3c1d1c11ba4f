"""``python -m training pipeline``: from a labeled file to the model in production, if it is not worse than that."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from model_store import BundleError, registry, stages
from model_store import bundle as bundles
from model_store.atomic_write import write_json
from model_store.hashing import file_sha256
from model_store.plain_console import plain_console
from model_store.tags import Tag, TagError
from training.commands.parser import UsageError, parse, plain_errors
from training.data.examples import DataError
from training.data.readers import ReadingOptions
from training.recipes.steps import Step, command, run_steps

DESCRIPTION = """\
Makes a model of a labeled file and puts it in production unless it is worse than the model there: inspects and splits
the file, adapts the shipped model to it (or trains one with --config), tests it, stores it, compares it with the model
in production on the same test texts, and promotes it.

  python -m training pipeline my.csv --name my-model
  python -m training pipeline new-tickets.csv --test tickets-test.csv --name tickets --max_loss 0.01

Everything is in TO/KEY, where KEY depends on the files and the options; its report.json is for machines. With the same
files and options a second run does only what is missing; with new rows everything is made anew, beside the old.

The new model is worse if the whole 95% interval of the difference in --metric lies below 0. --max_loss 0.01 also
refuses a model for which the interval reaches further than one point below 0, which needs a larger test file. If no
model is in production, it is compared with the one that ships.

Exit status: 0 if the new model is in production, 3 if it was made but is worse, 1 and 2 for errors as always.
"""

WORSE = 3
"""Exit status if the new model is not promoted."""

COMPARISON = "comparison.json"
REPORT = "report.json"

PART_FORMAT = ("--format=jsonl", "--text_column=text", "--label_column=label")
"""How the parts that ``split`` writes are read."""


@dataclass(frozen=True)
class PipelineOptions:
    """Options of ``pipeline``.

    Args:
        data: labeled file.
        name: the model's name: lower-case letters, digits, dots, dashes, underscores.
        test: labeled file to test and compare on; by default a fifth of the data. With one that stays the same, models
            of different days can be compared.
        to: folder of all runs.
        start: the bundle to adapt: default, a folder, or a tag.
        config: a config of ``fit``; a model is then trained with it instead of adapted.
        stage: production or staging: the model to compare with, and where the new one goes.
        metric: accuracy or macro_f1: what decides.
        max_loss: how far below 0 the interval of the difference may reach; by default as far as it likes.
        seed: of the split and of the training.
        reading: how the files are read.
    """

    data: Path
    _: KW_ONLY
    name: str
    test: Path | None = None
    to: Path = Path("runs/pipeline")
    start: str = "default"
    config: Path | None = None
    stage: Literal["production", "staging"] = "production"
    metric: Literal["accuracy", "macro_f1"] = "macro_f1"
    max_loss: float | None = None
    seed: int = 0
    reading: Annotated[dict[str, Any], ReadingOptions]


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the pipeline: its options, and what they and the files identify.

    Attributes:
        key: the hash of all that decides the new model; its version in the store.
    """

    options: PipelineOptions
    key: str

    @property
    def folder(self) -> Path:
        """Everything of this run."""
        return self.options.to / self.key

    @property
    def bundle(self) -> Path:
        """The new model."""
        return self.folder / "bundle"

    @property
    def tag(self) -> Tag:
        """The new model's tag in the store."""
        return Tag(self.options.name, self.key)

    def part(self, name: str) -> Path:
        """A part of the data, as ``split`` writes it."""
        return self.folder / "data" / f"{name}.jsonl"

    @property
    def part_format(self) -> list[str]:
        """How the parts are read."""
        return [*PART_FORMAT, *(["--multi_label=true"] if self.options.reading.get("multi_label") else [])]

    @property
    def test(self) -> list[str]:
        """The test file, then the options that read it."""
        if self.options.test is None:
            return [str(self.part("test")), *self.part_format]
        return [str(self.options.test), *as_arguments(self.options.reading)]


def main(arguments: list[str]) -> None:
    """Run the command; exit with ``WORSE`` if the new model is not promoted."""
    options = PipelineOptions(**parse(PipelineOptions, arguments, command="pipeline", description=DESCRIPTION))
    with plain_errors("pipeline", BundleError, DataError, TagError):
        promoted = run_pipeline(options)
    if not promoted:
        raise SystemExit(WORSE)


def run_pipeline(options: PipelineOptions) -> bool:
    """Run what is missing; see ``DESCRIPTION``. Returns whether the new model has the stage.

    Raises:
        UsageError: an option cannot be used.
        DataError: a file is missing.
        SystemExit: a step failed; with its exit status.
    """
    check(options)
    run = Run(options, key_of(options))
    done_now = run_steps(make_steps(run))
    registry.add(run.bundle, tag=run.tag)
    done_now += compare_with(run, reference := reference_of(options.stage))
    comparison = json.loads((run.folder / COMPARISON).read_text(encoding="utf-8"))
    difference, reference_then = comparison["differences"][options.metric], comparison["models"][0]["path"]
    reason = None if reference == str(run.tag) else reason_against(difference, options)
    if reason is None:
        registry.promote(run.tag, options.stage)
    write_json(
        run.folder / REPORT,
        {
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "data": {"name": str(options.data), "sha256": file_sha256(options.data)},
            "model": str(run.tag),
            "bundle": str(run.bundle),
            "compared_with": reference_then,
            "stage": options.stage,
            "metric": options.metric,
            "difference": difference,
            "promoted": reason is None,
            "reason": reason,
            "steps_done_now": done_now,
            "comparison": comparison,
        },
    )
    console = plain_console(stderr=True)
    shown = f"{100 * difference['value']:+.1f} points ({100 * difference['low']:.1f}, {100 * difference['high']:.1f})"
    verdict = f"is in {options.stage}" if reason is None else f"stays out of {options.stage}: {reason}"
    console.print(f"{run.tag} {verdict}. {options.metric} against {reference_then}: {shown}.", soft_wrap=True)
    console.print(f"Report: {run.folder / REPORT}", soft_wrap=True)
    return reason is None


def check(options: PipelineOptions) -> None:
    """Check what can be known before any work.

    Raises:
        UsageError: an option cannot be used.
        DataError: a file is missing.
        TagError: the name cannot be part of a tag.
    """
    Tag(options.name, "1")
    if options.max_loss is not None and not 0 <= options.max_loss <= 1:
        message = f"--max_loss is {options.max_loss}; expected a share from 0 to 1, such as 0.01 for one point"
        raise UsageError(message)
    if options.reading.get("multi_label") and options.metric == "accuracy":
        message = "--metric is accuracy, which multi-label models do not have; pass macro_f1, or leave it out"
        raise UsageError(message)
    for path in filter(None, (options.data, options.test, options.config)):
        if not path.is_file():
            raise DataError(path, None, problem="there is no such file.", fix="Check the path.")
    bundles.resolve(options.start)


def key_of(options: PipelineOptions) -> str:
    """Identifies everything that the new model depends on: 12 digits of a SHA-256.

    Stage and metric do not count: they decide what is done with the model.
    """
    decides = {
        "files": [file_sha256(path) for path in filter(None, (options.data, options.test, options.config))],
        "start": options.start,
        "seed": options.seed,
        "reading": options.reading,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:12]


def make_steps(run: Run) -> list[Step]:
    """The steps until there is a tested bundle; a stopped one resumes."""
    inspection, measured = run.folder / "inspection.json", run.folder / "test.json"
    train = adapt_bundle if run.options.config is None else fit_and_export
    return [
        Step("Inspect", inspection.exists, partial(inspect, run, inspection)),
        Step("Split", run.part("train").exists, partial(split, run)),
        Step("Train", (run.bundle / bundles.MANIFEST).exists, partial(train, run)),
        Step("Test", measured.exists, partial(command, "test", run.bundle, *run.test, "--to", measured)),
    ]


def inspect(run: Run, to: Path) -> None:
    """Keep what is in the data."""
    command("inspect", run.options.data, *as_arguments(run.options.reading), "--json", output=to)


def split(run: Run) -> None:
    """Cut the data into parts, without the texts of a test file."""
    test = ["--test=0.2"] if run.options.test is None else ["--test=0", "--not_in", str(run.options.test)]
    whole = run.folder / "data.partial"
    shutil.rmtree(whole, ignore_errors=True)
    reading = as_arguments(run.options.reading)
    command("split", run.options.data, "--to", whole, *test, f"--seed={run.options.seed}", *reading)
    whole.rename(run.folder / "data")


def adapt_bundle(run: Run) -> None:
    """Adapt a bundle to the data."""
    files = ["--train", run.part("train"), "--validation", run.part("validation"), *run.part_format]
    to = ["--to", run.bundle, "--run_folder", run.folder / "training", "--name", run.options.name]
    command("adapt", *files, *to, "--from", run.options.start, f"--seed={run.options.seed}")


def fit_and_export(run: Run) -> None:
    """Train a model with a config, and make a bundle of it."""
    folder = run.folder / "training"
    files = [f"--data.train={run.part('train')}", f"--data.validation={run.part('validation')}", "--data.test=null"]
    options = [f"--data.{option.removeprefix('--')}" for option in run.part_format]
    place = [f"--trainer.default_root_dir={folder}", f"--seed_everything={run.options.seed}", "--ckpt_path=last"]
    command("fit", "--config", run.options.config, *files, *options, "--data.label_map=null", *place)
    name = [f"--name={run.options.name}", f"--version={run.key}"]
    command("export", folder / "checkpoints" / "best.ckpt", "--to", run.bundle, *name)


def reference_of(stage: str) -> str:
    """What to compare with: the tag of the model that has the stage, or the bundle that ships."""
    return str(stages.current(stage)) if stages.read_stages().get(stage) else "default"


def compare_with(run: Run, reference: str) -> list[str]:
    """Compare the new model with a reference, unless that was done or it is the reference by now.

    Returns:
        The name of the step if it was done now.
    """
    path = run.folder / COMPARISON
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))["models"][0]
        if reference == str(run.tag) or earlier["sha256"] == bundles.read(bundles.resolve(reference)).sha256:
            return []
    file, *reading = run.test
    command("compare", reference, run.bundle, "--data", file, "--to", path, *reading)
    return ["Compare"]


def reason_against(difference: Mapping[str, float], options: PipelineOptions) -> str | None:
    """Why a model with this difference to the one before is not promoted; None if it is."""
    if difference["high"] < 0:
        return f"its {options.metric} is lower, by the whole interval"
    if options.max_loss is not None and difference["low"] < -options.max_loss:
        return f"its {options.metric} may be lower by more than {options.max_loss:g}"
    return None


def as_arguments(options: Mapping[str, Any]) -> list[str]:
    """Options as words of a command line."""
    words = []
    for name, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no_{name}")
        else:
            words.append(f"--{name}={value if isinstance(value, str) else json.dumps(value)}")
    return words
