"""``python -m training distill``: fine-tune a teacher, let it score texts once, train the student on its scores."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from jsonargparse import auto_cli
from rich.console import Console

from model_store import BundleError
from training.commands.parser import ExactParser
from training.data.examples import BadRowPolicy, DataError, Example, LeftOut
from training.data.file_lists import Files, paths
from training.data.progress import watched
from training.data.readers import Format, read_examples
from training.data.readers.reading import Trees
from training.data.tokenized_files import ReadingOptions
from training.distillation.augmentation import augmented
from training.distillation.counterfactuals import read_groups, with_counterfactuals
from training.distillation.ngrams import SUFFIX, fit_ngrams, save_ngrams
from training.distillation.scorers import Reading, ensemble, load_scorer, merged
from training.distillation.scoring import ScoringError, agreement, score_texts
from training.distillation.teacher import TeacherError, new_teacher
from training.distillation.teacher_training import Schedule, Targets, fine_tune
from training.distillation.texts import read_texts
from training.fit.checkpoint import CheckpointError

COUNTERFACTUALS = 2
"""Other terms that are tried in the place of an identity term."""

HELP = """\
python -m training distill COMMAND [options]

  teacher   fine-tune a pretrained transformer on labelled text, so that it can teach
              python -m training distill teacher pretrained/all-MiniLM-L6-v2 --train sst/train.txt.gz --trees phrases \\
                --validation sst/dev.txt.gz --to runs/teacher

  ngrams    fit a linear classifier of words and runs of words: a second teacher for whole reviews, in a minute
              python -m training distill ngrams --train reviews.jsonl --to runs/reviews.ngrams

  score     write a teacher's scores of texts, labelled or not, to a file that fit learns from
              python -m training distill score runs/teacher train.txt.gz --trees phrases --to runs/scores/sst.parquet
              python -m training distill score runs/teacher reviews.txt --format lines --labelled false --to FILE

  student   train the student on such files, by labels and scores: fit, with its options
              python -m training distill student --config training/configs/distilled.yaml \\
                --data.train '[runs/scores/sst.parquet, runs/scores/reviews.parquet]' --data.validation sst/dev.txt.gz

Each command explains its options with --help.
"""


def main(arguments: list[str]) -> None:
    """Runs one of the commands; exits with 1 and a plain message where something is wrong with what it was given."""
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(HELP)
        return
    command, rest = arguments[0], arguments[1:]
    if command == "student":
        from training.commands import fit as fitting  # noqa: PLC0415 - Lightning's command line, which the others do without

        fitting.fit(rest)
        return
    if command not in COMMANDS:
        known = ", ".join([*COMMANDS, "student"])
        sys.stderr.write(f"distill {command!r} is not a command; expected one of: {known}\n\n{HELP}")
        raise SystemExit(2)
    try:
        auto_cli(
            COMMANDS[command],
            args=rest,
            prog=f"python -m training distill {command}",
            as_positional=True,
            parser_class=ExactParser,
            description=None,  # the function's own
        )
    except (BundleError, CheckpointError, DataError, ScoringError, TeacherError) as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None


def teacher(
    base: str,
    *,
    train: Files,
    validation: Files,
    to: Path,
    format: Format = "auto",  # noqa: A002 - the option's name on the command line
    text_column: str = "text",
    label_column: str = "label",
    trees: Trees = "root",
    label_map: dict[str, str | None] | None = None,
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
    """Fine-tunes a pretrained transformer into a sequence classifier; run again, it goes on from its last epoch.

    Args:
        base: a Hugging Face model's folder, or its name on the hub.
        train: a labelled file it learns from, or several: [one.csv, other.csv].
        validation: the same, to decide which epoch is kept.
        to: the teacher's folder, which ``distill score`` reads.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        trees: of trees in training files: the root (whole sentences), or every phrase.
        label_map: raw label to label; null leaves those rows out.
        coarse: a label that stands for several of the teacher's, such as {"any negative": [very negative, negative]};
            a text with it says that one of them is right, and not which.
        epochs: passes over the training files.
        batch_size: texts a step, at most.
        tokens_per_batch: fewer texts a step where they are long: at most so many padded tokens; 0 for no such bound.
        learning_rate: AdamW's, at its highest.
        train_embeddings: train the token embeddings too; slower, and rarely better on little text.
        max_tokens: longer texts are cut at the end.
        precision: bf16-mixed is about twice as fast on processors and GPUs with bfloat16 units.
        seed: of the new head, the order of texts and dropout.
    """
    read = {"format": format, "text_column": text_column, "label_column": label_column, "label_map": label_map}
    learnt = _labelled(train, trees=trees, **read)
    coarse = coarse or {}
    own = {example.label for example in learnt} - set(coarse)
    labels = sorted(own.union(*coarse.values()))
    checked = _labelled(validation, trees="root", **read)
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
        train=learnt,
        validation=checked,
        schedule=schedule,
        to=to,
    )
    Console(stderr=True).print(f"Wrote the teacher to {to}; its labels are {', '.join(labels)}.")


def ngrams(
    *,
    train: Files,
    to: Path,
    format: Format = "auto",  # noqa: A002 - the option's name on the command line
    text_column: str = "text",
    label_column: str = "label",
    trees: Trees = "root",
    label_map: dict[str, str | None] | None = None,
    longest: int = 3,
    least_texts: int = 2,
    regularization: float = 0.02,
) -> None:
    """Fits a linear classifier of n-grams, which teaches whole reviews well together with a network.

    Args:
        train: a labelled file it learns from, or several: [one.csv, other.csv].
        to: the file to write, whose name ends in .ngrams; ``distill score`` takes it as a teacher.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        trees: of trees: the root (whole sentences), or every phrase.
        label_map: raw label to label; null leaves those rows out.
        longest: words of the longest n-gram.
        least_texts: an n-gram counts if so many texts hold it.
        regularization: how much large weights cost; more of it for few texts.
    """
    if to.suffix != SUFFIX:
        message = f"--to is {to}; a teacher of n-grams is known by the end of its name: {to}{SUFFIX}"
        raise TeacherError(message)
    read = {"format": format, "text_column": text_column, "label_column": label_column, "label_map": label_map}
    learnt = _labelled(train, trees=trees, **read)
    with Console(stderr=True).status(f"Fitting {len(learnt):,} texts"):
        classifier = fit_ngrams(learnt, longest=longest, least_texts=least_texts, regularization=regularization)
    save_ngrams(classifier, to)
    found = f"{classifier.weights.shape[1]:,} n-grams; its labels are {', '.join(classifier.labels)}"
    Console(stderr=True).print(f"Wrote the teacher to {to}: {found}.")


def score(
    teacher: str | list[str],
    texts: Files,
    *,
    to: Path,
    labelled: bool = True,
    format: Format = "auto",  # noqa: A002 - the option's name on the command line
    text_column: str = "text",
    label_column: str = "label",
    trees: Trees = "root",
    ptb_tokens: bool = False,
    label_map: dict[str, str | None] | None = None,
    on_bad_row: BadRowPolicy = "stop",
    merge: dict[str, str] | None = None,
    variants: int = 0,
    counterfactuals: Path | None = None,
    max_tokens: int = 256,
    tokens_a_batch: int = 2048,
    bfloat16: bool = False,
    seed: int = 0,
) -> None:
    """Writes a teacher's scores of texts to a Parquet file; run again, it goes on where it was stopped.

    Args:
        teacher: a Hugging Face sequence classifier's folder or its name on the hub, a file of ``distill ngrams``, or a
            checkpoint or bundle of this project; or several, whose probabilities are averaged: [one, other].
        texts: a file, or several: [one.csv, other.csv].
        to: the file to write, which ``--data.train`` takes.
        labelled: false for texts without labels; in lines, the whole line is then the text.
        format: csv, tsv, jsonl, parquet, lines ("label text"), trees (Penn Treebank), or auto: by name and content.
        text_column: column or key of the text (csv, tsv, jsonl, parquet).
        label_column: column or key of the label.
        trees: for trees: the root (whole sentences), or every phrase.
        ptb_tokens: texts are Penn Treebank tokens ("ca n't"), to be joined as a person writes. Trees always are.
        label_map: raw label to label; null leaves those rows out.
        on_bad_row: stop at a row that cannot be used, or skip and count it.
        merge: teacher's label to label, such as {"very negative": negative}: merged labels' probabilities add up.
        variants: how many variants to make of each text: words masked or swapped for others of the same part of
            speech, or pieces of the text (Tang et al. 2019). They are scored too, and have no label.
        counterfactuals: a YAML file of groups of terms that may stand for each other, such as nationalities. Each text
            that holds one is followed by two with other terms of its group, and all three get the mean of their scores.
        max_tokens: of a text a Hugging Face teacher reads this many tokens.
        tokens_a_batch: how many it reads at once.
        bfloat16: about twice as fast on processors and GPUs with bfloat16 units; scores differ in the third digit.
        seed: of the variants.
    """
    names = [teacher] if isinstance(teacher, str) else teacher
    reading = Reading(max_tokens=max_tokens, tokens_a_batch=tokens_a_batch, bfloat16=bfloat16)
    scorer = ensemble([merged(load_scorer(name, reading), merge or {}) for name in names])
    options = ReadingOptions(
        format=format,
        text_column=text_column,
        label_column=label_column,
        ptb_tokens=ptb_tokens,
        label_map=label_map,
        on_bad_row=on_bad_row,
    )
    every = [text for path in paths(texts) for text in read_texts(path, options, labelled=labelled, trees=trees)]
    if variants:
        every = list(augmented(every, variants=variants, seed=seed))
    if counterfactuals is not None:
        every = list(with_counterfactuals(every, read_groups(counterfactuals), variants=COUNTERFACTUALS, seed=seed))
    to.parent.mkdir(parents=True, exist_ok=True)
    score_texts(every, scorer, to=to, teachers=", ".join(names))
    console = Console(stderr=True)
    console.print(f"Wrote the scores of {len(every):,} texts to {to}.")
    right, labelled_texts = agreement(to)
    if labelled_texts:
        console.print(f"The teacher agrees with {right / labelled_texts:.1%} of the {labelled_texts:,} labels.")


def _labelled(files: Files, **reading: Any) -> list[Example]:  # noqa: ANN401 - the options of ``read_examples``
    return [
        example
        for path in paths(files)
        for example in watched(read_examples(path, **reading, bad_rows=LeftOut("stop")), f"Reading {path.name}")
    ]


COMMANDS: dict[str, Callable[..., None]] = {"teacher": teacher, "ngrams": ngrams, "score": score}
