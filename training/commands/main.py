"""The commands of ``python -m training``: one table, and the dispatch."""

import difflib
import signal
import sys
from importlib import import_module

from model_store import __version__

COMMANDS = {
    "fit": ("training.commands.fit_options", "train a classifier on labeled text"),
    "adapt": ("training.commands.adapt_options", "adapt a bundle to your texts and labels: a new bundle and a report"),
    "inspect": ("training.commands.inspect_file", "show what is in a labeled file, and what to run next"),
    "feedback": ("training.commands.feedback", "from the service's file of feedback to a labeled file"),
    "split": ("training.commands.split", "cut one labeled file into training, validation and test files"),
    "test": ("training.commands.test", "measure a checkpoint or a bundle on a labeled file"),
    "evaluate": ("training.commands.evaluate", "run the behavioral suite on a checkpoint or a bundle"),
    "pipeline": ("training.commands.pipeline", "from labeled text to production: train, test, compare, promote"),
    "compare": ("training.commands.compare", "compare two models on the same labeled file"),
    "repeat": ("training.commands.repeat", "fit with several seeds; mean and spread of every test metric"),
    "cross_validate": ("training.commands.cross_validate", "fit once per fold of one file; mean and spread"),
    "export": ("training.commands.export_options", "turn a checkpoint into a bundle to store and serve"),
    "card": ("training.commands.card", "attach reports and measurements to a bundle and rewrite its card"),
    "diagnose": ("training.commands.diagnose", "measure the lecture's claims, also on a model of your own"),
    "distill": ("training.commands.distill", "let a large Hugging Face classifier teach the small encoder"),
    "reproduce": ("training.commands.reproduce", "make the shipped model from public data sets"),
}
"""Each command's module, which has ``main(arguments)``, and its line in the help."""

INTERRUPTED = 128 + signal.SIGINT
"""130: how a shell reports a program that Ctrl-C ended."""

HELP = """\
python -m training COMMAND [options]

{commands}

  python -m training fit --config training/configs/sample.yaml
  python -m training test runs/sample/checkpoints/best.ckpt training/data/sample/test.csv
  python -m training export runs/sample/checkpoints/best.ckpt --to my-model

Each command explains its options with --help. A flag takes no value (--overwrite); no_ switches it off
(--no_overwrite). Several files are a list: '[one.csv, other.csv]'. --config names a YAML file with further options.
--version prints the version.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run one command; exit with 2 if the command is unknown, with 130 after Ctrl-C."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(help_text())
        return
    if arguments[0] == "--version":
        sys.stdout.write(f"{__version__}\n")
        return
    name = arguments[0].replace("-", "_")
    if name not in COMMANDS:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        meant = f"; did you mean {nearest[0]}?" if nearest else ""
        known = f"expected one of: {', '.join(COMMANDS)}"
        sys.stderr.write(f"{arguments[0]!r} is not a command{meant}\n{known}\nMore: python -m training --help\n")
        raise SystemExit(2)
    module, _ = COMMANDS[name]
    try:
        import_module(module).main(arguments[1:])
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{name} was stopped by Ctrl-C\n")
        raise SystemExit(INTERRUPTED) from None


def help_text() -> str:
    """The text of ``--help``."""
    width = max(map(len, COMMANDS)) + 2
    return HELP.format(commands="\n".join(f"  {name:{width}}{line}" for name, (_, line) in COMMANDS.items()))
