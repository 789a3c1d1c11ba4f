"""A client that openapi-python-client generates from the service's own document gets this model's answers."""

import json
import shutil
from pathlib import Path

import pytest

from model_store import SentimentModel
from tests.clients.interpreter import python, skip_without

SCRIPT = Path(__file__).parent / "generated.py"
TEXTS = ["The soup was cold.", "", "Très bien 🎉 fine"]


def test_a_generated_client_gets_answers_and_errors(request, tiny_bundle, tmp_path):
    skip_without("openapi_python_client")
    server = request.getfixturevalue("server")  # only now, as it takes seconds to start
    document = f"{server.url}/openapi.json"
    options = ("--meta", "none", "--output-path", "sentiment_client")
    generated = python("-m", "openapi_python_client", "generate", "--url", document, *options, folder=tmp_path)
    assert generated.returncode == 0, generated.stdout + generated.stderr
    shutil.copy(SCRIPT, tmp_path)
    done = python(SCRIPT.name, server.url, *TEXTS, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    answer, problem = map(json.loads, done.stdout.splitlines())
    expected = SentimentModel.load(tiny_bundle).predict([TEXTS[0], TEXTS[2]], explain=True)
    assert [result["index"] for result in answer["results"]] == [0, 2]
    assert [error["code"] for error in answer["errors"]] == ["empty_text"]
    for result, prediction in zip(answer["results"], expected, strict=True):
        assert result["label"] == prediction.label
        assert result["scores"] == pytest.approx(prediction.scores, abs=1e-6)
        assert [token["text"] for token in result["tokens"]] == [token.text for token in prediction.tokens]
    assert (problem["code"], problem["param"]) == ("invalid_request", "texts")
