"""``python -m training adapt``: from a bundle and a labeled file to a bundle with that file's labels, and a report."""

import json
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from tokenizers import Tokenizer

from model_store import BundleError
from model_store import bundle as bundles
from model_store.atomic_write import atomic_write, write_json
from model_store.bundle import Bundle
from model_store.hashing import file_sha256
from model_store.plain_console import plain_console
from training.adaptation import report as reports
from training.adaptation.baselines import linear_scores, majority_scores
from training.adaptation.label_errors import Suspicion, likely_label_errors
from training.adaptation.plan import Plan, validation_share
from training.adaptation.report import AdaptationReport, System
from training.commands.distill import ERRORS as DISTILL_ERRORS
from training.commands.distill import score
from training.commands.distill import teacher as fine_tune_teacher
from training.commands.export import ERRORS as EXPORT_ERRORS
from training.commands.export import export
from training.commands.export_options import NAME, ExportOptions
from training.commands.fit import fit
from training.commands.parser import UsageError, parse, plain_errors
from training.data import tokenization
from training.data.examples import DataError, Example, SkippedRows
from training.data.leakage import LeakageFilter, drop_leaks, skipped_leaks
from training.data.readers import ReadingOptions, read_examples, unit_of
from training.data.splitting import hold_out, write_json_lines
from training.data.tokenized import TokenizedExamples
from training.distillation.texts import read_texts
from training.evaluation import metrics
from training.evaluation.metrics import Scores
from training.evaluation.polarity import default_polarities
from training.evaluation.scorer import load_scorer
from training.export.read_back import network_options, read_back, storage_of
from training.fit.callbacks.resume import EXIT_CODE, INTERRUPTED, LAST
from training.fit.callbacks.run_record import CURVES, METRICS
from training.fit.run_folder import CHECKPOINTS
from training.fit.task import ClassWeights, SentimentTask
from training.fit.warm_start import start_from

DESCRIPTION = """\
Adapts a bundle to your texts and labels, and writes a new bundle and a report.

  python -m training adapt --train my.csv --to my-model
  python -m training adapt --train tickets.csv --test new-tickets.csv --to my-model --label_column urgency

The labels are those of the file; they need not be of sentiment. A label that the bundle has too keeps what it knows.
Without --validation a part of the texts is held out: the labels in equal proportions, near-duplicates on one side. The
head is trained first, then everything, lower layers more slowly. With 1,000 validation texts or more the best epoch is
kept, and with more than 10 epochs training stops early. A few examples a label are enough to begin with; the report
says how good the model is and where it is wrong.

With --teacher a transformer is fine-tuned on the same texts and scores them and those of --unlabelled, and the model
learns from labels and scores together.

Everything else is written to --run_folder: the parts, the run, report.html and report.json. A stopped adaptation
resumes if the same command is given again.
"""

RUN = "adapt.json"
"""In the run folder: what the adaptation was asked for, to tell whether it is the same one."""

DECISIVE = ("class_weights", "epochs", "learning_rate", "layer_decay", "seed", "name", "teacher")
"""Options that change the model, in addition to the files and how they are read."""

FEW_EPOCHS = 10
"""Up to so many epochs nothing stops early: under the one-cycle schedule the last ones, in which the rate comes down,
are the best, and the middle ones often worse than the first."""

STEPS_BETWEEN_CHECKPOINTS = 100


@dataclass(frozen=True)
class AdaptOptions:
    """Options of an adaptation.

    Args:
        train: labeled file.
        to: the new bundle's folder.
        from_: the bundle to begin with: a folder, or default.
        validation: labeled file that chooses the epoch and calibrates; by default a part of the training file.
        test: labeled file on which before and after are compared; without it the report uses the validation texts.
        unlabelled: file of further texts without labels; the new model learns from the teacher's scores of them.
        teacher: a Hugging Face transformer's folder. It is fine-tuned on the training texts and scores all texts.
        reading: how these files are read.
        class_weights: balanced counts all labels alike, however rare; none counts all texts alike.
        epochs: passes over the training texts; 0 chooses by their number.
        learning_rate: of the head; each layer below it has a lower one. 0 chooses by the number of texts.
        layer_decay: the factor between them.
        name: the new model's name in answers; by default that of its folder.
        run_folder: folder of everything but the bundle; by default runs/NAME.
        seed: of the split, the order of texts and dropout.
        overwrite: replace an adaptation in the same folders.
    """

    _: KW_ONLY
    train: Path
    to: Path
    from_: str = "default"
    validation: Path | None = None
    test: Path | None = None
    unlabelled: Path | None = None
    teacher: str | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    class_weights: ClassWeights = "balanced"
    epochs: int = 0
    learning_rate: float = 0.0
    layer_decay: float = 0.7
    name: str = ""
    run_folder: Path | None = None
    seed: int = 0
    overwrite: bool = False

    @property
    def folder(self) -> Path:
        """Folder of everything but the bundle."""
        return self.run_folder or Path("runs") / self.to.name

    @property
    def model_name(self) -> str:
        """The new model's name."""
        return self.name or self.to.resolve().name.lower().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Parts:
    """The texts of an adaptation; ``test`` is empty without a file."""

    train: list[Example]
    validation: list[Example]
    test: list[Example]

    @property
    def labels(self) -> list[str]:
        """The labels of the training texts, sorted."""
        return sorted({example.label for example in self.train})


def main(arguments: list[str]) -> None:
    """Run the command."""
    given = parse(AdaptOptions, arguments, command="adapt", description=DESCRIPTION)
    with plain_errors("adapt", *EXPORT_ERRORS, *DISTILL_ERRORS):
        adapt(AdaptOptions(**given), command=shlex.join(["python", "-m", "training", "adapt", *arguments]))


def adapt(options: AdaptOptions, *, command: str) -> AdaptationReport:
    """Adapt a bundle; see ``DESCRIPTION``. ``command`` is shown on the card next to the measurements.

    Raises:
        BundleError: the bundle to begin with cannot be used, or another is in the way.
        DataError: a file cannot be used, or a label has too few texts.
        UsageError: an option cannot be used.
    """
    check(options)
    console = plain_console(stderr=True)
    source = bundles.read(bundles.resolve(options.from_))
    parts, notes = read_parts(options)
    plan = Plan.of(len(parts.train), validation=len(parts.validation))
    is_fresh = _begin(options, source)
    files = _write_parts(options.folder / "data", parts)
    counts = Counter(example.label for example in parts.train)
    console.print("Labels: " + ", ".join(f"{label} ({counts[label]:,})" for label in parts.labels))
    run = options.folder / "fit"
    if not _is_fitted(run):
        learned = [files["train"]] if options.teacher is None else _distill(options, files)
        _fit(options, plan, files, run, learned=learned, labels=parts.labels, resume=not is_fresh)
    if not options.to.exists() or is_fresh:
        _export(options, plan, source, files, run, labels=parts.labels, command=command)
    report = _report(options, plan, source, parts, notes=notes)
    page = reports.write(report, options.folder, curves=run / CURVES)
    _print(report, page)
    return report


def check(options: AdaptOptions) -> None:
    """Check the options before any work.

    Raises:
        BundleError: the bundle's folder exists and is not of this adaptation.
        UsageError: a value is not allowed.
    """
    if not NAME.fullmatch(options.model_name):
        message = (
            f"the model's name would be {options.model_name!r}, but it should be of lower-case letters, digits, dots, "
            "dashes and underscores; pass one with --name"
        )
        raise UsageError(message)
    if options.unlabelled is not None and options.teacher is None:
        message = "--unlabelled needs a teacher that scores its texts; pass --teacher with a transformer's folder"
        raise UsageError(message)
    if options.epochs < 0:
        message = f"--epochs is {options.epochs}; expected 0, which chooses by the number of texts, or more"
        raise UsageError(message)
    if options.to.exists() and not options.overwrite and not (options.folder / RUN).is_file():
        raise BundleError(options.to, "already exists; choose another folder or pass --overwrite")


def read_parts(options: AdaptOptions) -> tuple[Parts, list[str]]:
    """The texts to train on, to validate with and to test on, and sentences about what was left out.

    Raises:
        DataError: a file cannot be used, or a label has too few texts.
    """
    notes: list[str] = []
    train = _read(options.train, options.reading, notes, labels=None)
    labels = sorted({example.label for example in train})
    if len(labels) < 2:  # noqa: PLR2004 - a choice needs two
        problem = f"only the label {labels[0]!r} occurs; a classifier needs at least two."
        raise DataError(options.train, None, problem=problem, fix="Check --label_column and --label_map.")
    test = [] if options.test is None else _read(options.test, options.reading, notes, labels=labels)
    train = _without(train, options.train, options.test, options.reading, notes)
    if options.validation is not None:
        train = _without(train, options.train, options.validation, options.reading, notes)
        return Parts(train, _read(options.validation, options.reading, notes, labels=labels), test), notes
    try:
        train, validation = hold_out(train, validation_share(len(train)), seed=options.seed)
    except ValueError as error:
        raise DataError(
            options.train,
            None,
            problem=f"the label {str(error)!r} has fewer than two different texts.",
            fix="Add more, or leave the label out with --label_map and null; 8 a label are a good start.",
        ) from error
    notes.append(f"{len(validation):,} texts of the training file were held out for validation.")
    return Parts(train, validation, test), notes


def _read(path: Path, reading: ReadingOptions, notes: list[str], *, labels: list[str] | None) -> list[Example]:
    bad_rows = SkippedRows(reading.on_bad_row)
    examples = list(read_examples(path, replace(reading, trees="root"), allowed_labels=labels, bad_rows=bad_rows))
    if not examples:
        raise DataError(path, None, problem="it has no text.", fix="Check the file and --format.")
    if bad_rows.count:
        notes.append(f"{path.name}: {bad_rows.summary()}")
    return examples


def _without(
    examples: list[Example], path: Path, held_out: Path | None, reading: ReadingOptions, notes: list[str]
) -> list[Example]:
    """The examples whose texts are not in another file."""
    if held_out is None:
        return examples
    leaks = skipped_leaks("drop")
    index = LeakageFilter([held_out], format=reading.format, text_column=reading.text_column, min_words=1)
    kept = list(drop_leaks(examples, index, leaks, path=path, unit=unit_of(path, reading.format)))
    if leaks.count:
        notes.append(f"Left out {leaks.count:,} training texts that are also in {held_out.name}.")
    return kept


def _write_parts(folder: Path, parts: Parts) -> dict[str, Path]:
    files = {}
    for part in ("train", "validation", "test"):
        if examples := getattr(parts, part):
            files[part] = folder / f"{part}.jsonl"
            write_json_lines(files[part], examples)
    return files


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


def _distill(options: AdaptOptions, files: dict[str, Path]) -> list[Path]:
    """Fine-tune the teacher and let it score the training texts and the unlabeled ones; what is done is kept.

    Returns:
        The files of scores, which the model learns from.
    """
    folder = options.folder / "teacher"
    written = ReadingOptions(format="jsonl")
    fine_tune_teacher(
        str(options.teacher), train=str(files["train"]), validation=str(files["validation"]), to=folder, reading=written
    )
    scored = [options.folder / "scores" / "train.parquet"]
    score(str(folder), str(files["train"]), to=scored[0], reading=written, seed=options.seed)
    if options.unlabelled is not None:
        texts = options.folder / "data" / "unlabelled.jsonl"
        write_json_lines(texts, _unlabelled(options, files))
        scored.append(options.folder / "scores" / "unlabelled.parquet")
        score(str(folder), str(texts), to=scored[1], labelled=False, reading=written, seed=options.seed)
    return scored


def _unlabelled(options: AdaptOptions, files: dict[str, Path]) -> Iterator[Example]:
    """The unlabeled texts without those that the model is validated or tested on."""
    held_out = LeakageFilter([files[part] for part in ("validation", "test") if part in files], min_words=1)
    texts = read_texts(Path(str(options.unlabelled)), options.reading, labeled=False)
    examples = (Example(text.text, "", number) for number, text in enumerate(texts, start=1))
    return drop_leaks(examples, held_out, skipped_leaks("drop"), path=Path(str(options.unlabelled)))


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


def fit_config(
    options: AdaptOptions,
    plan: Plan,
    learned: Sequence[Path],
    validation: Path,
    run: Path,
    *,
    labels: Sequence[str],
) -> dict[str, Any]:
    """The options of ``fit``, but for the start."""
    epochs = options.epochs or plan.epochs
    monitor = {"monitor": "validation/macro_f1", "mode": "max"} if plan.chooses else {"monitor": None}
    callbacks: list[dict[str, Any]] = [
        {
            "class_path": "pytorch_lightning.callbacks.ModelCheckpoint",
            "init_args": {"filename": "best", **monitor, "save_last": True, "enable_version_counter": False},
        }
    ]
    if plan.chooses and epochs > FEW_EPOCHS:
        patience = {"patience": epochs // 2}
        callbacks.append(
            {"class_path": "pytorch_lightning.callbacks.EarlyStopping", "init_args": {**monitor, **patience}}
        )
    return {
        "seed_everything": options.seed,
        "data": {
            "train": [str(path) for path in learned],
            "validation": str(validation),
            "labels_in_order": list(labels),
            "batch_size": plan.batch_size,
            "sources": [f"{options.train.name}: labeled texts of the person who adapted the model"],
        },
        "model": {
            "embedding_dropout": 0.2,
            "dropout": 0.3,
            "class_weights": options.class_weights,
            "learning_rate": options.learning_rate or plan.learning_rate,
            "layer_decay": options.layer_decay,
            "schedule": "one_cycle",
        },
        "resume": {"every_n_steps": STEPS_BETWEEN_CHECKPOINTS},
        "trainer": {
            "max_epochs": epochs,
            "log_every_n_steps": 5,
            "default_root_dir": str(run),
            "enable_model_summary": False,
            "callbacks": callbacks,
        },
    }


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
    """Export with storage, arithmetic and limits of the source, and the polarities of labels that it has too."""
    known = {label.name: label.polarity for label in source.manifest.labels if label.polarity is not None}
    default = default_polarities(labels)
    export(
        ExportOptions(
            run / CHECKPOINTS / "best.ckpt",
            to=options.to,
            calibrate=plan.calibrates,
            test=files.get("test"),
            name=options.model_name,
            description=f"Adapted from {source.manifest.name} {source.manifest.version} to the labels "
            f"{', '.join(labels)}.",
            polarity={label: known[label] for label in labels if label in known and default[label] is not None},
            max_tokens=source.manifest.limits.max_tokens,
            storage=storage_of(source),
            arithmetic=source.manifest.arithmetic,
            overwrite=options.to.exists(),
        ),
        command=command,
    )


def _report(
    options: AdaptOptions, plan: Plan, source: Bundle, parts: Parts, *, notes: Sequence[str]
) -> AdaptationReport:
    """Measure everything on the test texts, or on the validation texts if there are none."""
    measured_on = "test" if parts.test else "validation"
    examples = parts.test or parts.validation
    texts, labels = [example.text for example in examples], parts.labels
    true = [labels.index(example.label) for example in examples]
    adapted = ordered_scores(options.to, labels, texts)
    balanced = options.class_weights == "balanced"
    before, note = _before(options.from_, labels, texts)
    systems = [
        System("majority", reports.figures(majority_scores(parts.train, texts, labels=labels), true)),
        System(
            "TF-IDF + logistic regression",
            reports.figures(linear_scores(parts.train, texts, labels=labels, balanced=balanced), true),
            "words and word pairs of the same training texts",
        ),
        System(f"{options.from_}, before", None if before is None else reports.figures(before, true), note),
        System(f"{options.to.name}, after", reports.figures(adapted, true)),
    ]
    outcomes = reports.outcomes_of(adapted, true)
    return AdaptationReport(
        source=options.from_,
        bundle=options.to.name,
        rows={part: len(getattr(parts, part)) for part in ("train", "validation", "test")},
        labels=labels,
        counts=dict(Counter(example.label for example in parts.train)),
        measured_on=measured_on,
        systems=systems,
        by_label=metrics.by_label(outcomes, labels),
        confusion=metrics.confusion(outcomes).tolist(),
        mistakes=reports.confident_mistakes(adapted, examples, labels=labels),
        suspicions=_suspicions(source, parts.train, labels),
        notes=[*notes, *_notes(plan)],
        commands={
            "Serve it": f"SENTIMENT_MODEL={shlex.quote(str(options.to))} make serve",
            "Ask it": f"python -m model_store predict {shlex.quote(str(options.to))} {shlex.quote(texts[0][:80])}",
        },
        seconds=json.loads((options.folder / "fit" / METRICS).read_text(encoding="utf-8")).get("seconds"),
    )


def _notes(plan: Plan) -> list[str]:
    notes = []
    if not plan.chooses:
        notes.append("There are too few validation texts to choose an epoch, so the last one was kept.")
    if not plan.calibrates:
        notes.append("There are too few validation texts to calibrate scores, so they are not, and none is confident.")
    return notes


def _before(start: str, labels: list[str], texts: Sequence[str]) -> tuple[Scores | None, str]:
    """The source's scores for these labels, and what to say of them."""
    known = load_scorer(start).labels
    if not set(labels) <= set(known):
        return None, f"it does not know these labels, only {', '.join(known)}"
    note = "" if set(labels) == set(known) else "choosing among these labels only"
    return ordered_scores(start, labels, texts), note


def ordered_scores(model: str | Path, labels: list[str], texts: Sequence[str]) -> Scores:
    """(texts, labels): a bundle's scores for some of its labels, normalized to sum to 1."""
    scorer = load_scorer(str(model))
    scores = scorer.score(texts)[:, [scorer.labels.index(label) for label in labels]]
    chosen: Scores = scores / scores.sum(axis=1, keepdims=True)
    return chosen


def _suspicions(source: Bundle, examples: Sequence[Example], labels: list[str]) -> list[Suspicion]:
    """Training texts whose label is probably wrong, judged by the source's encoder."""
    earlier = read_back(source)
    shape = {**network_options(earlier.task), "freeze_embedding": earlier.task.hparams["freeze_embedding"]}
    task = SentimentTask(labels, earlier.task.tokenizer_json, **shape).eval()
    start_from(task, earlier, name=str(source.path), new_head=True)
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    ids = list(tokenization.encode_all(pipeline, (example.text for example in examples), max_tokens=512))
    kept = [row for row, tokens in enumerate(ids) if tokens]
    encoded = TokenizedExamples.of([ids[row] for row in kept], [labels.index(examples[row].label) for row in kept])
    return likely_label_errors(task, [examples[row] for row in kept], encoded)


def _print(report: AdaptationReport, page: Path) -> None:
    console = plain_console()
    console.print(f"\nOn {report.rows[report.measured_on]:,} {report.measured_on} texts:")
    for system in report.systems:
        if system.figures is None:
            console.print(f"  {system.name}: {system.note}")
            continue
        shown = ", ".join(
            f"{metrics.METRICS[name].title} {system.figures[name].value:.2%}" for name in ("accuracy", "macro_f1")
        )
        console.print(f"  {system.name}: {shown}")
    console.print(f"Report: {page}", soft_wrap=True)
    for title, command in report.commands.items():
        console.print(f"{title}: {command}", soft_wrap=True)
