"""``python -m training cross-validate``: every text of one file is tested once, by a model that has not seen it."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from training.commands.repeat import RESUME, Run, resolved_config, train_and_summarise
from training.data.examples import DataError, Example, LeftOut
from training.data.labelled import read_labelled
from training.data.splitting import deal, write_json_lines

DESCRIPTION = """\
Cuts --data.train into folds and trains once a fold into FOLDER/fold-1, FOLDER/fold-2, ... where FOLDER is the config's
trainer.default_root_dir. Each run tests on its own fold, stops and chooses its checkpoint by the next fold, and learns
from the others, vocabulary included. Prints mean and spread (sample standard deviation) of every test figure, and
writes them to FOLDER/metrics.json. Every other option is one of fit's, --config included.

The folds depend on nothing but the file and the seed (--seed_everything), hold every label in like proportion, and keep
texts that repeat one another together. The files of a fold are kept in FOLDER/fold-N/data.

  python -m training cross-validate --folds 10 --config training/configs/mr-cv.yaml --data.train FILE
"""

FEWEST = 3  # one to test on, one to choose the checkpoint by, one to learn from
PARTS = ("train", "validation", "test")


def main(arguments: list[str]) -> None:
    """Runs the command; exits as the first run that fails does."""
    parser = argparse.ArgumentParser(
        prog="python -m training cross-validate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--folds", type=int, default=10, help="how many folds, at least 3 (default: 10)")
    parser.add_argument("--resume", action="store_true", help=RESUME)
    chosen, options = parser.parse_known_args(arguments)
    if chosen.folds < FEWEST:
        parser.error(f"--folds {chosen.folds} is too few: one is tested on, one validates and the rest trains")
    # Fit wants a validation file named; here it comes out of the training file.
    config = resolved_config([*options, "--data.validation=from-the-training-file"])
    data = config["data"]
    if not isinstance(data["train"], str):
        parser.error("folds are cut from one file: pass a single --data.train")
    if data["trees"] != "root":
        parser.error("phrases of one sentence would stand on both sides of a fold: pass --data.trees=root")
    root = Path(config["trainer"]["default_root_dir"])
    try:
        examples = read_labelled(Path(data["train"]), data, bad_rows=LeftOut(data["on_bad_row"]))
        folds = deal(examples, [1] * chosen.folds, seed=int(config["seed_everything"]))
    except DataError as error:
        parser.exit(1, f"{error}\n")
    if not all(folds):
        parser.exit(1, f"{data['train']}: there are fewer different texts than {chosen.folds} folds\n")
    runs = []
    for number in range(chosen.folds):
        folder = root / f"fold-{number + 1}"
        runs.append(Run(folder, [*options, *_write_parts(folder / "data", parts(folds, number))]))
    train_and_summarise(runs, root, resume=chosen.resume)


def parts(folds: Sequence[Sequence[Example]], number: int) -> dict[str, list[Example]]:
    """What a run trains, validates and tests on: fold ``number`` (from 0) tests, the next one validates."""
    after = (number + 1) % len(folds)
    learnt = [example for place, fold in enumerate(folds) if place not in {number, after} for example in fold]
    return {"train": learnt, "validation": list(folds[after]), "test": list(folds[number])}


def _write_parts(folder: Path, content: Mapping[str, Sequence[Example]]) -> Iterator[str]:
    """Writes the parts as JSON Lines and yields the options that read them, whatever the whole file looked like."""
    for part in PARTS:
        path = folder / f"{part}.jsonl"
        write_json_lines(path, content[part])
        yield f"--data.{part}={path}"
    yield from ("--data.format=jsonl", "--data.text_column=text", "--data.label_column=label")
    yield from ("--data.ptb_tokens=false", "--data.label_map=null")
