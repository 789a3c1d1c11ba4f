"""Verdicts worked out by hand on models of a few lines, and the command on the shipped bundle."""

import json

import numpy as np
import pytest
from rich.console import Console

from training.commands.main import main
from training.evaluation.behavior import report
from training.evaluation.behavior.expectations import EXPECTATIONS, Answer, answers
from training.evaluation.behavior.families import Family, read_families
from training.evaluation.behavior.suite import NoPolarityError, run_suite

THREE = [-1.0, 0.0, 1.0]


def by_words(texts):
    """Knows two words and no negation: "good" is positive, "bad" negative, anything else neutral; "" has no token."""
    rows = {"good": [0.0, 0.2, 0.8], "bad": [0.9, 0.1, 0.0]}
    found = [next((rows[word] for word in rows if word in text.lower()), [0.1, 0.8, 0.1]) for text in texts]
    return np.array([row if text else [np.nan] * 3 for text, row in zip(texts, found, strict=True)])


def family(expect, *templates, kind="MFT", name="a family", capability="c"):
    return Family(name, kind, capability, expect, templates, None, {"w": ["good", "bad", "red", "old"]})


def failures(*family_arguments, **options):
    (result,) = run_suite([family(*family_arguments, **options)], by_words, THREE)
    return sorted(failure.texts for failure in result.examples), result.failures, result.cases


def test_a_text_fails_whose_answer_is_another():
    assert failures("positive", ("{w}",)) == ([("Bad",), ("Old",), ("Red",)], 3, 4)
    assert failures("negative", ("{w}",)) == ([("Good",), ("Old",), ("Red",)], 3, 4)
    assert failures("not negative", ("{w}",)) == ([("Bad",)], 1, 4)
    assert failures("not positive", ("{w}",)) == ([("Good",)], 1, 4)
    assert failures("neutral", ("{w}",)) == ([("Bad",), ("Good",)], 2, 4)  # polarities -0.9, 0.8 and 0.0


def test_a_change_that_must_not_matter_fails_where_the_answer_changes():
    assert failures("same", ("so {w}", "{w}"), kind="INV")[1:] == (0, 4)
    swapped = failures("same", ("x {w1}", "x {w2}"), kind="INV")
    assert swapped[1:] == (10, 12)  # only "red" for "old" and "old" for "red" stay what they were


def test_a_small_move_across_a_border_is_no_change_of_mind():
    almost = [Answer("neutral", 0.30), Answer("positive", 0.39)]
    far = [Answer("neutral", 0.30), Answer("positive", 0.41)]
    assert EXPECTATIONS["same"].holds(almost)
    assert not EXPECTATIONS["same"].holds(far)


@pytest.mark.parametrize(
    ("expect", "moves_that_hold"),
    [
        ("not lower", [-0.09, 0.0, 0.5]),
        ("not higher", [-0.5, 0.0, 0.09]),
        ("lower", [-0.5, -0.11]),
        ("higher", [0.11, 0.5]),
    ],
)
def test_directions_allow_moves_of_a_tenth(expect, moves_that_hold):
    moves = [-0.5, -0.11, -0.09, 0.0, 0.09, 0.11, 0.5]
    held = [
        move for move in moves if EXPECTATIONS[expect].holds([Answer("neutral", 0.1), Answer("neutral", 0.1 + move)])
    ]
    wider = {"not lower": [0.09, 0.11], "not higher": [-0.11, -0.09]}.get(expect, [])
    assert held == sorted([*moves_that_hold, *wider])


def test_a_text_without_an_answer_fails_every_expectation():
    nothing, something = Answer(None, float("nan")), Answer("positive", 0.9)
    for expectation in EXPECTATIONS.values():
        assert not expectation.holds([nothing, something])
    assert answers(np.array([[np.nan, np.nan]]), [-1.0, 1.0])[0].side is None


def test_shades_of_one_side_are_added_up():
    five = [-1.0, -0.5, 0.0, 0.5, 1.0]
    (answer,) = answers(np.array([[0.0, 0.1, 0.35, 0.25, 0.3]]), five)
    assert answer.side == "positive"  # 0.55 against 0.35, though neutral is the single highest
    assert answer.polarity == pytest.approx(-0.05 + 0.125 + 0.3)


def test_a_model_without_neutral_is_not_asked_for_it():
    def two(texts):
        return np.array([[0.9, 0.1]] * len(texts))

    results = run_suite([family("neutral", ("{w}",)), family("not negative", ("{w}",), name="other")], two, [-1.0, 1.0])
    assert results[0].cases == 0
    assert results[0].not_applicable == "the model has no neutral label"
    assert (results[1].failures, results[1].cases, results[1].not_applicable) == (4, 4, None)
    assert "does not apply" in report.markdown(results)
    assert "Does not apply, since the model has no neutral label: a family." in report.markdown(results)


@pytest.mark.parametrize("polarities", [[None, 1.0], [0.0, 1.0], [-1.0, 0.0]])
def test_labels_without_two_sides_are_refused(polarities):
    with pytest.raises(NoPolarityError, match="on both sides of 0"):
        run_suite([family("positive", ("{w}",))], by_words, polarities)


def test_the_interval_is_wilsons():
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3: 0/20, 1/29, 81/263.
    def interval(count, of):
        texts = [f"bad {number}" if number < count else f"good {number}" for number in range(of)]
        result = run_suite([family("positive", *((text,) for text in texts))], by_words, THREE, max_cases=of)[0]
        assert (result.failures, result.cases) == (count, of)
        return round(result.low, 4), round(result.high, 4)

    assert interval(0, 20) == (0.0, 0.1611)
    assert interval(1, 29) == (0.0061, 0.1718)
    assert interval(81, 263) == (0.2553, 0.3662)


def test_totals_add_up_by_capability():
    results = run_suite(
        [
            family("positive", ("{w}",), name="first"),
            family("negative", ("{w}",), name="second"),
            family("not negative", ("{w}",), name="third", capability="d"),
        ],
        by_words,
        THREE,
    )
    assert [(total.name, total.families, total.cases, total.failures) for total in report.totals(results)] == [
        ("c", 2, 8, 6),
        ("d", 1, 4, 1),
        ("all", 3, 12, 7),
    ]


def test_a_failure_is_shown_with_what_was_expected_and_what_came():
    results = run_suite([family("negative", ("not {w}",))], by_words, THREE)
    console = Console(width=200, record=True)
    report.show(results, console)
    shown = console.export_text()
    assert "c: a family (expected: negative)" in shown
    assert "Not good [positive, +0.80]" in shown


def test_each_text_is_read_once():
    asked = []

    def score(texts):
        asked.extend(texts)
        return by_words(texts)

    run_suite(read_families(), score, THREE, max_cases=20)
    assert len(set(asked)) == len(asked) > 1000


def test_the_command_reports_on_the_shipped_bundle(tmp_path, capsys):
    main(["evaluate", "--to", str(tmp_path), "--cases", "4"])
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    families = read_families()
    assert [entry["name"] for entry in written["families"]] == [entry.name for entry in families]
    assert all(0 < entry["cases"] <= 4 for entry in written["families"])
    assert written["model"]["kind"] == "bundle"
    assert written["totals"][-1]["cases"] == sum(entry["cases"] for entry in written["families"])
    by_name = {entry["name"]: entry for entry in written["families"]}
    assert by_name["one positive word"]["failures"] == 0
    card = (tmp_path / "behavior.md").read_text(encoding="utf-8")
    for entry in families:
        assert f"| {entry.capability}: {entry.name} |" in card
    assert "one positive word" in capsys.readouterr().out


@pytest.mark.parametrize("old", ["--behaviour", "--behavior"])
def test_the_flag_that_was_mandatory_is_read_and_not_needed(old, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["evaluate", old, "nowhere"])
    error = capsys.readouterr().err
    assert f"{old} is no longer needed" in error
    assert "nowhere" in error


def test_no_cases_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "--cases", "0"])
    assert "--cases is 0, but it should be at least 1" in capsys.readouterr().err
