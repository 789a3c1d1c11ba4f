"""The labeled sample that ships with the package: its size, its balance, and no text in two files."""

import csv
from collections import Counter

import pytest

from tests.support.paths import SAMPLE

LABELS = ("negative", "neutral", "positive")
ROWS = {"train": 360, "validation": 60, "test": 60}  # as the sample's README.md states them


def rows_of(split: str) -> list[list[str]]:
    with (SAMPLE / f"{split}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, strict=True))


@pytest.mark.parametrize("split", ROWS)
def test_the_columns_are_text_and_label(split):
    header, *rows = rows_of(split)
    assert header == ["text", "label"]
    assert [row for row in rows if len(row) != 2] == []


@pytest.mark.parametrize(("split", "count"), ROWS.items())
def test_each_file_has_the_stated_number_of_rows(split, count):
    assert len(rows_of(split)[1:]) == count


@pytest.mark.parametrize(("split", "count"), ROWS.items())
def test_the_three_labels_share_each_file_equally(split, count):
    assert Counter(label for _, label in rows_of(split)[1:]) == dict.fromkeys(LABELS, count // 3)


@pytest.mark.parametrize("split", ROWS)
def test_no_text_is_empty(split):
    assert [line for line, (text, _) in enumerate(rows_of(split), start=1) if not text.strip()] == []


def test_no_text_appears_twice_whatever_its_case_and_spacing():
    times = Counter(" ".join(text.casefold().split()) for split in ROWS for text, _ in rows_of(split)[1:])
    assert [text for text, count in times.items() if count > 1] == []


def test_the_labels_are_not_sorted():
    # A reader that takes only the first rows should still meet every label.
    for split in ROWS:
        assert {label for _, label in rows_of(split)[1:21]} == set(LABELS)
