"""The commands of the training room: ``fit`` through LightningCLI, ``export`` beside it."""

import sys
from collections.abc import Callable

from training import fitting

HELP = """\
python -m training COMMAND [options]

  fit      train a classifier on labelled text; writes checkpoints, logs and a resolved config to a run folder
             python -m training fit --config training/configs/sample.yaml
  export   turn a checkpoint into a bundle that the model store and the service run
             python -m training export runs/sample/checkpoints/best.ckpt --to my-model

Each command explains its options with --help.
"""


def main(arguments: list[str] | None = None) -> None:
    """Runs one command; exits with 2 where the command is unknown."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in {"-h", "--help"}:
        sys.stdout.write(HELP)
        return
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        sys.stderr.write(f"{command!r} is not a command; expected one of: {', '.join(COMMANDS)}\n\n{HELP}")
        raise SystemExit(2)
    COMMANDS[command](rest)


def _fit(arguments: list[str]) -> None:
    fitting.fit(arguments)


def _export(arguments: list[str]) -> None:
    # Imported late: exporting needs onnx, and fitting should not wait for it.
    from training import export_command  # noqa: PLC0415

    export_command.main(arguments)


COMMANDS: dict[str, Callable[[list[str]], None]] = {"fit": _fit, "export": _export}
