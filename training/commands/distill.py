"""``python -m training distill``: fine-tunes a teacher and writes its scores, from which ``fit`` trains a student."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from model_store import BundleError
from model_store.plain_console import plain_console
from model_store.progress import working
from training.commands.one_label import require_one_label
from training.commands.parser import UsageError, parse, plain_errors
from training.data.examples import DataError, Example, SkippedRows
from training.data.readers import ReadingOptions, read_examples
from training.data.readers.files import Files, paths

RENAMED = {"tokens_a_batch": "tokens_per_batch"}

HELP = """\
python -m training distill COMMAND [options]

  teacher   fine-tune a pretrained transformer on labeled text
              python -m training distill teacher pretrained/all-MiniLM-L6-v2 --train sst/train.txt.gz --trees phrases \\
                --validation sst/dev.txt.gz --to runs/teacher

  ngrams    fit a linear classifier of words and runs of words: a second teacher for whole reviews, in a minute
              python -m training distill ngrams --train reviews.jsonl --to runs/reviews.ngrams

  score     write a teacher's scores of texts, labeled or not, to a file that fit learns from
              python -m training distill score runs/teacher train.txt.gz --trees phrases --to runs/scores/sst.parquet
              python -m training distill score runs/teacher reviews.txt --format lines --no_labelled --to FILE

The student is trained by fit, on the files that score writes:

  python -m training fit --config training/configs/distilled.yaml \\
    --data.train '[runs/scores/sst.parquet, runs/scores/reviews.parquet]' --data.validation sst/dev.txt.gz

Each command explains its options with --help.
"""


def main(arguments: list[str]) -> None:
    """Run one command of ``distill``."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(HELP)
        return
    name, rest = arguments[0], arguments[1:]
    if name == "student":
        from training.commands import fit_options

        sys.stderr.write("distill student is now fit, with the same options\n")
        fit_options.main(rest)
        return
    if name not in COMMANDS:
        known = f"expected one of: {', '.join(COMMANDS)}"
        sys.stderr.write(f"distill {name!r} is not a command; {known}\nMore: python -m training distill --help\n")
        raise SystemExit(2)
    function = COMMANDS[name]
    description = (function.__doc__ or "").partition("\n")[0]
    options = parse(function, rest, command=f"distill {name}", description=description, renamed=RENAMED)
    with plain_errors(f"distill {name}"):
        require_one_label(options["reading"], f"distill {name}")
    from training.distillation.scoring import ScoringError
    from training.distillation.teacher import TeacherError
    from training.fit.checkpoint import CheckpointError

    with plain_errors(f"distill {name}", BundleError, CheckpointError, DataError, ScoringError, TeacherError):
        function(**options)


def teacher(
    base: str,
    *,
    train: Files,
    validation: Files,
    to: Path,
    reading: ReadingOptions,
    coarse: dict[str, list[str]] | None = None,
    epochs: int = 2,
    batch_size: int = 64,
    tokens_per_batch: int = 0,
    learning_rate: float = 1e-4,
    train_embeddings: bool = False,
    max_tokens: int = 256,
    precision: Literal["32", "bf16-mixed"] = "32",
    seed: int = 0,
) -> None:
    """Fine-tune a pretrained transformer into a sequence classifier; a stopped run resumes from its last epoch.

    Args:
        base: a Hugging Face model's folder, or its name on the hub.
        train: labeled file, or several as '[a, b]'.
        validation: labeled file, or several, that decide the best epoch.
        to: the teacher's folder, for ``distill score``.
        reading: how the files are read; of validation files, trees are always whole sentences.
        coarse: labels of the files that mean one of several labels of the teacher, such as
            {"any negative": [very negative, negative]}: which of them is correct is unknown.
        epochs: passes over the training files.
        batch_size: maximum number of texts a step.
        tokens_per_batch: maximum number of padded tokens a step; 0 for no limit.
        learning_rate: AdamW's maximum.
        train_embeddings: train the token embeddings too; slower, and rarely better with few texts.
        max_tokens: longer texts are truncated.
        precision: bf16-mixed is about twice as fast on processors and GPUs with bfloat16 units.
        seed: of the new head, the order of texts and dropout.
    """
    from training.distillation.teacher import new_teacher
    from training.distillation.teacher_training import Schedule, Targets, fine_tune

    examples = _labeled(train, reading)
    coarse = coarse or {}
    own = {example.label for example in examples} - set(coarse)
    labels = sorted(own.union(*coarse.values()))
    held_out = _labeled(validation, replace(reading, trees="root"))
    schedule = Schedule(
        epochs=epochs,
        batch_size=batch_size,
        tokens_per_batch=tokens_per_batch,
        learning_rate=learning_rate,
        train_embeddings=train_embeddings,
        precision=precision,
        seed=seed,
    )
    fine_tune(
        new_teacher(base, labels, max_tokens=max_tokens),
        Targets.of(labels, coarse),
        train=examples,
        validation=held_out,
        schedule=schedule,
        to=to,
    )
    plain_console(stderr=True).print(f"Wrote the teacher to {to}; its labels are {', '.join(labels)}.")


def ngrams(
    *,
    train: Files,
    to: Path,
    reading: ReadingOptions,
    longest: int = 3,
    least_texts: int = 2,
    regularization: float = 0.02,
) -> None:
    """Fit a linear classifier of n-grams, a good second teacher for whole reviews.

    Args:
        train: labeled file, or several as '[a, b]'.
        to: the file to write, whose name ends in .ngrams; ``distill score`` takes it as a teacher.
        reading: how the files are read.
        longest: number of words of the longest n-gram.
        least_texts: minimum number of texts that contain an n-gram.
        regularization: weight of the L2 penalty; larger for few texts.
    """
    from training.distillation.ngrams import SUFFIX, fit_ngrams, save_ngrams

    if to.suffix != SUFFIX:
        message = f"--to is {to}, but the name of an n-gram file ends in {SUFFIX}: pass {to}{SUFFIX}"
        raise UsageError(message)
    examples = _labeled(train, reading)
    with working(f"Fitting {len(examples):,} texts"):
        classifier = fit_ngrams(examples, longest=longest, least_texts=least_texts, regularization=regularization)
    save_ngrams(classifier, to)
    summary = f"{classifier.weights.shape[1]:,} n-grams; its labels are {', '.join(classifier.labels)}"
    plain_console(stderr=True).print(f"Wrote the teacher to {to}: {summary}.")


def score(
    teacher: str | list[str],
    texts: Files,
    *,
    to: Path,
    labelled: bool = True,
    reading: ReadingOptions,
    merge: dict[str, str] | None = None,
    variants: int = 0,
    counterfactuals: Path | None = None,
    max_tokens: int = 256,
    tokens_per_batch: int = 2048,
    bfloat16: bool = False,
    seed: int = 0,
) -> None:
    """Write a teacher's scores of texts to a Parquet file; a stopped run resumes.

    Args:
        teacher: a Hugging Face sequence classifier's folder or its name on the hub, a file of ``distill ngrams``, or a
            checkpoint or bundle of this project; or several as '[a, b]', whose probabilities are averaged.
        texts: file, or several as '[a, b]'.
        to: the file to write, which ``--data.train`` takes.
        labelled: --no_labelled reads texts without labels; in the format lines, the whole line is then the text.
        reading: how the files are read.
        merge: teacher's label to label, such as {"very negative": negative}: merged labels' probabilities add up.
        variants: number of variants of each text, which are scored too and have no label: words masked or swapped for
            others of the same part of speech, or pieces of the text (Tang et al. 2019).
        counterfactuals: a YAML file of groups of exchangeable terms, such as nationalities. Each text
            with such a term gets two copies with other terms of its group; all three get the mean of their scores.
        max_tokens: a Hugging Face teacher truncates longer texts.
        tokens_per_batch: maximum number of padded tokens of a batch.
        bfloat16: about twice as fast on processors and GPUs with bfloat16 units; scores differ in the third digit.
        seed: of the variants.
    """
    from training.distillation.scored_texts import texts_to_score
    from training.distillation.scorers import InferenceOptions, ensemble, load_teacher_scorer, merge_labels
    from training.distillation.scoring import agreement, score_texts

    names = [teacher] if isinstance(teacher, str) else teacher
    inference = InferenceOptions(max_tokens=max_tokens, tokens_per_batch=tokens_per_batch, bfloat16=bfloat16)
    scorer = ensemble([merge_labels(load_teacher_scorer(name, inference), merge or {}) for name in names])
    scored = texts_to_score(
        paths(texts), reading, labeled=labelled, variants=variants, counterfactuals=counterfactuals, seed=seed
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    score_texts(scored, scorer, to=to, teachers=", ".join(names))
    console = plain_console(stderr=True)
    console.print(f"Wrote the scores of {len(scored):,} texts to {to}.")
    agreeing, labeled_texts = agreement(to)
    if labeled_texts:
        console.print(f"The teacher agrees with {agreeing / labeled_texts:.1%} of the {labeled_texts:,} labels.")


def _labeled(files: Files, reading: ReadingOptions) -> list[Example]:
    bad_rows = SkippedRows(reading.on_bad_row)
    examples = [example for path in paths(files) for example in read_examples(path, reading, bad_rows=bad_rows)]
    if bad_rows.count:
        plain_console(stderr=True).print(bad_rows.summary())
    return examples


COMMANDS: dict[str, Callable[..., None]] = {"teacher": teacher, "ngrams": ngrams, "score": score}
