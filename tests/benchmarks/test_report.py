"""Tables and plots of the studies, and their places in a page."""

import json
from dataclasses import asdict

import pytest

from benchmarks.engine import OURS
from benchmarks.growth import curve, fitted_values
from benchmarks.report import (
    WRITERS,
    accuracy_plots,
    accuracy_table,
    engine_table,
    growth_table,
    learning_plots,
    learning_table,
    sentence_beside,
    serving_table,
    with_table,
    write,
)
from tests.support.paths import ROOT
from training.recipes.default.measured_sets import TWO

PAGE = "before\n<!-- study:engine -->\nold\n<!-- end -->\nafter\n"


def engine_row(contestant, tokens, milliseconds):
    return {
        "contestant": contestant,
        "tokens": tokens,
        "texts": 1,
        "milliseconds": milliseconds,
        "low": milliseconds,
        "high": milliseconds,
        "times_ours": milliseconds / 2,
    }


ENGINE = {
    "rows": [
        engine_row("slow one", 5, 40.0),
        engine_row("slow one", 25, 1234.0),
        engine_row(OURS, 5, 2.0),
        {**engine_row(OURS, 25, 2.0), "high": 2.5},
    ],
    "peaks": {"32": 90.0, "8": 400.0},
    "reached": {"5 x 1": 60.0, "25 x 1": 100.0},
}


def measured(system, milliseconds, accuracy, data="SST-2 test", megabytes=1.0):
    figures = {"accuracy": {"value": accuracy}}
    return {
        "system": system,
        "training_data": None,
        "data": data,
        "labels": TWO,
        "milliseconds": milliseconds,
        "size": 1e6 * megabytes,
        "learning_seconds": 12.3,
        "figures": figures,
    }


def test_a_table_takes_the_place_of_the_one_before():
    assert with_table(PAGE, "engine", ["new", "lines"]) == (
        "before\n<!-- study:engine -->\n\nnew\nlines\n\n<!-- end -->\nafter\n"
    )
    with pytest.raises(ValueError, match="no place <!-- study:growth -->"):
        with_table(PAGE, "growth", [])


def test_the_page_has_a_place_for_every_study():
    page = (ROOT / "docs" / "reference" / "performance.md").read_text()
    for name in WRITERS:
        assert with_table(page, name, [name]) != page


def test_the_engines_table_has_times_and_ratios_the_fastest_first():
    lines = list(engine_table(ENGINE))
    assert lines[2] == f"| {OURS} | 2 (1x) | 2 (1x) |"
    assert lines[3] == "| slow one | 40 (20x) | 1.23e+03 (620x) |"
    assert "at most 25% of the bound" in " ".join(lines)
    assert lines[-1] == "The middle half of a cell's calls spans 0% of their median, 25% at most."


def test_a_curve_that_follows_its_law_has_no_error():
    linear = curve("a", x="x", y="y", points=[1, 2, 5], values=[5, 8, 17])
    assert linear.fitted == pytest.approx((2, 3))
    assert linear.largest_error == pytest.approx(0, abs=1e-9)
    proportional = curve("b", x="x", y="y", points=[1, 2], values=[3, 6], law="b x")
    assert proportional.fitted == pytest.approx((0, 3))
    shared = curve("c", x="x", y="y", points=[1, 2, 4], values=[5, 3.5, 2.75], law="a + b / x", spread=0.07)
    assert (shared.fitted, fitted_values(shared)) == (pytest.approx((2, 3)), pytest.approx([5, 3.5, 2.75]))
    lines = list(growth_table([asdict(linear), asdict(shared)]))
    assert ("|  | 2 + 3 x | 0% |" in lines[2], "| 7% | 2 + 3 / x | 0% |" in lines[3]) == (True, True)


def test_the_error_of_a_law_is_relative_to_the_measured_value():
    same = curve("a", x="x", y="y", points=[1, 2], values=[1, 1], law="b x")
    # (b - 1)^2 + (2 b - 1)^2 is least at b = 3/5.
    assert (same.fitted, same.largest_error) == (pytest.approx((0, 3 / 5)), pytest.approx(0.4))


def test_a_row_has_what_a_system_costs_and_the_percent_right():
    lines = list(accuracy_table({"measured": [measured("fast", 0.123, 0.8, megabytes=2.5)]}))
    assert lines == [
        "|  | s to learn | MB | ms a text | SST-2 test |",
        "|---" * 5 + "|",
        "| fast | 12 | 2.5 | 0.12 | 80.0 |",
    ]


def test_a_system_with_several_lessons_has_a_row_for_each():
    one, other = ({**measured("learner", 0.1, 0.8), "training_data": data} for data in ("sentences", "phrases"))
    lines = list(accuracy_table({"measured": [one, other, measured("lexicon", 0.1, 0.7)]}))
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| learner (sentences)", "| learner (phrases)", "| lexicon"]


def test_servers_are_compared_round_by_round():
    def served(contestant, rates):
        row = dict.fromkeys(("rate_over_bentoml", "p50_over_bentoml", "requests_per_second", "p50_ms", "p99_ms"), 1.0)
        return {**row, "contestant": contestant, "connections": 8, "rounds": {"requests_per_second": rates}}

    ours, other, empty = served("service", [30, 20, 50]), served("fastapi", [10, 20, 25]), served("bentoml", [9, 9, 9])
    ours_alone, other_alone = {**ours, "connections": 1}, {**other, "connections": 1}
    lines = list(serving_table({"figures": [ours_alone, ours, other_alone, other, empty], "costs": []}))
    assert lines[10:14] == [
        "| connections | fastapi |",
        "|---|---|",
        "| 1 | 2.00 (1.00 to 3.00) |",
        "| 8 | 2.00 (1.00 to 3.00) |",
    ]
    cost = {"server": "service", "start_seconds": [2.0, 3.5, 2.5], "mebibytes": 180.4}
    lines = list(serving_table({"figures": [ours, empty], "costs": [cost]}))
    assert "fastapi" not in " ".join(lines)  # nothing to compare with
    assert lines[-1] == "| service | 2.50 (2.00 to 3.50) | 180 |"


def test_the_front_is_what_nothing_beats_in_cost_and_accuracy():
    fast, right = measured("fast", 0.1, 0.8, megabytes=10), measured("right", 1.0, 0.9, megabytes=3)
    study = {"measured": [fast, right, measured("neither", 2.0, 0.7, megabytes=4)]}
    by_time, by_size = accuracy_plots(study)
    for plot in (by_time, by_size):
        assert all(name in plot.svg for name in ("fast", "right", "neither"))
    blue, orange = "var(--plot-blue)", "var(--plot-orange)"
    assert by_time.svg.count(blue) > by_time.svg.count(orange) > 0
    assert by_size.svg.count(orange) > by_size.svg.count(blue) > 0  # the small one is right, too


def test_a_study_is_written_with_its_plots(tmp_path):
    page, figures = tmp_path / "page.md", tmp_path / "engine.json"
    page.write_text(PAGE)
    figures.write_text(json.dumps(ENGINE))
    sentence_beside(figures).write_text("Measured on a quiet day.")
    write("engine", figures, page=page, images=tmp_path / "images")
    assert "Measured on a quiet day.\n\n| " in page.read_text()
    assert "](images/engine.svg)" in page.read_text()
    assert "<svg" in (tmp_path / "images" / "engine.svg").read_text()


def test_learning_has_a_row_and_a_line_for_each_learner():
    few = {"learner": "fast", "rows": 1000, "seconds": 0.64, "mebibytes": 104.07, "accuracy": 0.7886}
    many = {**few, "rows": 50_000, "seconds": 1234.5}
    assert list(learning_table([few, many]))[2:] == [
        "| fast | 1,000 | 0.6 | 104 | 78.9 |",
        "| fast | 50,000 | 1,234.5 | 104 | 78.9 |",
    ]
    (plot,) = learning_plots([few, many, {**few, "learner": "right", "accuracy": 0.9}])
    assert all(f">{name}<" in plot.svg for name in ("fast", "right"))
