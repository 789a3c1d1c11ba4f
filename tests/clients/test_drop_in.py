"""The examples of ``docs/how-to/drop-in.md`` run as they stand there, but for address and model."""

import json
import re

import pytest

from model_store import SentimentModel
from tests.clients.interpreter import python, skip_without
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "how-to" / "drop-in.md").read_text()
EXAMPLES = dict(re.findall(r"^### (.+?)$.*?^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))
TEXT = "The soup was cold."

SHOWN = {
    "Hugging Face's InferenceClient": "[[one.label, one.score] for one in scores]",
    "OpenAI": "answer.data[0].embedding",
    "LangChain": "vectors[0]",
    "LlamaIndex": "vectors[0]",
    "Triton": "labels.tolist()[0].decode()",
    "KServe": "answer.outputs[0].data[0]",
    "infinity": "[[one.label, one.score] for one in answer.data[0]]",
    "Any HTTP client, as for vLLM": "answer['data'][0]['probs']",
}
"""What each example ends with, as an expression that gives JSON."""


@pytest.fixture
def infinity_server(tiny_bundle, start_server):
    """infinity's and vLLM's API are at the same path, so one server has one of them."""
    with start_server(model=tiny_bundle, threads=1, adapters="infinity") as server:
        yield server


@pytest.fixture(scope="module")
def answers(tiny_bundle):
    """The same of the model itself."""
    model = SentimentModel.load(tiny_bundle)
    (prediction,) = model.predict([TEXT])
    (vector,) = model.embed([TEXT])
    unit = (vector / (vector @ vector) ** 0.5).tolist()
    scores = sorted(prediction.scores.items(), key=lambda pair: -pair[1])
    return {
        "Hugging Face's InferenceClient": [[label, pytest.approx(score, abs=1e-6)] for label, score in scores],
        "OpenAI": pytest.approx(vector.tolist(), abs=1e-6),
        "LangChain": pytest.approx(vector.tolist(), abs=1e-6),
        "LlamaIndex": pytest.approx(unit, abs=1e-6),
        "Triton": prediction.label,
        "KServe": prediction.label,
        "infinity": [[label, pytest.approx(score, abs=1e-6)] for label, score in scores],
        "Any HTTP client, as for vLLM": pytest.approx(list(prediction.scores.values()), abs=1e-6),
    }


def test_the_page_has_these_examples_and_no_others():
    assert set(EXAMPLES) == set(SHOWN)


@pytest.mark.parametrize("name", SHOWN)
def test_an_example_gives_the_models_answer(request, answers, name):
    code = EXAMPLES[name]
    skip_without(re.findall(r"^(?:from|import) (\S+)", code, flags=re.MULTILINE)[-1])
    other = "infinity_server" if name == "infinity" else "server"
    server = request.getfixturevalue(other)  # only now, as it takes seconds to start
    code = code.replace("127.0.0.1:3000", server.url.removeprefix("http://")).replace("sentiment-bilstm", "tiny")
    done = python("-c", f"{code}\nimport json\nprint(json.dumps({SHOWN[name]}))")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == answers[name]
