"""What ``python -m training export`` does; ``export_options`` has its options and starts it."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from model_store import BundleError, Evaluation, SentimentModel
from model_store import bundle as bundles
from model_store.drift import TooFewTextsError, measure_reference
from model_store.manifest import Machine, Manifest, Training, TrainingFile
from model_store.plain_console import plain_console
from model_store.progress import track
from training.commands.card import CardOptions, write_card
from training.commands.export_options import ExportOptions, check
from training.commands.parser import UsageError
from training.data.examples import DataError, Example
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import short_name
from training.evaluation.polarity import default_polarities
from training.evaluation.predictions import concatenate, predict_file
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
from training.export.calibration import calibrate_on_files
from training.export.onnx_graph import build_graph
from training.export.quantization import quantize_weights
from training.export.reports import EvidenceError, attach_measurements
from training.export.vocabulary_pruning import VocabularyError, prune_vocabulary
from training.fit.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.fit.task import SentimentTask
from training.network.validation import OptionError

ERRORS = (BundleError, CheckpointError, DataError, EvidenceError, OptionError, ParityError, VocabularyError)


def export(options: ExportOptions, *, command: str) -> None:
    """Export a checkpoint; see ``DESCRIPTION``. ``command`` is shown on the card next to the measurements."""
    check(options)
    loaded = load_checkpoint(options.checkpoint)
    validation = _read(_validation_files(options, loaded), options, loaded)
    test = _read(_several(options.test), options, loaded)
    pruned = 0
    if options.min_count:
        pruned = prune_vocabulary(loaded, min_count=options.min_count, files=_several(options.counted))
    quantize_weights(loaded.task.network, options.storage, arithmetic=options.arithmetic)
    texts = [example for _, examples in validation for example in examples]
    graph, proof = _proven(loaded.task, options, texts)
    labels = loaded.task.labels
    files = {bundles.TOKENIZER: loaded.task.tokenizer_json.encode(), bundles.GRAPH: graph}
    description = Description(
        name=options.name,
        version=options.version,
        text=options.description,
        max_tokens=options.max_tokens,
        arithmetic=options.arithmetic,
    )
    runner = make_runner(files, description=description, folder=options.to)
    calibrated = calibrate_on_files(
        runner,
        validation,
        labels=labels,
        multi_label=loaded.task.multi_label,
        target_accuracy=options.target_accuracy,
    )
    calibration, validated = calibrated.calibration, calibrated.predictions
    tested = [predict_file(runner, examples, labels=labels, data=data) for data, examples in test]
    manifest = make_manifest(
        loaded.task,
        description=description,
        calibration=calibration,
        multi_label=calibrated.multi_label,
        polarities=_polarities(loaded.task, options.polarity or {}),
        training=_training(loaded.origin()),
        libraries=loaded.run.get("libraries", {}),
        files=files,
    )
    several = len(validated) > 1 and not loaded.task.multi_label
    evaluation = Evaluation(
        intended_use=list(options.intended_use),
        not_intended_for=list(options.not_intended_for),
        risk_coverage=[risk_coverage(concatenate(validated), calibration)] if several else [],
    )
    for file in [*validated, *tested]:
        evaluation = attach_measurements(evaluation, manifest, file, command=command)
    bundles.write(options.to, manifest, files, evaluation=evaluation, overwrite=options.overwrite)
    _attach_reference(options.to, texts, data=" + ".join(name for name, _ in validation))
    _report(options.to, manifest, evaluation, proof=proof, pruned=pruned)
    if options.reports:
        write_card(CardOptions(str(options.to), reports=options.reports), command=command)


def _attach_reference(folder: Path, examples: Sequence[Example], *, data: str) -> None:
    """Let the bundle say what it makes of its validation texts, so that a service sees when others differ.

    Too few texts tell nothing, and the bundle has no reference then.
    """
    content = bundles.read(folder)
    texts = track([example.text for example in examples], f"Measuring what drift is seen against on {data}")
    try:
        reference = measure_reference(SentimentModel(content), texts, data=data)
    except TooFewTextsError:
        return
    bundles.rewrite(content, evaluation=content.evaluation.replace(reference=reference))


def _proven(task: SentimentTask, options: ExportOptions, texts: Sequence[Example]) -> tuple[bytes, str]:
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


def _several(paths: Path | list[Path] | None) -> list[Path]:
    return [] if paths is None else [paths] if isinstance(paths, Path) else paths


def _validation_files(options: ExportOptions, loaded: Checkpoint) -> list[Path]:
    if not options.calibrate:
        return []
    own = loaded.data_options["validation"]
    paths = _several(options.validation) or [Path(path) for path in ([own] if isinstance(own, str) else own)]
    for path in paths:
        if not path.is_file():
            raise DataError(
                path,
                None,
                problem="the validation file is not there.",
                fix="Pass --validation FILE with labeled text, or --no_calibrate to keep scores uncalibrated.",
            )
    return paths


def _read(paths: Sequence[Path], options: ExportOptions, loaded: Checkpoint) -> list[tuple[str, list[Example]]]:
    """Name and content of each file, read with the run's options unless others are given."""
    run = loaded.data_options
    names = [short_name(path) for path in paths]
    if len(set(names)) < len(names):
        message = f"the files {', '.join(names)} need different names, so that the card can tell them apart"
        raise UsageError(message)
    reading = ReadingOptions.among(run, format=options.format, label_map=options.label_map, trees="root")
    known = loaded.task.labels
    return [
        (name, list(read_examples(path, reading, allowed_labels=known)))
        for name, path in zip(names, paths, strict=True)
    ]


def _polarities(task: SentimentTask, chosen: dict[str, float]) -> dict[str, float | None]:
    labels = task.labels
    unknown = sorted(set(chosen) - set(labels))
    if unknown:
        message = f"--polarity names {unknown}, but the model's labels are {labels}"
        raise UsageError(message)
    if task.multi_label:
        if chosen:
            message = "--polarity is for models that give one label a text; a multi-label answer has no polarity"
            raise UsageError(message)
        return dict.fromkeys(labels)
    return {**default_polarities(labels), **chosen}


def _training(origin: Mapping[str, Any]) -> Training:
    """The training of the weights, and that of the weights they started from."""
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


def _report(folder: Path, manifest: Manifest, evaluation: Evaluation, *, proof: str, pruned: int) -> None:
    console = plain_console(stderr=True)
    console.print(f"Wrote {folder}: {proof}; temperature {manifest.calibration.temperature:.3f}.")
    if pruned:
        console.print(f"  Left out {pruned:,} rare tokens; {manifest.tokenizer.vocabulary_size:,} stay.")
    for metric in evaluation.metrics:
        console.print(f"  {metric.data}: {metric.metric.replace('_', ' ')} {metric.value:.2%} of {metric.rows:,} texts")
    for file in evaluation.risk_coverage:
        if file.confident is not None and file.confident.accuracy is not None:
            point = file.confident
            console.print(f"  {file.data}: {point.coverage:.2%} confident, {point.accuracy:.2%} of those right")
    if manifest.calibration.target_accuracy is not None and manifest.calibration.threshold is None:
        console.print(f"  No answer is confident: nothing reached {manifest.calibration.target_accuracy:.2%}.")
    size = sum(path.stat().st_size for path in folder.iterdir())
    console.print(f"  {size / 1e6:.1f} MB; look at it with: python -m model_store show {shlex.quote(str(folder))}")
