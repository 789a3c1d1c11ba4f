"""Clients that others wrote for the Open Inference Protocol get this model's answers.

They do not belong to the project's environment. ``CLIENTS_PYTHON`` names an interpreter that has them:

    python -m venv clients && clients/bin/pip install kserve 'tritonclient[http]'
    CLIENTS_PYTHON=clients/bin/python python -m pytest tests/clients
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_store import SentimentModel
from tests.support.server import Server, StartServer

PYTHON = os.environ.get("CLIENTS_PYTHON", sys.executable)
HERE = Path(__file__).parent
TEXTS = ["The soup was cold.", "Très bien 🎉 fine"]


@pytest.fixture(scope="module")
def server(tiny_bundle: Path, start_server: StartServer) -> Iterator[Server]:
    with start_server(model=tiny_bundle, threads=1) as server:
        yield server


def python(*arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(  # noqa: S603 - our own command
        [PYTHON, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize(("package", "script"), [("kserve", "kserve_sdk.py"), ("tritonclient.http", "triton.py")])
def test_a_client_gets_the_models_answers_as_json_and_as_bytes(request, tiny_bundle, package, script):
    if python("-c", f"import {package}").returncode:
        pytest.skip(f"{PYTHON} does not have {package}; set CLIENTS_PYTHON to one that does")
    server = request.getfixturevalue("server")  # only now, as it takes seconds to start
    done = python(str(HERE / script), server.url, "tiny", *TEXTS)
    assert done.returncode == 0, done.stderr
    expected = SentimentModel.load(tiny_bundle).predict(TEXTS)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == 2
    for labels, probabilities in answers:
        assert labels == [prediction.label for prediction in expected]
        for row, prediction in zip(probabilities, expected, strict=True):
            assert row == pytest.approx(list(prediction.scores.values()), abs=1e-6)
