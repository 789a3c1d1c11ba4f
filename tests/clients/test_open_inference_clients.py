"""Clients that others wrote for the Open Inference Protocol get this model's answers."""

import json
from pathlib import Path

import pytest

from model_store import SentimentModel
from tests.clients.interpreter import python, skip_without

HERE = Path(__file__).parent
TEXTS = ["The soup was cold.", "Très bien 🎉 fine"]


@pytest.mark.parametrize(("package", "script"), [("kserve", "kserve_sdk.py"), ("tritonclient.http", "triton.py")])
def test_a_client_gets_the_models_answers_as_json_and_as_bytes(request, tiny_bundle, package, script):
    skip_without(package)
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
