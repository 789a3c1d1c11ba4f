"""Work in steps, each a command of this project, of which a second run does only what is missing."""

import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from model_store.atomic_write import atomic_write
from model_store.plain_console import plain_console


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of the work: what it is called, whether it was done before, and how it is done."""

    name: str
    is_done: Callable[[], bool]
    work: Callable[[], None]


def run_steps(steps: Sequence[Step]) -> list[str]:
    """Do every step that is not done yet, and return the names of those that were done now.

    Raises:
        SystemExit: a step failed; with its exit status.
    """
    console = plain_console(stderr=True)
    done_now = []
    for index, step in enumerate(steps, start=1):
        console.rule(Text.assemble((step.name, "bold"), f" ({index} of {len(steps)})"), align="left")
        if step.is_done():
            console.print("Already done.")
        else:
            step.work()
            done_now.append(step.name)
    return done_now


def command(*arguments: object, output: Path | None = None) -> None:
    """Run a command of the project in a process of its own.

    Args:
        *arguments: after ``python -m training``.
        output: file for what it prints, whole or not at all; by default the terminal.

    Raises:
        SystemExit: it failed; with its exit status.
    """
    words = [str(argument) for argument in arguments]
    plain_console(stderr=True).print(shlex.join(["python", "-m", "training", *words]), style="dim", highlight=False)
    pipe = None if output is None else subprocess.PIPE
    done = subprocess.run([sys.executable, "-m", "training", *words], check=False, stdout=pipe)  # noqa: S603 - ourselves
    if done.returncode:
        raise SystemExit(done.returncode)
    if output is not None:
        atomic_write(output, done.stdout)
