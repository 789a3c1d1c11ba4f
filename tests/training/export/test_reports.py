"""Reports are read whatever else they say, and refused with their place where they lack what is needed."""

import json

import pytest

from model_store import SentimentModel
from training.export.reports import EvidenceError, read_behavior, read_comparison, read_known_failures

FAMILY = {"family": "not + positive", "kind": "MFT", "capability": "negation", "cases": 20, "failures": 3}
FIGURE = {"data": "sst/test.txt.gz", "rows": 1821, "method": "VADER", "metric": "polar_accuracy", "value": 0.657}


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "report.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


def test_a_report_may_say_more_and_have_its_list_one_level_down(write):
    more = {**FAMILY, "examples": ["It is not good."], "threshold": 0.1}
    for content in ([more], {"model": {"sha256": "0"}, "seeds": [1], "families": [more]}):
        assert [one.model_dump() for one in read_behavior(write(content))] == [FAMILY]


def test_a_family_may_be_called_by_name_and_one_without_a_case_says_nothing(write):
    named = {"name" if key == "family" else key: value for key, value in FAMILY.items()}
    idle = {**named, "cases": 0, "failures": 0}
    assert [one.model_dump() for one in read_behavior(write({"families": [idle, named]}))] == [FAMILY]


@pytest.mark.parametrize("name", ["training_data", "learnt_from"])  # the second in reports of before
def test_a_system_may_have_several_figures_on_its_data(write, name):
    bounds = {"value": 0.839, "low": 0.82, "high": 0.86, "rows": 1821}
    system = {
        "data": "SST-2 test", "rows": 1821, "system": "TF-IDF + LR", name: "IMDb", "seconds": 3.0,
        "figures": {"accuracy": bounds, "macro_f1": {**bounds, "value": 0.83}},
    }  # fmt: skip
    first, second = read_comparison(write({"libraries": {}, "measured": [system]}))
    method = {"method": "TF-IDF + LR", "training_data": "IMDb"}
    assert first.model_dump() == {"data": "SST-2 test", **method, "metric": "accuracy", **bounds}
    assert (second.metric, second.value) == ("macro_f1", 0.83)


def test_bounds_of_a_figure_may_be_absent(write):
    first, second = read_comparison(write([FIGURE, {**FIGURE, "low": 0.63, "high": 0.68, "seconds": 3}]))
    assert (first.low, first.high) == (None, None)
    assert (second.low, second.high) == (0.63, 0.68)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not valid JSON"),
        ([], "has no list of objects that all have kind, capability, cases, failures"),
        ([{**FAMILY}, {"family": "x"}], "has no list of objects"),
        ([{**FAMILY, "cases": 0}, {**FAMILY, "cases": -1}], "entry 2: cases: Input should be greater than"),
        ([{**FAMILY, "failures": 21}], "entry 1: Value error, not . positive has 21 failures of 20 cases"),
    ],
)
def test_a_report_that_cannot_be_used_is_refused_with_its_place(write, content, reason):
    with pytest.raises(EvidenceError, match=rf"report\.json.*{reason}"):
        read_behavior(write(content))


def test_a_report_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EvidenceError, match=r"gone\.json: cannot be read \(No such file"):
        read_comparison(tmp_path / "gone.json")


def test_known_failures_have_the_models_own_answers_and_no_successes(write, model):
    (answer,) = model.predict(["The soup was cold."])
    other = next(label for label in model.manifest.label_names if label != answer.label)
    entries = [
        {"text": "The soup was cold.", "expected": other, "label": "made up", "score": 7},
        {"text": "The soup was cold.", "expected": answer.label},
    ]
    failures, right = read_known_failures(write(entries), model)
    assert [one.model_dump() for one in failures] == [
        {"text": "The soup was cold.", "expected": other, "label": answer.label, "score": answer.score}
    ]
    assert right == ["The soup was cold."]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"text": "fine", "expected": "joyful"}, "entry 1: 'joyful' is not a label of the model"),
        ({"text": " ", "expected": "neutral"}, "entry 1: the text has no tokens"),
    ],
)
def test_a_known_failure_that_the_model_cannot_have_is_refused(write, model, entry, reason):
    with pytest.raises(EvidenceError, match=reason):
        read_known_failures(write([entry]), model)
