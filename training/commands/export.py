"""``python -m training export``: a checkpoint becomes a bundle. Its options: ``export_options``."""

import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli
from rich.console import Console

from model_store import BundleError, Evaluation, GraphRunner
from model_store import bundle as bundles
from model_store.evaluation import Measurement, RiskCoverage
from model_store.manifest import Calibration, Machine, Manifest, Training, TrainingFile
from training.commands.card import Options as CardOptions
from training.commands.card import write_card
from training.commands.export_options import DESCRIPTION, ExportError, Options, check
from training.commands.parser import ExactParser, Paragraphs
from training.data.examples import DataError, Example, LeftOut
from training.data.labelled import read_labelled
from training.data.module import short_name
from training.evaluation.calibration import calibrate
from training.evaluation.metrics import measurements
from training.evaluation.polarity import default_polarities
from training.evaluation.predictions import Predictions, concatenate, predict_file
from training.evaluation.selective import risk_coverage
from training.export.bundle import (
    Description,
    ParityError,
    check_parity,
    check_rounding,
    make_manifest,
    make_runner,
    random_batches,
    real_batches,
)
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights
from training.export.reports import EvidenceError
from training.export.vocabulary_pruning import VocabularyError, prune_vocabulary
from training.fit.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.fit.task import SentimentTask
from training.network.validation import OptionError

EXPECTED = (
    BundleError,
    CheckpointError,
    DataError,
    EvidenceError,
    ParityError,
    ExportError,
    OptionError,
    VocabularyError,
)
"""What is wrong with what the command was given, not with the command."""

UNKNOWN_TEXTS = 1000
"""Validation texts, at about equal distances, with which the limit on unknown tokens is chosen."""


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
    files = {bundles.TOKENIZER: loaded.task.tokenizer_json.encode(), bundles.GRAPH: graph}
    description = Description(
        name=options.name,
        version=options.version,
        text=options.description,
        max_tokens=options.max_tokens,
        arithmetic=options.arithmetic,
    )
    runner = make_runner(files, description=description, folder=options.to)
    calibration, validated = _calibrated(runner, validation, loaded.task.labels, options.target_accuracy)
    manifest = make_manifest(
        loaded.task,
        description=description,
        calibration=calibration,
        polarities=_polarities(loaded.task.labels, options.polarity or {}),
        training=_training(loaded.origin()),
        libraries=loaded.run.get("libraries", {}),
        files=files,
    )
    tested = [predict_file(runner, examples, labels=loaded.task.labels, data=data) for data, examples in test]
    evaluation = Evaluation(
        intended_use=list(options.intended_use),
        not_intended_for=list(options.not_intended_for),
        metrics=_metrics([*validated, *tested], manifest, command=command),
        risk_coverage=_risk_coverage(validated, tested, calibration),
    )
    bundles.write(options.to, manifest, files, evaluation=evaluation, overwrite=options.overwrite)
    _report(options.to, manifest, evaluation, proof=proof, left_out=left_out)
    if options.behaviour or options.comparison or options.known_failures:
        reports = {name: getattr(options, name) for name in ("behaviour", "comparison", "known_failures")}
        write_card(CardOptions(str(options.to), **reports), command=command)


def _proven(task: SentimentTask, options: Options, texts: Sequence[Example]) -> tuple[bytes, str]:
    """The graph, and in words how near the network it is."""
    batches = real_batches(task, texts) if texts else random_batches(task)
    if options.arithmetic == "float32":
        graph = build_graph(task.network, storage=options.storage)
        return graph, f"equals the network to {check_parity(task, graph, batches):.1e}"
    difference = check_parity(task, build_graph(task.network), batches)
    graph = build_graph(task.network, storage=options.storage, arithmetic=options.arithmetic)
    changed = check_rounding(task, graph, batches)
    in_words = f"in 32 bits equals the network to {difference:.1e}, in 8 changes a probability by {changed:.3f} at most"
    return graph, in_words


def _calibrated(
    runner: GraphRunner, files: Sequence[tuple[str, list[Example]]], labels: Sequence[str], target_accuracy: float
) -> tuple[Calibration, list[Predictions]]:
    """The calibration on all validation files together, and the predictions for each."""

    def predict(made_unknown: float = 0.0, stride: int = 1) -> list[Predictions]:
        return [
            predict_file(runner, examples[::stride], labels=labels, data=data, made_unknown=made_unknown)
            for data, examples in files
        ]

    if not files:
        return Calibration(temperature=1.0, data=None, rows=0), []
    predictions = predict()
    stride = math.ceil(sum(len(examples) for _, examples in files) / UNKNOWN_TEXTS)
    calibration = calibrate(
        concatenate(predictions),
        target_accuracy=target_accuracy,
        predict_unknown=lambda share: concatenate(predict(share, stride)),
    )
    return calibration, predictions


def _metrics(files: Sequence[Predictions], manifest: Manifest, *, command: str) -> list[Measurement]:
    temperature, polarities = manifest.calibration.temperature, [label.polarity for label in manifest.labels]
    return [
        metric
        for file in files
        for metric in measurements(
            file.outcomes(temperature=temperature, polarities=polarities), data=file.data, command=command
        )
    ]


def _risk_coverage(
    validation: Sequence[Predictions], test: Sequence[Predictions], calibration: Calibration
) -> list[RiskCoverage]:
    """Of all validation files together, if there are several, then of each file."""
    whole = [concatenate(validation)] if len(validation) > 1 else []
    return [risk_coverage(file, calibration) for file in [*whole, *validation, *test]]


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
        initialized_from=None if earlier is None else _training(earlier),
    )


def _report(folder: Path, manifest: Manifest, evaluation: Evaluation, *, proof: str, left_out: int) -> None:
    console = Console(stderr=True)
    console.print(f"Wrote {folder}: {proof}; temperature {manifest.calibration.temperature:.3f}.")
    if left_out:
        console.print(f"  Left out {left_out:,} rare tokens; {manifest.tokenizer.vocabulary_size:,} stay.")
    for metric in evaluation.metrics:
        console.print(f"  {metric.data}: {metric.metric.replace('_', ' ')} {metric.value:.2%} of {metric.rows:,} texts")
    for file in evaluation.risk_coverage:
        if file.confident is not None and file.confident.accuracy is not None:
            kept = file.confident
            console.print(f"  {file.data}: {kept.coverage:.2%} confident, {kept.accuracy:.2%} of those right")
    if manifest.calibration.target_accuracy is not None and manifest.calibration.threshold is None:
        console.print(f"  No answer is confident: nothing reached {manifest.calibration.target_accuracy:.2%}.")
    size = sum(path.stat().st_size for path in folder.iterdir())
    console.print(f"  {size / 1e6:.1f} MB; look at it with: python -m model_store show {folder}")
