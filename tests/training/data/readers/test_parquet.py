"""Parquet."""

import gzip
import io
import math

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from training.data.examples import DataError


def parquet_bytes(**columns):
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["reviews.parquet", "reviews.parquet.gz"])
def test_rows_are_counted_from_one(write, read, name):
    path = write(name, parquet_bytes(id=[7, 8], text=["A joy.", "Dull."], label=["positive", "negative"]))
    assert read(path) == [(1, "positive", "A joy."), (2, "negative", "Dull.")]


@pytest.mark.parametrize(
    ("labels", "expected"), [([1, 0], ["1", "0"]), ([0.5, 1.0], ["0.5", "1"]), ([True, False], ["true", "false"])]
)
def test_a_label_that_is_no_string_becomes_one(write, read, labels, expected):
    path = write("a.parquet", parquet_bytes(text=["a", "b"], label=labels))
    assert [label for _, label, _ in read(path)] == expected


def test_categories_are_read_as_their_names(write, read):
    labels = pa.array(["pos", "neg", "pos"]).dictionary_encode()
    path = write("a.parquet", parquet_bytes(text=["a", "b", "c"], label=labels))
    assert [label for _, label, _ in read(path)] == ["pos", "neg", "pos"]


@pytest.mark.parametrize(
    ("text", "label", "problem"),
    [
        (None, "1", "the text is missing."),
        (" ", "1", "the text is empty."),
        ("a", None, "the label is missing."),
        ("a", "", "the label is empty."),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_read(write, read_past, text, label, problem):
    path = write("a.parquet", parquet_bytes(text=["before", text, "after"], label=["0", label, "0"]))
    good, (error,) = read_past(path)
    assert good == [(1, "0", "before"), (3, "0", "after")]
    assert str(error).startswith(f"a.parquet, row 2: {problem}\n")


def test_a_row_beyond_the_first_batch_keeps_its_number(write, read_past):
    texts = ["fine"] * 3000
    texts[2499] = ""
    good, (error,) = read_past(write("a.parquet", parquet_bytes(text=texts, label=["1"] * 3000)))
    assert len(good) == 2999
    assert str(error).startswith("a.parquet, row 2,500: the text is empty.\n")


def test_texts_that_are_numbers_are_bad_rows(write, read):
    with pytest.raises(DataError, match="row 1: the text is not a string but int"):
        read(write("a.parquet", parquet_bytes(text=[1], label=["1"])))


def test_a_string_that_is_not_utf8_costs_its_row_alone(write, read_past):
    # Three strings of one byte each: "a", 0xFF, "b".
    texts = pa.StringArray.from_buffers(3, pa.array([0, 1, 2, 3], pa.int32()).buffers()[1], pa.py_buffer(b"a\xffb"))
    good, (error,) = read_past(write("a.parquet", parquet_bytes(text=texts, label=["1"] * 3)))
    assert good == [(1, "1", "a"), (3, "1", "b")]
    assert str(error).startswith("a.parquet, row 2: a string is not UTF-8.\n")


def test_a_missing_column_is_named_with_those_found_and_the_option(write, read):
    with pytest.raises(DataError) as raised:
        read(write("a.parquet", parquet_bytes(body=["a"], label=["1"])))
    assert 'has no column "text" (columns found: body, label).' in str(raised.value)
    assert "--text_column" in str(raised.value)


@pytest.mark.parametrize("content", [b"label,text\n1,a\n", parquet_bytes(text=["a"], label=["1"])[:-20]])
def test_a_file_that_is_no_parquet_is_said_to_be_none(write, read, content):
    with pytest.raises(DataError, match=r"a\.parquet: it cannot be read as Parquet"):
        read(write("a.parquet", content))


def test_a_file_cut_short_in_compression_is_said_to_be_damaged(write, read):
    whole = gzip.compress(parquet_bytes(text=["a"], label=["1"]))
    with pytest.raises(DataError, match="gzip data is damaged or cut short"):
        read(write("a.parquet", whole[:-30]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_whatever_pyarrow_writes_is_read_back(write, read, texts):
    path = write("any.parquet", parquet_bytes(text=texts, label=["1"] * len(texts)))
    assert [text for _, _, text in read(path)] == texts


TAUGHT = {"teacher: neg": [-0.1, None, -2.0], "teacher: pos": [-2.4, None, -0.2]}


def test_a_teachers_scores_come_with_the_rows(write, examples):
    path = write("a.parquet", parquet_bytes(text=["a", "b", "c"], label=["neg", "pos", None], **TAUGHT))
    found = examples(path)
    assert [example.label for example in found] == ["neg", "pos", ""]  # the last one only the teacher has labeled
    assert [list(example.teacher) for example in found] == [["neg", "pos"]] * 3
    assert found[0].teacher["pos"] == pytest.approx(-2.4)
    assert all(math.isnan(score) for score in found[1].teacher.values())


def test_a_teachers_scores_follow_the_label_map(write, examples):
    shares = {"teacher: very bad": [0.1], "teacher: bad": [0.2], "teacher: good": [0.6], "teacher: spam": [0.1]}
    logarithms = {name: [math.log(share) for share in values] for name, values in shares.items()}
    path = write("a.parquet", parquet_bytes(text=["one"], label=["very bad"], **logarithms))
    found = examples(path, label_map={"very bad": "bad", "good": "fine", "spam": None})
    assert found[0].label == "bad"
    # Merged labels' probabilities add up, and of a label that is left out there is no score.
    assert {label: math.exp(score) for label, score in found[0].teacher.items()} == pytest.approx(
        {"bad": 0.3, "fine": 0.6}
    )


@pytest.mark.parametrize(("one", "other", "expected"), [(-900, -900, -900 + math.log(2)), (-math.inf, -3, -3)])
def test_merged_scores_stay_finite_where_a_teacher_is_sure(write, examples, one, other, expected):
    scores = {"teacher: a": [float(one)], "teacher: b": [float(other)]}
    path = write("a.parquet", parquet_bytes(text=["one"], label=["a"], **scores))
    (example,) = examples(path, label_map={"a": "c", "b": "c"})
    assert example.teacher == pytest.approx({"c": expected})


def test_a_row_that_neither_label_nor_teacher_speaks_of_is_bad(write, examples):
    path = write("a.parquet", parquet_bytes(text=["a", "b", "c"], label=["neg", None, None], **TAUGHT))
    with pytest.raises(DataError, match="row 2: the label is missing"):
        examples(path)


def test_where_labels_must_be_known_a_teacher_is_none(write, examples):
    path = write("a.parquet", parquet_bytes(text=["a", "b", "c"], label=["neg", "pos", None], **TAUGHT))
    with pytest.raises(DataError, match="row 3: the label is missing"):
        examples(path, allowed_labels=["neg", "pos"])
