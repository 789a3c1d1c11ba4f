"""CSV and TSV."""

import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_store import csv_records
from training.data.examples import DataError, SkippedRows
from training.data.readers import read_examples


@pytest.mark.parametrize("name", ["reviews.csv", "reviews.csv.gz", "REVIEWS.CSV"])
def test_a_row_is_a_label_and_a_text_whatever_stands_beside_them(write, read, name):
    path = write(name, "id,label,text\n7,positive,A joy.\n8,negative,Dull.\n")
    assert read(path) == [(2, "positive", "A joy."), (3, "negative", "Dull.")]


def test_tabs_separate_and_commas_do_not(write, read):
    path = write("reviews.tsv", "text\tlabel\nSlow, dull, long.\tnegative\n")
    assert read(path) == [(2, "negative", "Slow, dull, long.")]


def test_columns_have_the_names_they_are_given(write, read):
    path = write("news.csv", "sentiment,news\nneutral,Profit was flat.\n")
    assert read(path, text_column="news", label_column="sentiment") == [(2, "neutral", "Profit was flat.")]


def test_a_row_with_line_breaks_has_the_line_it_starts_on(write, read):
    path = write("tweets.csv", 'label,text\r\n0,"one\r\ntwo\r\n\r\nfour"\r\n\r\n1,next\r\n')
    assert read(path) == [(2, "0", "one\r\ntwo\r\n\r\nfour"), (7, "1", "next")]


def test_a_byte_order_mark_is_no_part_of_the_first_column(write, read):
    assert read(write("excel.csv", b"\xef\xbb\xbflabel,text\r\n1,fine\r\n")) == [(2, "1", "fine")]


def test_a_line_break_outside_ascii_ends_no_row(write, read):
    path = write("web.csv", "label,text\n1,a\u2028b\x85c\x0cd\n")
    assert read(path) == [(2, "1", "a\u2028b\x85c\x0cd")]


@pytest.mark.parametrize(("options", "option"), [({"text_column": "body"}, "text"), ({"label_column": "y"}, "label")])
def test_a_missing_column_is_named_with_those_found_and_the_option(write, read, options, option):
    path = write("reviews.csv", "label,text\n1,fine\n")
    (missing,) = options.values()
    with pytest.raises(DataError) as raised:
        read(path, **options)
    assert f'has no column "{missing}" (columns found: label, text)' in str(raised.value)
    assert f"--{option}_column" in str(raised.value)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("1,a,b", "the row has 3 fields where the header has 2."),
        ("1", "the row has 1 field where the header has 2."),
        (",fine", "the label is empty."),
        ("  ,fine", "the label is empty."),
        ("1,", "the text is empty."),
        ('1," \t"', "the text is empty."),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_read(write, read_past, row, problem):
    path = write("reviews.csv", f"label,text\n0,before\n{row}\n1,after\n")
    good, (error,) = read_past(path)
    assert good == [(2, "0", "before"), (4, "1", "after")]
    assert str(error).startswith(f"reviews.csv, line 3: {problem}\n")


def test_an_empty_label_is_told_the_column_and_the_labels_found_so_far(write, read_past):
    path = write("reviews.csv", "label,text\npositive,a\nnegative,b\n,c\nneutral,d\n")
    _, (error,) = read_past(path)
    assert str(error) == (
        "reviews.csv, line 4: the label is empty.\n"
        'Every row needs a label in column "label" (found so far: negative, positive).\n'
        "Pass --on_bad_row=skip to leave such rows out and count them."
    )


def test_a_line_number_in_the_thousands_has_separators(write, read_past):
    path = write("reviews.csv", "label,text\n" + "1,fine\n" * 1202 + ",fine\n")
    _, (error,) = read_past(path)
    assert str(error).startswith("reviews.csv, line 1,204: the label is empty.")


def test_a_byte_that_is_not_utf8_costs_its_row_alone(write, read_past):
    # é is 0xE9 in Latin-1; it is byte 6 of line 3, "1,caf\xe9".
    path = write("latin.csv", b'label,text\n0,"one\n1,caf\xe9, ""x""\nend"\n1,after\n')
    good, (error,) = read_past(path)
    assert good == [(5, "1", "after")]
    assert str(error).startswith("latin.csv, line 3: byte 6 of the line (0xE9) is not UTF-8.\n")


def test_a_quote_that_is_never_closed_is_an_error_where_it_opens_and_costs_its_row_alone(write, read_past):
    path = write("reviews.csv", 'label,text\n0,before\n1,"open\n0,after\n')
    good, (error,) = read_past(path)
    assert good == [(2, "0", "before"), (4, "0", "after")]
    assert str(error).startswith(
        "reviews.csv, line 3: the row that starts here is malformed (it was read up to line 4)"
    )


def test_a_quote_closed_too_early_is_an_error_and_the_next_line_is_read(write, read_past):
    path = write("reviews.csv", 'label,text\n1,"a" b\n0,after\n')
    good, (error,) = read_past(path)
    assert good == [(3, "0", "after")]
    assert str(error).startswith("reviews.csv, line 2: the row that starts here is malformed: ")


def test_a_quote_inside_a_text_costs_its_row_and_the_rest_of_the_text_is_not_rows(write, read_past):
    # The text of line 3 has quotes that are not doubled; its own lines 4 and 5 have two fields like a row.
    text = '0,before\n1,"He said "hi" and\nleft, then\ncame, back"\n0,after\n'
    good, (error,) = read_past(write("reviews.csv", f"label,text\n{text}"))
    assert good == [(2, "0", "before"), (6, "0", "after")]
    assert str(error).startswith("reviews.csv, line 3: the row that starts here is malformed: ")


def test_a_text_may_be_longer_than_the_csv_modules_own_limit(write, read):
    text = "a, b\n" * 30_000
    assert read(write("long.csv", f'label,text\n1,"{text}"\n0,next\n')) == [(2, "1", text), (30_003, "0", "next")]


def test_an_open_quote_does_not_take_the_whole_of_a_large_file_into_memory(write, read_past, monkeypatch):
    monkeypatch.setattr(csv_records, "MAX_FIELD", 1000)
    path = write("large.csv", 'label,text\n0,before\n1,"open\n' + "0,after\n" * 500)
    good, (error,) = read_past(path)
    assert [line for line, _, _ in good] == [2, *range(4, 504)]
    assert "a quote is probably never closed" in str(error)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_seen_in_the_header(write, read, delimiter):
    rows = [("id", "label", "text"), ("1", "0", "one, two"), ("2", "1", "x")]
    path = write("excel.csv", "\n".join(delimiter.join(row) for row in rows))
    assert read(path) == [(2, "0", "one, two"), (3, "1", "x")]


def test_lines_that_end_as_on_old_macs_are_lines(write, read):
    path = write("mac.csv", 'label,text\r0,"a\rb"\r1,c\r')
    assert read(path) == [(2, "0", "a\rb"), (4, "1", "c")]


def test_a_header_that_cannot_be_read_stops_even_when_bad_rows_are_skipped(write):
    path = write("latin.csv", b"ann\xe9e,label,text\n1,label,text\n")
    with pytest.raises(DataError, match=r"^latin\.csv, line 1: byte 4 of the line \(0xE9\)") as raised:
        list(read_examples(path, bad_rows=SkippedRows("skip")))
    assert "on_bad_row" not in str(raised.value)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), min_size=1, max_size=5))
@pytest.mark.parametrize(("name", "delimiter"), [("any.csv", ","), ("any.tsv", "\t")])
def test_whatever_the_csv_module_writes_is_read_back(write, read, name, delimiter, texts):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows([["label", "text"], *(["1", text] for text in texts)])
    assert [text for _, _, text in read(write(name, file.getvalue()))] == texts


def test_the_columns_found_are_those_under_the_likely_delimiter(write, read):
    with pytest.raises(DataError, match=r'it has no column "text" \(columns found: id, review, stars\)'):
        read(write("excel.csv", "id;review;stars\n1;fine, really;5\n"))


def test_the_line_by_which_excel_tells_its_delimiter_is_not_the_header(write, read):
    assert read(write("excel.csv", "sep=;\r\ntext;label\r\nfine, really;5\r\n")) == [(3, "5", "fine, really")]
