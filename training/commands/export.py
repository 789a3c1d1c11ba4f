"""``python -m training export``: a checkpoint becomes a bundle. Its options: ``export_options``."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli
from rich.console import Console

from model_store import BundleError
from model_store import bundle as bundles
from model_store.manifest import Calibration, Machine, Manifest, Training, TrainingFile
from training.commands.export_options import DESCRIPTION, ExportError, Options, check
from training.commands.parser import ExactParser, Paragraphs
from training.data.examples import DataError, Example, LeftOut
from training.data.labelled import read_labelled
from training.data.module import short_name
from training.evaluation import measurements
from training.evaluation.polarity import default_polarities
from training.evaluation.predictions import Answers, answers, together
from training.export import bundle as export
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights
from training.export.reports import EvidenceError, attach_reports
from training.export.vocabulary_pruning import VocabularyError, prune_vocabulary
from training.fit.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.fit.task import SentimentTask
from training.network.validation import OptionError

EXPECTED = (
    BundleError,
    CheckpointError,
    DataError,
    EvidenceError,
    export.ParityError,
    ExportError,
    OptionError,
    VocabularyError,
)
"""What is wrong with what the command was given, not with the command."""


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
    except EXPECTED as error:
        # The readers name their options as fit has them; here they stand without the group.
        sys.stderr.write(f"{error}\n".replace("--data.", "--"))
        raise SystemExit(1) from None


def export_checkpoint(options: Options, *, command: str) -> None:
    """Does what ``DESCRIPTION`` says; ``command`` is what the card shows beside the figures."""
    check(options)
    loaded = load_checkpoint(options.checkpoint)
    validation = _read(_validation_files(options, loaded), options, loaded)
    test = _read(_several(options.test), options, loaded)
    left_out = 0
    if options.min_count:
        left_out = prune_vocabulary(loaded, min_count=options.min_count, files=_several(options.counted))
    quantize_weights(loaded.task.network, options.storage, arithmetic=options.arithmetic)
    texts = [example for _, examples in validation for example in examples]
    graph, proof = _proven(loaded.task, options, texts)
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
        arithmetic=options.arithmetic,
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
    manifest, notes = attach_reports(
        manifest,
        export.unwritten_model(options.to, manifest, files),
        behaviour=options.behaviour,
        comparison=options.comparison,
        known_failures=options.known_failures,
    )
    export.write_bundle(options.to, manifest, files, overwrite=options.overwrite)
    _report(options.to, manifest, proof=proof, left_out=left_out, notes=notes)


def _proven(task: SentimentTask, options: Options, texts: Sequence[Example]) -> tuple[bytes, str]:
    """The graph, and in words how near the network it is."""
    batches = export.real_batches(task, texts) if texts else export.random_batches(task)
    if options.arithmetic == "float32":
        graph = build_graph(task.network, storage=options.storage)
        return graph, f"equals the network to {export.check_parity(task, graph, batches):.1e}"
    difference = export.check_parity(task, build_graph(task.network), batches)
    graph = build_graph(task.network, storage=options.storage, arithmetic=options.arithmetic)
    changed = export.check_rounding(task, graph, batches)
    in_words = f"in 32 bits equals the network to {difference:.1e}, in 8 changes a probability by {changed:.3f} at most"
    return graph, in_words


def _measured(
    manifest: Manifest, *, validation: list[Answers], test: list[Answers], target_accuracy: float, command: str
) -> Manifest:
    """Calibration where there is a validation file, then what every file says of the calibrated scores."""
    calibration = manifest.calibration
    if validation:
        calibration = measurements.calibrate(together(validation), target_accuracy=target_accuracy)
    polarities = [label.polarity for label in manifest.labels]
    every = [*validation, *test]
    whole = [together(validation)] if len(validation) > 1 else []
    return manifest.model_copy(
        update={
            "calibration": calibration,
            "metrics": [
                figure
                for file in every
                for figure in measurements.figures(
                    file, temperature=calibration.temperature, polarities=polarities, command=command
                )
            ],
            "risk_coverage": [measurements.abstaining(file, calibration) for file in [*whole, *every]],
        }
    )


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


def _report(folder: Path, manifest: Manifest, *, proof: str, left_out: int, notes: Sequence[str]) -> None:
    console = Console(stderr=True)
    console.print(f"Wrote {folder}: {proof}; temperature {manifest.calibration.temperature:.3f}.")
    if left_out:
        console.print(f"  Left out {left_out:,} rare tokens; {manifest.tokenizer.vocabulary_size:,} stay.")
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
