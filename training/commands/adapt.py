"""What ``python -m training adapt`` does; ``adapt_options`` starts it."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from model_store import BundleError
from model_store import bundle as bundles
from model_store.atomic_write import atomic_write, write_json
from model_store.bundle import Bundle
from model_store.hashing import file_sha256
from model_store.plain_console import plain_console
from training.adaptation import report as reports
from training.adaptation.fit_config import fit_config
from training.adaptation.measuring import measure
from training.adaptation.options import AdaptOptions
from training.adaptation.parts import read_parts, unlabeled, write_parts
from training.adaptation.plan import TEACHER_BATCH_SIZE, TEACHER_LEARNING_RATE, Plan
from training.adaptation.report import AdaptationReport
from training.commands.adapt_options import RUN
from training.commands.distill import score
from training.commands.distill import teacher as fine_tune_teacher
from training.commands.export import ERRORS as EXPORT_ERRORS
from training.commands.export import export
from training.commands.export_options import ExportOptions
from training.commands.fit import fit
from training.data.readers import ReadingOptions
from training.data.splitting import write_json_lines
from training.distillation.scoring import ScoringError
from training.distillation.teacher import TeacherError
from training.evaluation.polarity import default_polarities
from training.export.bundle import ROUNDING, RoundingError
from training.export.read_back import storage_of
from training.fit.callbacks.resume import EXIT_CODE, INTERRUPTED, LAST
from training.fit.run_files import CHECKPOINTS, CURVES, METRICS

DECISIVE = ("weights", "epochs", "learning_rate", "layer_decay", "seed", "name", "teacher", "bfloat16")
"""Options that change the model, in addition to the files and how they are read."""

ERRORS = (*EXPORT_ERRORS, ScoringError, TeacherError)


def adapt(options: AdaptOptions, *, command: str) -> AdaptationReport:
    """Adapt a bundle; see ``DESCRIPTION``. ``command`` is shown on the card next to the measurements.

    Raises:
        BundleError: the bundle to begin with cannot be used, or another is in the way.
        DataError: a file cannot be used, or a label has too few texts.
    """
    console = plain_console(stderr=True)
    source = bundles.read(bundles.resolve(options.from_))
    parts, notes = read_parts(options)
    plan = Plan.of(
        len(parts.train),
        validation=len(parts.validation),
        multi_label=options.reading.multi_label,
        taught=options.teacher is not None,
    )
    is_fresh = _begin(options, source)
    files = write_parts(options.folder / "data", parts)
    counts = parts.counts
    console.print("Labels: " + ", ".join(f"{label} ({counts[label]:,})" for label in parts.labels))
    run = options.folder / "fit"
    if not _is_fitted(run):
        learned = [files["train"]] if options.teacher is None else _distill(options, plan, files)
        _fit(options, plan, files, run, learned=learned, labels=parts.labels, resume=not is_fresh)
    if not options.to.exists() or is_fresh:
        _export(options, plan, source, files, run, labels=parts.labels, command=command)
    report = measure(options, plan, source, parts, notes=notes)
    page = reports.write(report, options.folder, curves=run / CURVES)
    _print(report, page)
    return report


def _begin(options: AdaptOptions, source: Bundle) -> bool:
    """Record what is asked for; whether it is asked for the first time.

    Raises:
        BundleError: the folder holds another adaptation.
    """
    files = {part: getattr(options, part) for part in ("train", "validation", "test", "unlabelled")}
    record = {
        "source": source.sha256,
        "files": {part: file_sha256(path) for part, path in files.items() if path is not None},
        "reading": asdict(options.reading),
        "options": {name: getattr(options, name) for name in DECISIVE},
        "to": str(options.to),
    }
    path = options.folder / RUN
    earlier = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    if earlier == record and not options.overwrite:
        return False
    if earlier is not None and not options.overwrite:
        raise BundleError(options.folder, "holds another adaptation; pass another --run_folder, or --overwrite")
    for made in ("fit", "teacher", "scores"):
        shutil.rmtree(options.folder / made, ignore_errors=True)
    write_json(path, record)
    return True


def _is_fitted(run: Path) -> bool:
    path = run / METRICS
    return path.is_file() and json.loads(path.read_text(encoding="utf-8"))["finished"] is True


def _distill(options: AdaptOptions, plan: Plan, files: dict[str, Path]) -> list[Path]:
    """Fine-tune the teacher and let it score the training texts and the unlabeled ones; what is done is kept.

    Returns:
        The files of scores, which the model learns from.
    """
    parts = {"train": files["train"]}
    if options.unlabelled is not None:
        parts["unlabelled"] = options.folder / "data" / "unlabelled.jsonl"
    scored = {part: options.folder / "scores" / f"{part}.parquet" for part in parts}
    if all(path.is_file() for path in scored.values()):
        return list(scored.values())
    if options.unlabelled is not None:
        write_json_lines(parts["unlabelled"], unlabeled(options, files))
    written = ReadingOptions(format="jsonl")
    folder = options.folder / "teacher"
    fine_tune_teacher(
        str(options.teacher),
        train=str(files["train"]),
        validation=str(files["validation"]),
        to=folder,
        reading=written,
        epochs=plan.teacher_epochs,
        batch_size=TEACHER_BATCH_SIZE,
        learning_rate=TEACHER_LEARNING_RATE,
        precision="bf16-mixed" if options.bfloat16 else "32",
        seed=options.seed,
    )
    for part, path in parts.items():
        if not scored[part].is_file():
            score(
                str(folder),
                str(path),
                to=scored[part],
                labelled=part == "train",
                reading=written,
                bfloat16=options.bfloat16,
                seed=options.seed,
            )
    return list(scored.values())


def _fit(
    options: AdaptOptions,
    plan: Plan,
    files: dict[str, Path],
    run: Path,
    *,
    learned: Sequence[Path],
    labels: list[str],
    resume: bool,
) -> None:
    """Train, from the last checkpoint if there is one."""
    config = options.folder / "fit.yaml"
    content = fit_config(options, plan, learned, files["validation"], run, labels=labels)
    atomic_write(config, yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode())
    arguments = ["--config", str(config), "--start_from", options.from_, "--new_head"]
    if resume and (run / CHECKPOINTS / LAST).is_file():
        arguments.append("--ckpt_path=last")
    else:
        arguments.append("--overwrite")
    try:
        fit(arguments, command="adapt")
    except SystemExit as end:
        if end.code in {EXIT_CODE, INTERRUPTED}:
            plain_console(stderr=True).print("To resume the adaptation, give the same command again.")
        raise


def _export(
    options: AdaptOptions,
    plan: Plan,
    source: Bundle,
    files: dict[str, Path],
    run: Path,
    *,
    labels: list[str],
    command: str,
) -> None:
    """Export with storage, arithmetic and limits of the source, and the polarities of labels that it has too.

    If 8-bit arithmetic would change what was learned too much, the bundle computes in 32 bits.
    """
    known = {label.name: label.polarity for label in source.manifest.labels if label.polarity is not None}
    default = dict.fromkeys(labels) if options.reading.multi_label else default_polarities(labels)
    to_export = ExportOptions(
        run / CHECKPOINTS / "best.ckpt",
        to=options.to,
        calibrate=plan.calibrates,
        test=files.get("test"),
        name=options.model_name,
        description=f"Adapted from {source.manifest.name} {source.manifest.version} to the labels {', '.join(labels)}.",
        polarity={label: known[label] for label in labels if label in known and default[label] is not None},
        max_tokens=source.manifest.limits.max_tokens,
        storage=storage_of(source),
        arithmetic=source.manifest.arithmetic,
        overwrite=options.to.exists(),
    )
    try:
        export(to_export, command=command)
    except RoundingError:
        plain_console(stderr=True).print(
            "Computing in 8 bits would change a probability by more than "
            f"{ROUNDING}: the bundle computes in 32 bits, and a text takes it about twice as long."
        )
        export(replace(to_export, arithmetic="float32"), command=command)


def _print(report: AdaptationReport, page: Path) -> None:
    console = plain_console()
    console.print(f"\nOn {report.rows[report.measured_on]:,} {report.measured_on} texts:")
    for system in report.systems:
        if system.figures is None:
            console.print(f"  {system.name}: {system.note}")
            continue
        headline = list(report.metrics.items())[:2]
        shown = ", ".join(f"{title} {system.figures[name].value:.2%}" for name, title in headline)
        console.print(f"  {system.name}: {shown}")
    console.print(f"Report: {page}", soft_wrap=True)
    for title, command in report.commands.items():
        console.print(f"{title}: {command}", soft_wrap=True)
