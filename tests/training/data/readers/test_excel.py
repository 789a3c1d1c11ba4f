"""Excel workbooks."""

import datetime as dt
import gzip
import sys

import pytest
from openpyxl import Workbook

from training.data.examples import DataError
from training.data.readers import unit_of


@pytest.fixture
def workbook(tmp_path):
    """Write rows to the first sheet of a workbook."""

    def write(*rows, name="reviews.xlsx"):
        book = Workbook()
        for row in rows:
            book.active.append(row)
        book.create_sheet("other").append(["nothing", "here"])
        book.save(tmp_path / name)
        return tmp_path / name

    return write


def test_rows_have_their_numbers_in_the_sheet(workbook, read):
    path = workbook(["id", "text", "label"], [1, "fine", "good"], [None, None, None], [3, "dull", 4.0], [4, "so so", 2])
    assert read(path) == [(2, "good", "fine"), (4, "4", "dull"), (5, "2", "so so")]
    assert unit_of(path) == "row"


def test_empty_rows_before_the_header_are_left_out(workbook, read):
    assert read(workbook([None], ["text", "label"], ["fine", 1])) == [(3, "1", "fine")]


def test_a_date_is_a_text_and_a_row_that_ends_early_lacks_its_label(workbook, read_past):
    path = workbook(["text", "label"], [dt.date(2026, 1, 2), 1], ["fine"])
    good, (error,) = read_past(path)
    assert [label for _, label, _ in good] == ["1"]
    assert good[0][2].startswith("2026-01-02")
    assert str(error).startswith("reviews.xlsx, row 3: the label is missing.")


def test_a_missing_column_is_named_with_those_there_are(workbook, read):
    with pytest.raises(DataError, match=r'it has no column "text" \(columns found: review, stars\)'):
        read(workbook(["review", "stars"], ["fine", 5]))


def test_a_gzipped_workbook_is_read(workbook, read, tmp_path):
    path = tmp_path / "a.xlsx.gz"
    path.write_bytes(gzip.compress(workbook(["text", "label"], ["fine", 1]).read_bytes()))
    assert read(path) == [(2, "1", "fine")]


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls"])
def test_what_is_not_a_workbook_is_refused(write, read, name):
    with pytest.raises(DataError, match="it cannot be read as an Excel workbook"):
        read(write(name, "text,label\nfine,1\n"))


def test_without_openpyxl_the_message_says_what_to_install(workbook, read, monkeypatch):
    path = workbook(["text", "label"], ["fine", 1])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(
        DataError, match=r"needs openpyxl, which is not installed\.\nRun: pip install 'sentiment-encoder"
    ):
        read(path)
