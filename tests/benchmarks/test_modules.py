"""Every benchmark can be imported, so that none is left behind when names move."""

import subprocess
import sys

import pytest

from tests.support.paths import ROOT

# In a process of its own: some modules set environment variables before they import others.
IMPORT_ALL = """
import importlib, pkgutil, benchmarks
OPTIONAL = {"fasttext", "litserve", "mlserver", "optuna", "ray", "textblob", "vaderSentiment"}
for module in pkgutil.iter_modules(benchmarks.__path__):
    if module.name == "__main__":
        continue
    try:
        importlib.import_module("benchmarks." + module.name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
    print(module.name)
"""


@pytest.mark.slow
def test_every_benchmark_imports_what_exists():
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"adapt", "engine", "serving"} <= set(done.stdout.split())
