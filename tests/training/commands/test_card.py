"""``python -m training card``: evidence goes into a bundle that is there, whole or not at all."""

import json
import shutil

import pytest

from model_store import SentimentModel
from model_store import bundle as bundles
from tests.support.paths import SAMPLE
from training.commands.main import main

BEHAVIOUR = [
    {"family": "not good", "kind": "minimum functionality", "capability": "negation", "cases": 40, "failures": 3},
    {"family": "names", "kind": "invariance", "capability": "fairness", "cases": 60, "failures": 0},
]
COMPARISON = [
    {"data": "sample/test.csv", "rows": 60, "method": method, "metric": "accuracy", "value": value}
    for method, value in (("VADER", 0.61), ("TF-IDF + LR", 0.72))
]


@pytest.fixture
def bundle(sure_bundle, tmp_path):
    return shutil.copytree(sure_bundle, tmp_path / "bundle")


def report(tmp_path, content, name="report.json"):
    path = tmp_path / name
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def card(bundle, *arguments):
    main(["card", str(bundle), *arguments])
    return bundles.read(bundle)  # verifies every hash


def test_reports_go_into_manifest_and_card_and_the_model_stays(bundle, tmp_path):
    before = bundles.read(bundle)
    behaviour, comparison = report(tmp_path, BEHAVIOUR), report(tmp_path, {"figures": COMPARISON}, "comparison.json")
    after = card(bundle, "--behavior", behaviour, "--comparison", comparison, "--not_intended_for", "[Poems.]")
    assert (after.graph, after.tokenizer) == (before.graph, before.tokenizer)
    assert [one.model_dump() for one in after.evaluation.behavior] == BEHAVIOUR
    assert (after.manifest, after.sha256) == (before.manifest, before.sha256)
    text = (bundle / "README.md").read_text()
    assert "| negation | not good | minimum functionality | 40 | 3 | 7.5% |" in text
    assert "| all |  | all | 100 | 3 | 3.0% |" in text
    assert "| sample/test.csv | 60 | accuracy | - | 61.00% | 72.00% |" in text
    assert "- Poems." in text
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["bundle", "comparison.json", "report.json"]


def test_what_is_not_named_is_kept(bundle, tmp_path):
    card(bundle, "--behavior", report(tmp_path, BEHAVIOUR))
    after = card(bundle, "--comparison", report(tmp_path, COMPARISON))
    assert len(after.evaluation.behavior) == 2
    assert len(after.evaluation.comparison) == 2


def test_a_measured_file_takes_the_place_of_its_earlier_figures(bundle, tmp_path):
    once = card(bundle, "--measure", str(SAMPLE / "test.csv")).evaluation
    twice = card(bundle, "--measure", f"[{SAMPLE / 'test.csv'}, {SAMPLE / 'validation.csv'}]").evaluation
    assert len(twice.metrics) == 2 * len(once.metrics)
    assert [one.data for one in twice.risk_coverage] == ["sample/test.csv", "sample/validation.csv"]
    model = SentimentModel.load(bundle)
    measured = {one.data: one for one in twice.risk_coverage}["sample/test.csv"]
    assert measured.confident.threshold == model.manifest.calibration.threshold
    accuracy = next(one for one in twice.metrics if (one.data, one.metric) == ("sample/test.csv", "accuracy"))
    assert measured.points[0].accuracy == pytest.approx(accuracy.value)
    compared = card(bundle, "--comparison", report(tmp_path, COMPARISON))
    assert compared.evaluation.metrics == twice.metrics
    ours = f"{100 * accuracy.value:.2f}% ({100 * accuracy.low:.2f} to {100 * accuracy.high:.2f})"
    assert f"| sample/test.csv | 60 | accuracy | {ours} | 61.00% | 72.00% |" in (bundle / "README.md").read_text()


def test_known_failures_are_asked_of_the_bundle(bundle, tmp_path, capsys):
    (answer,) = SentimentModel.load(bundle).predict(["The soup | was cold."])
    others = [label for label in ("negative", "neutral", "positive") if label != answer.label]
    entries = [{"text": "The soup | was cold.", "expected": label} for label in (others[0], answer.label)]
    after = card(bundle, "--known_failures", report(tmp_path, entries))
    assert [one.expected for one in after.evaluation.known_failures] == [others[0]]
    row = f"| The soup \\| was cold. | {others[0]} | {answer.label} | {answer.score:.1%} |"
    assert row in (bundle / "README.md").read_text()
    assert "No failure of this bundle, so left out: The soup | was cold." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--behavior", "has no list of objects that all have kind"),
        ("--measure", "no usable row"),
    ],
)
def test_a_report_that_cannot_be_used_leaves_the_bundle_as_it_was(bundle, tmp_path, capsys, option, reason):
    before = bundles.read(bundle).sha256
    with pytest.raises(SystemExit, match="1"):
        card(bundle, option, report(tmp_path, {}), *(["--on_bad_row", "skip"] if option == "--measure" else []))
    assert reason in capsys.readouterr().err
    assert bundles.read(bundle).sha256 == before


def test_a_folder_that_is_no_bundle_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["card", str(tmp_path / "gone")])
    assert "gone: there is no such folder" in capsys.readouterr().err
