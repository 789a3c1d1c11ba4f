"""The commands of the training room: ``fit`` through LightningCLI, the others beside it."""

import sys
from collections.abc import Callable

from model_store import __version__

HELP = """\
python -m training COMMAND [options]

  fit             train a classifier on labelled text; everything it writes goes to a run folder
                    python -m training fit --config training/configs/sample.yaml
  split           cut one labelled file into files to train on, to validate with and to test on
                    python -m training split tweets.csv --to data/tweets
  test            measure a checkpoint or a bundle on a labelled file, with 95% intervals
                    python -m training test runs/sample/checkpoints/best.ckpt training/data/sample/test.csv
                    python -m training test default reviews.csv --to report.json
  evaluate        put a checkpoint or a bundle to the behavioural suite: negation, names, slips and more
                    python -m training evaluate --behaviour default --to report
  repeat          fit with several seeds; mean and spread of every test figure
                    python -m training repeat --seeds 3 --config training/configs/sample.yaml
  cross-validate  fit once a fold of one file; mean and spread of every test figure
                    python -m training cross-validate --folds 10 --config training/configs/mr-cv.yaml --data.train FILE
  export          turn a checkpoint into a bundle that the model store and the service run
                    python -m training export runs/sample/checkpoints/best.ckpt --to my-model
  card            attach to a bundle what was measured once it existed, and write its card anew
                    python -m training card my-model --behaviour behaviour.json --comparison comparison.json
  diagnose        measure the lecture's claims on gradients, memory, depth and both directions, also on your own model
                    python -m training diagnose --out report --checkpoint runs/sample/checkpoints/best.ckpt
  distill         let a large Hugging Face classifier teach the small encoder
                    python -m training distill --help
  reproduce       make the shipped model from the public data sets
                    python -m training reproduce default --data data --base pretrained/all-MiniLM-L6-v2

Each command explains its options with --help. Options in YAML and on the command line are the same, and an unknown one
is refused with the nearest known one. --version prints the version of the software.
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; exits with 2 where the command is unknown."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(HELP)
        return
    if arguments == ["--version"]:
        sys.stdout.write(f"{__version__}\n")
        return
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        sys.stderr.write(f"{command!r} is not a command; expected one of: {', '.join(COMMANDS)}\n\n{HELP}")
        raise SystemExit(2)
    COMMANDS[command](rest)


def _fit(arguments: list[str]) -> None:
    from training.commands import fit  # noqa: PLC0415

    fit.fit(arguments)


def _test(arguments: list[str]) -> None:
    # Commands are imported late: none should wait for what only another one needs.
    from training.commands import test  # noqa: PLC0415

    test.main(arguments)


def _split(arguments: list[str]) -> None:
    from training.commands import split  # noqa: PLC0415

    split.main(arguments)


def _evaluate(arguments: list[str]) -> None:
    from training.commands import evaluate  # noqa: PLC0415

    evaluate.main(arguments)


def _repeat(arguments: list[str]) -> None:
    from training.commands import repeat  # noqa: PLC0415

    repeat.main(arguments)


def _cross_validate(arguments: list[str]) -> None:
    from training.commands import cross_validate  # noqa: PLC0415

    cross_validate.main(arguments)


def _export(arguments: list[str]) -> None:
    from training.commands import export  # noqa: PLC0415

    export.main(arguments)


def _card(arguments: list[str]) -> None:
    from training.commands import card  # noqa: PLC0415

    card.main(arguments)


def _diagnose(arguments: list[str]) -> None:
    from training.commands import diagnose  # noqa: PLC0415

    diagnose.main(arguments)


def _distill(arguments: list[str]) -> None:
    from training.commands import distill  # noqa: PLC0415

    distill.main(arguments)


def _reproduce(arguments: list[str]) -> None:
    from training.commands import reproduce  # noqa: PLC0415

    reproduce.main(arguments)


COMMANDS: dict[str, Callable[[list[str]], None]] = {
    "fit": _fit,
    "split": _split,
    "test": _test,
    "evaluate": _evaluate,
    "repeat": _repeat,
    "cross-validate": _cross_validate,
    "export": _export,
    "card": _card,
    "diagnose": _diagnose,
    "distill": _distill,
    "reproduce": _reproduce,
}
