"""The interpreter that has the clients: the project's own, or one that has those which would clash with it.

``make clients`` installs the other one; ``CLIENTS_PYTHON`` names one of your own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

INSTALLED = ROOT / "build" / "clients" / "bin" / "python"
PYTHON = os.environ.get("CLIENTS_PYTHON") or (str(INSTALLED) if INSTALLED.exists() else sys.executable)


def python(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run that interpreter in a folder, without this project on its path."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603 - our own command
        [PYTHON, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def skip_without(package: str) -> None:
    """Skip the test if that interpreter lacks a package."""
    # Found, not imported, which takes some of them seconds.
    if python("-c", f"import importlib.util, sys; sys.exit(importlib.util.find_spec('{package}') is None)").returncode:
        pytest.skip(f"{PYTHON} does not have {package}; `make clients` installs it")
