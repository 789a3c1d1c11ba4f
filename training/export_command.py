"""``python -m training export``: a checkpoint becomes a bundle."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli
from rich.console import Console

from model_store import BundleError, SentimentModel
from model_store import bundle as bundles
from model_store.manifest import Calibration, Machine, Manifest, Training, TrainingFile
from training import export, measuring
from training.answering import Answers, answers, together
from training.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.data.examples import DataError, Example, LeftOut
from training.data.labelled import read_labelled
from training.data.module import short_name
from training.data.readers import Format
from training.evidence_files import EvidenceError, read_behaviour, read_comparison, read_known_failures
from training.exact_options import ExactParser, Paragraphs
from training.onnx_graph import build_graph
from training.polarity import default_polarities
from training.weight_storage import Storage, round_weights

DESCRIPTION = """\
Proves the ONNX graph equal to the network, calibrates it, chooses from which score on an answer is confident, measures
all this, and writes a bundle with its card.

  python -m training export runs/sample/checkpoints/best.ckpt --to my-model
  python -m training export best.ckpt --to my-model --validation '[sst/dev.txt.gz, imdb/validation.jsonl.gz]'

Temperature and threshold are fitted on the texts of all validation files together, each text counting the same, so that
a bundle for several domains is calibrated on several. One label map serves all files: a label that it lacks stays as it
is where the model has it. The threshold is the smallest with which confident answers are right as often as
--target_accuracy says. Where all answers together are, every answer is confident; where not even the surest are (20
answers at least, for 95%), none is. Texts without a token are left out of everything, as in training.
"""

INTENDED_USE = (
    "Labelling texts of the kinds it was measured on, with the figures below as what to expect.",
    "Showing which words speak for a label: contributions are exact, and add up to the decision.",
)
NOT_INTENDED_FOR = (
    "Decisions about a person that no person reviews.",
    "Texts in another language, or of another kind, than it was measured on, without measuring it there first.",
)


class ExportError(ValueError):
    """The command was asked for something it cannot do; the message says what to pass."""


@dataclass(frozen=True)
class Options:
    """What a person asks of an export.

    Args:
        checkpoint: what ``fit`` wrote, such as runs/sample/checkpoints/best.ckpt.
        to: the bundle's folder.
        validation: labelled file, or several as '[a, b]', for calibration and the parity check; by default the run's.
        test: further labelled file, or several as '[a, b]', whose figures go into the card.
        calibrated: pass false where no labelled text is at hand; scores then keep temperature 1.
        target_accuracy: how often confident answers should be right, between 0 and 1.
        format: of all those files; by default as the run read its own. Pass auto where they differ.
        label_map: label in the files to the model's label; null leaves rows out. By default the run's.
        name: the model's name in answers: lower-case letters, digits, dots, dashes.
        version: the model's version in answers.
        description: one sentence for the card.
        intended_use: sentences for the card.
        not_intended_for: sentences for the card.
        polarity: polarity of labels in [-1, 1], such as {"joy": 1, "anger": -1}; usual names are known.
        max_tokens: longer texts are cut when they are served.
        storage: of the weight matrices: float32, float16 (half the file) or int8 (a quarter). The network is rounded
            first, so that all figures are of what is shipped; arithmetic stays in 32 bits, so speed does not change.
        behaviour: JSON report of ``evaluate --behaviour``, for the card.
        comparison: JSON report of ``benchmarks/accuracy.py``, for the card.
        known_failures: JSON list of {"text", "expected"}: what the bundle gets wrong, shown with its own answers.
        overwrite: replace a bundle that is already there.
    """

    checkpoint: Path
    _: KW_ONLY
    to: Path
    validation: Path | list[Path] | None = None
    test: Path | list[Path] | None = None
    calibrated: bool = True
    target_accuracy: float = 0.95
    format: Format | None = None
    label_map: dict[str, str | None] | None = None
    name: str = "sentiment"
    version: str = "1"
    description: str = "A sentiment classifier that explains itself token by token."
    intended_use: tuple[str, ...] = INTENDED_USE
    not_intended_for: tuple[str, ...] = NOT_INTENDED_FOR
    polarity: dict[str, float] | None = None
    max_tokens: int = 5000
    storage: Storage = "float32"
    behaviour: Path | None = None
    comparison: Path | None = None
    known_failures: Path | None = None
    overwrite: bool = False


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where something is wrong with what it was given."""
    try:
        options = auto_cli(
            Options,
            args=arguments,
            prog="python -m training export",
            as_positional=True,
            parser_class=ExactParser,
            description=DESCRIPTION,
            formatter_class=Paragraphs,
        )
        export_checkpoint(options, command=shlex.join(["python", "-m", "training", "export", *arguments]))
    except (BundleError, CheckpointError, DataError, EvidenceError, export.ParityError, ExportError) as error:
        # The readers name their options as fit has them; here they stand without the group.
        sys.stderr.write(f"{error}\n".replace("--data.", "--"))
        raise SystemExit(1) from None


def export_checkpoint(options: Options, *, command: str) -> None:
    """Does what ``DESCRIPTION`` says; ``command`` is what the card shows beside the figures."""
    _check(options)
    loaded = load_checkpoint(options.checkpoint)
    validation = _read(_validation_files(options, loaded), options, loaded)
    test = _read(_several(options.test), options, loaded)
    round_weights(loaded.task.network, options.storage)
    graph = build_graph(loaded.task.network, storage=options.storage)
    texts = [example for _, examples in validation for example in examples]
    batches = export.real_batches(loaded.task, texts) if texts else export.random_batches(loaded.task)
    difference = export.check_parity(loaded.task, graph, batches)
    manifest = export.make_manifest(
        loaded.task,
        description=export.Description(
            name=options.name,
            version=options.version,
            text=options.description,
            max_tokens=options.max_tokens,
            intended_use=options.intended_use,
            not_intended_for=options.not_intended_for,
        ),
        calibration=Calibration(temperature=1.0, data=None, rows=0),
        polarities=_polarities(loaded.task.labels, options.polarity or {}),
        training=_training(loaded.origin()),
        libraries=loaded.run.get("libraries", {}),
    )
    files = {bundles.TOKENIZER: loaded.task.tokenizer_json.encode(), bundles.GRAPH: graph}
    model = export.unwritten_model(options.to, manifest, files)
    manifest = _measured(
        manifest,
        validation=[answers(model, examples, data=data) for data, examples in validation],
        test=[answers(model, examples, data=data) for data, examples in test],
        target_accuracy=options.target_accuracy,
        command=command,
    )
    manifest, notes = attached(
        manifest,
        export.unwritten_model(options.to, manifest, files),
        behaviour=options.behaviour,
        comparison=options.comparison,
        known_failures=options.known_failures,
    )
    export.write_bundle(options.to, manifest, files, overwrite=options.overwrite)
    _report(options.to, manifest, difference=difference, notes=notes)


def attached(
    manifest: Manifest,
    model: SentimentModel,
    *,
    behaviour: Path | None,
    comparison: Path | None,
    known_failures: Path | None,
) -> tuple[Manifest, list[str]]:
    """The manifest with what the reports say in place of what it said before, and what a person should know of it."""
    changes: dict[str, Any] = {}
    notes = []
    if behaviour is not None:
        changes["behaviour"] = read_behaviour(behaviour)
    if comparison is not None:
        changes["comparison"] = read_comparison(comparison)
    if known_failures is not None:
        changes["known_failures"], right = read_known_failures(known_failures, model)
        notes = [f"No failure of this bundle, so left out: {text}" for text in right]
    return manifest.model_copy(update=changes), notes


def _measured(
    manifest: Manifest, *, validation: list[Answers], test: list[Answers], target_accuracy: float, command: str
) -> Manifest:
    """Calibration where there is a validation file, then what every file says of the calibrated scores."""
    calibration = manifest.calibration
    if validation:
        calibration = measuring.calibrate(together(validation), target_accuracy=target_accuracy)
    polarities = [label.polarity for label in manifest.labels]
    every = [*validation, *test]
    whole = [together(validation)] if len(validation) > 1 else []
    return manifest.model_copy(
        update={
            "calibration": calibration,
            "metrics": [
                figure
                for file in every
                for figure in measuring.figures(
                    file, temperature=calibration.temperature, polarities=polarities, command=command
                )
            ],
            "risk_coverage": [measuring.abstaining(file, calibration) for file in [*whole, *every]],
        }
    )


def _check(options: Options) -> None:
    """Refuses, before any work, what would be refused after it."""
    if options.to.exists() and not options.overwrite:
        raise BundleError(options.to, "already exists; choose another folder or pass --overwrite=true")
    if not 0 < options.target_accuracy < 1:
        message = f"--target_accuracy is {options.target_accuracy}, but it should lie between 0 and 1, such as 0.95"
        raise ExportError(message)
    if options.behaviour is not None:
        read_behaviour(options.behaviour)
    if options.comparison is not None:
        read_comparison(options.comparison)


def _several(paths: Path | list[Path] | None) -> list[Path]:
    return [] if paths is None else [paths] if isinstance(paths, Path) else paths


def _validation_files(options: Options, loaded: Checkpoint) -> list[Path]:
    if not options.calibrated:
        return []
    own = loaded.data_options["validation"]
    paths = _several(options.validation) or [Path(path) for path in ([own] if isinstance(own, str) else own)]
    for path in paths:
        if not path.is_file():
            message = (
                f"{path}: the validation file is not there. Pass --validation FILE with labelled text, "
                "or --calibrated=false to write a bundle whose scores are not calibrated."
            )
            raise ExportError(message)
    return paths


def _read(paths: Sequence[Path], options: Options, loaded: Checkpoint) -> list[tuple[str, list[Example]]]:
    """Each file's name and content, read as the run read its own unless the options say otherwise."""
    run = loaded.data_options
    names = [short_name(path) for path in paths]
    if len(set(names)) < len(names):
        message = f"the files {', '.join(names)} need different names, or nobody could tell their figures apart"
        raise ExportError(message)
    given = {"format": options.format, "label_map": options.label_map}
    reading = run | {name: value for name, value in given.items() if value is not None}
    known = loaded.task.labels
    return [
        (name, read_labelled(path, reading, allowed_labels=known, bad_rows=LeftOut(run["on_bad_row"])))
        for name, path in zip(names, paths, strict=True)
    ]


def _polarities(labels: list[str], given: dict[str, float]) -> dict[str, float | None]:
    unknown = sorted(set(given) - set(labels))
    if unknown:
        message = f"--polarity names {unknown}, but the model's labels are {labels}"
        raise ExportError(message)
    return {**default_polarities(labels), **given}


def _training(origin: Mapping[str, Any]) -> Training:
    """Where weights come from, and those that they began with."""
    machine, earlier = origin.get("machine"), origin.get("began_with")
    return Training(
        command=origin.get("command"),
        files=[TrainingFile(name=file["name"], rows=file["rows"], sha256=file["sha256"]) for file in origin["files"]],
        epochs=origin["epochs"],
        seed=origin.get("seed"),
        sources=origin["sources"],
        seconds=origin.get("seconds"),
        machine=None if machine is None else Machine(**machine),
        began_with=None if earlier is None else _training(earlier),
    )


def _report(folder: Path, manifest: Manifest, *, difference: float, notes: Sequence[str]) -> None:
    console = Console(stderr=True)
    temperature = manifest.calibration.temperature
    console.print(f"Wrote {folder}: equals the network to {difference:.1e}, temperature {temperature:.3f}.")
    for metric in manifest.metrics:
        console.print(f"  {metric.data}: {metric.metric.replace('_', ' ')} {metric.value:.2%} of {metric.rows:,} texts")
    for file in manifest.risk_coverage:
        if file.confident is not None and file.confident.accuracy is not None:
            kept = file.confident
            console.print(f"  {file.data}: {kept.coverage:.2%} confident, {kept.accuracy:.2%} of those right")
    if manifest.calibration.target_accuracy is not None and manifest.calibration.threshold is None:
        console.print(f"  No answer is confident: nothing reached {manifest.calibration.target_accuracy:.2%}.")
    for note in notes:
        console.print(f"  {note}", markup=False)
    size = sum(path.stat().st_size for path in folder.iterdir())
    console.print(f"  {size / 1e6:.1f} MB; look at it with: python -m model_store show {folder}")
