"""``bentoml build``: without a network, with nothing but what serving needs, and what it makes is the service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from model_store import SentimentModel
from tests.support.paths import ROOT

SERVED = ["service", "model_store", "pyproject.toml", "README.md", "LICENSE"]
NOWHERE = "http://127.0.0.1:9"  # the discard port: every request to the network fails at once

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bento")]  # one process, so that it is built once


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BentoML home of its own, with the built bento."""
    home = tmp_path_factory.mktemp("home")
    environment = of_its_own(home) | {"PIP_NO_INDEX": "1"}
    environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), NOWHERE)
    command = [sys.executable, "-m", "bentoml", "build", "."]
    built = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return home


@pytest.fixture(scope="module")
def bento(home: Path) -> Path:
    """The built bento's folder."""
    built = home / "bentos" / "sentiment"
    return built / (built / "latest").read_text()


def of_its_own(home: Path) -> dict[str, str]:
    """An environment without the settings of whoever runs the tests."""
    unwanted = ("SENTIMENT_", "PROMETHEUS_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return environment | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "true", "PATH": path}


def files_below(folder: Path) -> Iterator[str]:
    return (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_it_carries_what_serving_needs_and_nothing_else(bento):
    # What a clean clone has of it, as git tells: no cache, no run, no test, no training, no benchmark, no data.
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *SERVED]
    expected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    assert sorted(files_below(bento / "src")) == sorted([*expected.rstrip("\0").split("\0"), "bentofile.yaml"])
    assert {path.name for path in bento.iterdir()} == {"src", "env", "apis", "bento.yaml", "README.md"}


def test_it_asks_for_no_package_of_training(bento):
    asked = (bento / "env" / "python" / "requirements.txt").read_text()
    assert "onnxruntime" in asked
    assert not {"torch", "pytorch-lightning", "onnx", "pytest"} & {line.split(">")[0] for line in asked.splitlines()}


def test_what_it_serves_equals_the_model(home, bento, start_server):
    texts = ["A warm, funny evening.", "The soup was cold."]
    with start_server(bento_home=home, threads=1) as server:
        answer = httpx.post(f"{server.url}/v1/predict", json={"texts": texts})
    assert answer.status_code == httpx.codes.OK
    predictions = SentimentModel.load(bento / "src" / "model_store" / "default").predict(texts)
    for result, prediction in zip(answer.json()["results"], predictions, strict=True):
        assert result["label"] == prediction.label
        assert result["scores"] == pytest.approx(prediction.scores, abs=1e-6)
