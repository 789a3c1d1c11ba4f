"""``python -m training cross_validate``: tests every text of a file once, with a model that was not trained on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.commands.parser import UsageError, parse, plain_errors, split_arguments
from training.commands.repeat import Run, resolved_config, train_and_summarize
from training.data.examples import DataError, Example
from training.data.readers import ReadingOptions, read_examples
from training.data.splitting import deal, write_json_lines

DESCRIPTION = """\
Cuts --data.train into folds and trains once per fold into FOLDER/fold-1, FOLDER/fold-2, ... where FOLDER is the
config's trainer.default_root_dir. Each run tests on its own fold, stops and chooses its checkpoint by the next fold,
and trains on the others, vocabulary included. Prints mean and spread (sample standard deviation) of every test metric,
and writes them to FOLDER/metrics.json. All other options are those of fit, --config included.

The folds depend only on the file and the seed (--seed_everything), have the labels in equal proportions, and keep equal
texts together. The files of a fold are in FOLDER/fold-N/data.

  python -m training cross_validate --folds 10 --config training/configs/mr-cv.yaml --data.train FILE
"""

MINIMUM_FOLDS = 3
"""One fold tests, one validates, and at least one trains."""

PARTS = ("train", "validation", "test")


@dataclass(frozen=True, kw_only=True)
class CrossValidationOptions:
    """Options of ``cross_validate`` in addition to those of ``fit``.

    Attributes:
        folds: number of folds; at least 3.
        resume: keep finished runs, and resume an unfinished one from its last checkpoint.
    """

    folds: int = 10
    resume: bool = False


def main(arguments: list[str]) -> None:
    """Run the command; exit as the first run that fails does."""
    own, fit_options = split_arguments(arguments, CrossValidationOptions)
    given = parse(CrossValidationOptions, own, command="cross_validate", description=DESCRIPTION)
    with plain_errors("cross_validate", DataError, group="data"):
        cross_validate(CrossValidationOptions(**given), fit_options)


def cross_validate(options: CrossValidationOptions, fit_options: Sequence[str]) -> None:
    """Train and test every fold; see ``DESCRIPTION``. ``fit_options`` apply to all runs.

    Raises:
        DataError: the file cannot be used, or has too few texts.
        UsageError: an option would leave nothing to train on, or leak texts from one fold to another.
    """
    if options.folds < MINIMUM_FOLDS:
        message = f"--folds {options.folds} is too few: one fold tests, one validates and the others train"
        raise UsageError(message)
    # fit requires a validation file; here it comes from the training file.
    placeholder = "--data.validation=from-the-training-file"
    config = resolved_config([*fit_options, placeholder], command="cross_validate", options=CrossValidationOptions)
    data = config["data"]
    if not isinstance(data["train"], str):
        message = "folds are cut from one file: pass a single --data.train"
        raise UsageError(message)
    if data["trees"] != "root":
        message = "phrases of one sentence would be on both sides of a fold: pass --data.trees=root"
        raise UsageError(message)
    root = Path(config["trainer"]["default_root_dir"])
    folds = _folds(Path(data["train"]), ReadingOptions.among(data), options.folds, seed=int(config["seed_everything"]))
    runs = []
    for index in range(options.folds):
        folder = root / f"fold-{index + 1}"
        runs.append(Run(folder, [*fit_options, *_write_parts(folder / "data", parts(folds, index))]))
    train_and_summarize(runs, root, resume=options.resume)


def _folds(path: Path, reading: ReadingOptions, count: int, *, seed: int) -> list[list[Example]]:
    folds = deal(list(read_examples(path, reading)), [1] * count, seed=seed)
    if not all(folds):
        fix = "Pass a smaller --folds."
        raise DataError(path, None, problem=f"there are fewer different texts than {count} folds.", fix=fix)
    return folds


def parts(folds: Sequence[Sequence[Example]], index: int) -> dict[str, list[Example]]:
    """The texts of a run: fold ``index`` (from 0) tests, the next one validates, the others train."""
    following = (index + 1) % len(folds)
    train = [example for other, fold in enumerate(folds) if other not in {index, following} for example in fold]
    return {"train": train, "validation": list(folds[following]), "test": list(folds[index])}


def _write_parts(folder: Path, content: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """Write the parts as JSON Lines and yield the options that read them, whatever the format of the whole file."""
    for part in PARTS:
        path = folder / f"{part}.jsonl"
        write_json_lines(path, content[part])
        yield f"--data.{part}={path}"
    yield from ("--data.format=jsonl", "--data.text_column=text", "--data.label_column=label")
    yield from ("--data.ptb_tokens=false", "--data.label_map=null")
