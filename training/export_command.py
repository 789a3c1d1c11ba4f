"""``python -m training export``: a checkpoint becomes a bundle."""

import sys
from pathlib import Path
from typing import Any

from jsonargparse import auto_cli
from rich.console import Console

from model_store import BundleError
from model_store.manifest import Calibration, Training, TrainingFile
from training import export
from training.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.data.examples import BadRows, DataError, Example
from training.data.module import short_name
from training.data.readers import read_examples
from training.exact_options import ExactParser
from training.onnx_graph import build_graph
from training.weight_storage import Storage, round_weights


def main(arguments: list[str]) -> None:
    """Runs the command; exits with 1 and a plain message where something is wrong with what it was given."""
    try:
        auto_cli(
            export_checkpoint,
            args=arguments,
            prog="python -m training export",
            as_positional=True,
            parser_class=ExactParser,
            description=None,  # the function's own
        )
    except (BundleError, CheckpointError, DataError, export.ParityError, ExportError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


class ExportError(ValueError):
    """The command was asked for something it cannot do; the message says what to pass."""


def export_checkpoint(
    checkpoint: Path,
    *,
    to: Path,
    validation: Path | None = None,
    test: list[Path] | None = None,
    calibrated: bool = True,
    name: str = "sentiment",
    version: str = "1",
    description: str = "A sentiment classifier that explains itself token by token.",
    polarity: dict[str, float] | None = None,
    max_tokens: int = 5000,
    storage: Storage = "float32",
    overwrite: bool = False,
) -> None:
    """Calibrates a checkpoint, proves the ONNX graph equal to the network, and writes a bundle with its card.

    Args:
        checkpoint: what ``fit`` wrote, such as runs/sample/checkpoints/best.ckpt.
        to: the bundle's folder.
        validation: labelled file for calibration and the parity check; by default the run's own validation file.
        test: further labelled files whose figures go into the card.
        calibrated: pass false where no labelled text is at hand; scores then keep temperature 1.
        name: the model's name in answers: lower-case letters, digits, dots, dashes.
        version: the model's version in answers.
        description: one sentence for the card.
        polarity: polarity of labels in [-1, 1], such as {"joy": 1, "anger": -1}; usual names are known.
        max_tokens: longer texts are cut when they are served.
        storage: of the weight matrices: float32, float16 (half the file) or int8 (a quarter). The network is rounded
            first, so that all figures are of what is shipped; arithmetic stays in 32 bits, so speed does not change.
        overwrite: replace a bundle that is already there.
    """
    console = Console(stderr=True)
    loaded = load_checkpoint(checkpoint)
    if to.exists() and not overwrite:
        raise BundleError(to, "already exists; choose another folder or pass --overwrite=true")
    round_weights(loaded.task.network, storage)
    measured_on = _labelled(loaded, validation=validation, test=test or [], calibrated=calibrated)
    if calibrated:
        data, examples = next(iter(measured_on.items()))
        calibration = export.calibrate(loaded.task, examples, data=data)
        batches = export.real_batches(loaded.task, examples)
    else:
        calibration = Calibration(temperature=1.0, data=None, rows=0)
        batches = export.random_batches(loaded.task)
    graph = build_graph(loaded.task.network, storage=storage)
    difference = export.check_parity(loaded.task, graph, batches)
    manifest = export.make_manifest(
        loaded.task,
        description=export.Description(name=name, version=version, text=description, max_tokens=max_tokens),
        calibration=calibration,
        polarities=_polarities(loaded.task.labels, polarity or {}),
        training=_training(loaded),
        libraries=loaded.run.get("libraries", {}),
    )
    complete = export.write_bundle(to, manifest, loaded.task, graph=graph, measured_on=measured_on, overwrite=overwrite)
    console.print(f"Wrote {to}: equals the network to {difference:.1e}, temperature {calibration.temperature:.3f}.")
    for metric in complete.metrics:
        console.print(f"  {metric.data}: {metric.metric.replace('_', ' ')} {metric.value:.2%} of {metric.rows:,} texts")
    size = sum(path.stat().st_size for path in to.iterdir())
    console.print(f"  {size / 1e6:.1f} MB; look at it with: python -m model_store show {to}")


def _labelled(
    loaded: Checkpoint, *, validation: Path | None, test: list[Path], calibrated: bool
) -> dict[str, list[Example]]:
    """The files to measure on by name, the validation file first."""
    options = loaded.data_options
    paths = [validation or Path(options["validation"]), *test] if calibrated else test
    if calibrated and not paths[0].is_file():
        message = (
            f"{paths[0]}: the validation file is not there. Pass --validation FILE with labelled text, "
            "or --calibrated=false to write a bundle whose scores are not calibrated."
        )
        raise ExportError(message)
    return {short_name(path): _read(path, options, loaded.task.labels) for path in paths}


def _read(path: Path, options: dict[str, Any], labels: list[str]) -> list[Example]:
    return list(
        read_examples(
            path,
            format=options["format"],
            text_column=options["text_column"],
            label_column=options["label_column"],
            ptb_tokens=options["ptb_tokens"],
            label_map=options["label_map"],
            allowed_labels=labels,
            bad_rows=BadRows(options["on_bad_row"]),
        )
    )


def _polarities(labels: list[str], given: dict[str, float]) -> dict[str, float | None]:
    unknown = sorted(set(given) - set(labels))
    if unknown:
        message = f"--polarity names {unknown}, but the model's labels are {labels}"
        raise ExportError(message)
    return {**export.default_polarities(labels), **given}


def _training(loaded: Checkpoint) -> Training:
    return Training(
        command=loaded.run.get("command"),
        files=[TrainingFile(name=file["name"], rows=file["rows"], sha256=file["sha256"]) for file in loaded.files],
        epochs=loaded.epochs,
        seed=loaded.run.get("seed"),
        sources=loaded.data_options["sources"],
    )
