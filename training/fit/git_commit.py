"""Which version of the code ran, where the code stands in a git repository."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent


@cache
def git_commit(folder: Path = HERE) -> dict[str, dict[str, str | bool]]:
    """``{"git": {"commit", "dirty"}}``, or nothing where git or the repository is absent.

    A virtual environment inside somebody's repository is not of that repository: the code must be tracked by it.
    """
    git = shutil.which("git")
    if git is None or _output(git, folder, "ls-files", "--error-unmatch", ".") is None:
        return {}
    commit, changes = _output(git, folder, "rev-parse", "HEAD"), _output(git, folder, "status", "--porcelain")
    if commit is None:
        return {}
    return {"git": {"commit": commit, "dirty": bool(changes)}}


def _output(git: str, folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(  # noqa: S603 - git with arguments of our own
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
