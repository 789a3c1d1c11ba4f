"""Data errors and what is done about them."""

import pickle
from pathlib import Path

import pytest

from training.data.examples import DataError, SkippedRows


def an_error(line):
    return DataError(Path("folder/reviews.csv"), line, problem="the label is empty.", fix="Fill it in.")


def test_an_error_names_the_file_the_line_the_problem_and_the_fix():
    assert str(an_error(1204)) == "reviews.csv, line 1,204: the label is empty.\nFill it in."


def test_an_error_about_a_whole_file_names_its_path():
    error = DataError(Path("folder/reviews.csv"), None, problem="there is no such file.", fix="Check the path.")
    assert str(error) == "folder/reviews.csv: there is no such file.\nCheck the path."


def test_an_error_survives_the_way_to_another_process():
    error = DataError(Path("a.parquet"), 3, problem="the text is empty.", fix="Every row needs a text.", unit="row")
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made on the same line
    assert str(copy) == "a.parquet, row 3: the text is empty.\nEvery row needs a text."
    assert (copy.path, copy.line) == (Path("a.parquet"), 3)


def test_stop_raises_the_error_it_is_given():
    error = an_error(2)
    with pytest.raises(DataError) as raised:
        SkippedRows("stop").record(error)
    assert raised.value is error


def test_skip_counts_every_row_and_keeps_the_first_few():
    bad_rows = SkippedRows("skip")
    for line in range(1, 1003):
        bad_rows.record(an_error(line))
    assert bad_rows.count == 1002
    assert [error.line for error in bad_rows.first] == [1, 2, 3, 4, 5]
    assert bad_rows.summary().splitlines()[:2] == [
        "Left out 1,002 bad rows:",
        "  reviews.csv, line 1: the label is empty.",
    ]
    assert bad_rows.summary().endswith("  and 997 more")


def test_rows_left_out_elsewhere_are_counted_too_and_no_more_than_a_few_are_shown():
    total, other = SkippedRows("skip"), SkippedRows("skip")
    for line in range(1, 5):
        total.record(an_error(line))
        other.record(an_error(10 * line))
    total.merge(other)
    assert total.count == 8
    assert [error.line for error in total.first] == [1, 2, 3, 4, 10]


def test_the_summary_of_one_row_and_of_none():
    bad_rows = SkippedRows("skip")
    assert bad_rows.summary() == "No bad rows."
    bad_rows.record(an_error(7))
    assert bad_rows.summary() == "Left out 1 bad row:\n  reviews.csv, line 7: the label is empty."


def test_options_in_an_error_can_be_named_with_their_group():
    problem, fix = 'the label "--good" is new.', "Pass --on_bad_row=skip or --data.on_leak=drop."
    error = DataError(Path("a --dir/some.csv"), 3, problem=problem, fix=fix)
    assert error.in_group("data") == (
        'some.csv, line 3: the label "--good" is new.\nPass --data.on_bad_row=skip or --data.on_leak=drop.'
    )
