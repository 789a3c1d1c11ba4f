"""The card says what the manifest and the evaluation say, and no more."""

from pathlib import Path

import pytest

from model_store import SentimentModel, manifest_file
from model_store import bundle as bundles
from model_store.card import duration, model_card
from model_store.evaluation import Behavior, Comparison, CoveragePoint, Evaluation, Measurement, RiskCoverage
from model_store.manifest import Calibration, Machine, Training

FIRST = Path(__file__).parent / "first_manifest.json"
"""Of a bundle that was shipped before bundles had intervals, thresholds and behaviour."""


@pytest.fixture(scope="module")
def manifest(sure_bundle):
    return bundles.read(sure_bundle).manifest


def card(manifest, evaluation=None, **changes):
    return model_card(manifest.replace(**changes), evaluation or Evaluation())


def trained(**facts):
    return Training(**{"command": None, "files": [], "epochs": 1, "seed": 1, "sources": [], **facts})


def test_a_manifest_of_before_has_a_card_without_what_it_lacks():
    text = model_card(*manifest_file.unpack(FIRST, FIRST.read_bytes()))
    for title in ("Intended use", "Confident answers", "Other methods", "Behavior", "Known failures"):
        assert title not in text
    assert "| sst/test.txt.gz | 2,210 | 72.67% | 88.19%, 1,821 texts | 64.77% | 4.48% |" in text
    assert "It took" not in text


def test_figures_have_their_intervals_and_each_command_its_data(manifest):
    figures = [
        Measurement(data=data, rows=50, metric="accuracy", value=0.8, low=0.7, high=0.9, command=command)
        for data, command in (("a.csv", "do this"), ("b.csv", "do this"), ("c.csv", "do that"))
    ]
    text = card(manifest, Evaluation(metrics=figures))
    assert "| a.csv | 50 | 80.00% (70.00 to 90.00) |" in text
    assert "a.csv, b.csv with:\n\n    do this\n" in text
    assert "c.csv with:\n\n    do that\n" in text


def test_this_model_has_one_column_beside_other_methods(manifest):
    here = f"{manifest.name} {manifest.version}"
    figures = [
        Comparison(data=data, rows=50, method=method, training_data=training_data, metric="accuracy", value=value)
        for data, method, training_data, value in (
            ("a.csv", here, "one.csv, other.csv", 0.8),
            ("a.csv", "VADER", None, 0.7),
            ("a.csv", "fastText", "IMDb", 0.5),
            ("b.csv", "VADER", None, 0.6),
        )
    ]
    own = Measurement(data="b.csv", rows=50, metric="accuracy", value=0.9, low=None, high=None, command="do this")
    text = card(manifest, Evaluation(comparison=figures, metrics=[own]))
    assert "| data | texts | metric | this model | VADER | fastText (IMDb) |\n" in text
    assert "| a.csv | 50 | accuracy | 80.00% | 70.00% | 50.00% |" in text
    assert "| b.csv | 50 | accuracy | 90.00% | 60.00% | - |" in text


def test_the_card_says_how_it_multiplies(manifest):
    assert "| arithmetic | 32 bits |" in card(manifest)
    assert "| arithmetic | recurrent layers in 8 bits |" in card(manifest, arithmetic="int8")


def test_risk_and_coverage_side_by_side(manifest):
    points = [
        CoveragePoint(coverage=1.0, accuracy=0.8, threshold=0.4),
        CoveragePoint(coverage=0.5, accuracy=0.96, threshold=0.9),
    ]
    sure = CoveragePoint(coverage=0.55, accuracy=0.95, threshold=0.85)
    curves = [
        RiskCoverage(data="a.csv", rows=200, points=points, confident=sure),
        RiskCoverage(data="b.csv", rows=100, points=points[:1], confident=None),
    ]
    text = card(manifest, Evaluation(risk_coverage=curves))
    assert "| data | texts | 100% kept | 50% kept |" in text
    assert "| a.csv | 200 | 80.00% | 96.00% |" in text
    assert "| b.csv | 100 | 80.00% | - |" in text
    assert "| a.csv | 0.4000 | 0.9000 | 55.00% | 95.00% |" in text
    assert "| b.csv | 0.4000 | - | - | - |" in text


def test_behavior_is_added_up_by_kind(manifest):
    families = [
        Behavior(family=name, kind=kind, capability="negation", cases=cases, failures=failures)
        for name, kind, cases, failures in (("a", "MFT", 10, 1), ("b", "MFT", 30, 3), ("c", "INV", 60, 0))
    ]
    text = card(manifest, Evaluation(behavior=families))
    assert "| all |  | MFT | 40 | 4 | 10.0% |" in text
    assert "| all |  | INV | 60 | 0 | 0.0% |" in text
    assert "| all |  | all | 100 | 4 | 4.0% |" in text


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        ([], "was not given."),
        (["Treebank: no licence stated", "Vectors (PDDL)"], "No training on non-commercial data: no source"),
        (["Treebank", "Tweets, CC BY-NC-SA 4.0"], "These sources forbid commercial use: Tweets, CC BY-NC-SA 4.0."),
        (["News (non-commercial use only)"], "These sources forbid commercial use: News (non-commercial use only)."),
    ],
)
def test_commercial_use_follows_from_the_sources(manifest, sources, sentence):
    assert sentence in card(manifest, training=trained(sources=sources))


def test_a_run_that_began_with_another_ones_weights_names_both(manifest):
    first = trained(command="first", seconds=60, sources=["Treebank", "Tweets, CC BY-NC-SA 4.0"], epochs=3)
    text = card(manifest, training=trained(command="second", sources=["Treebank"], initialized_from=first))
    places = [text.index(part) for part in ("    second\n", "began with the weights of an earlier run", "    first\n")]
    assert places == sorted(places)
    assert "3 epochs, seed 1" in text
    assert text.count("- Treebank\n") == 1
    assert "These sources forbid commercial use: Tweets, CC BY-NC-SA 4.0." in text


def test_nothing_is_said_of_licences_where_an_earlier_run_gave_no_sources(manifest):
    text = card(manifest, training=trained(sources=["Treebank"], initialized_from=trained()))
    assert "the data of one of these runs comes from, and under which license, was not given." in text
    assert "No training on non-commercial data" not in text


@pytest.mark.parametrize(
    ("seconds", "words"), [(5.4, "5 s"), (60, "1 min 0 s"), (3599.7, "1 h 0 min 0 s"), (90061, "25 h 1 min 1 s")]
)
def test_a_duration_in_words(seconds, words):
    assert duration(seconds) == words


def test_the_machine_is_named_with_what_it_had(manifest):
    one = Machine(processor="Abacus 3", cores=1)
    four = Machine(processor="Abacus 3", cores=16, accelerator="Loom 9", devices=4)
    assert "It took 10 s on one core of Abacus 3 until" in card(manifest, training=trained(seconds=10, machine=one))
    text = card(manifest, training=trained(seconds=10, machine=four))
    assert "It took 10 s on 4 x Loom 9, with 16 cores of Abacus 3 until" in text


def test_confident_means_reaching_the_threshold(sure_bundle):
    model = SentimentModel.load(sure_bundle)
    threshold = model.manifest.calibration.threshold
    answers = model.predict(["cold soup", "fine"])
    assert [answer.confident for answer in answers] == [answer.score >= threshold for answer in answers]
    assert {answer.confident for answer in answers} == {True, False}
    exactly = Calibration(temperature=1, data=None, rows=0, threshold=0.5, target_accuracy=0.9)
    assert exactly.is_confident(0.5) is True
    assert exactly.is_confident(0.4999) is False


def test_a_bundle_without_a_threshold_does_not_say(tiny_bundle):
    assert SentimentModel.load(tiny_bundle).predict(["fine"])[0].confident is None
