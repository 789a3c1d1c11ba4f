"""Every benchmark can be imported, so that none is left behind when names move."""

import importlib
import pkgutil

import pytest

import benchmarks

NAMES = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name != "__main__")
OPTIONAL = {"fasttext", "litserve", "optuna", "ray", "textblob", "vaderSentiment"}


@pytest.mark.parametrize("name", NAMES)
def test_it_imports_what_exists(name, monkeypatch):
    for variable in ("PROMETHEUS_MULTIPROC_DIR", "OPENBLAS_NUM_THREADS", "BENTOML_DO_NOT_TRACK", "SENTIMENT_THREADS"):
        monkeypatch.setenv(variable, "")  # some modules set it; the environment is as before afterwards
    try:
        importlib.import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"{error.name} is not installed")
