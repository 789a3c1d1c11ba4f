"""The table of formats: what it says is what is read, guessed and shown."""

import pytest

from training.data.readers import FORMATS, ReadingOptions, read_examples, unit_of
from training.data.readers.formats import FileFormat, format_of
from training.data.readers.rows import Row


def test_a_format_is_one_entry(monkeypatch, write, examples):
    def read(path, *_):
        yield from (Row(line=1, text=text, label="9") for text in path.read_text().split("|"))

    monkeypatch.setitem(FORMATS, "bars", FileFormat(read=read, extensions=(".bars",), unit="row"))
    path = write("reviews.bars", "fine|dull")
    assert [example.text for example in examples(path)] == ["fine", "dull"]
    assert unit_of(path) == "row"


@pytest.mark.parametrize(
    ("content", "name"),
    [('{"text": "a", "label": 1}\n', "jsonl"), ("(3 (2 So) (4 good))\n", "trees"), ("1 fine\n", "lines")],
)
def test_a_file_without_a_known_extension_is_known_by_its_first_line(write, content, name):
    assert format_of(write("reviews.txt", content)) is FORMATS[name]


def test_the_help_names_every_format():
    assert (
        'csv, tsv, jsonl, json (one array), parquet, excel (first sheet), trees (Penn Treebank), lines ("label text")'
        in ReadingOptions.__doc__
    )


def test_options_among_others_are_found_and_changed():
    options = {"text_column": "body", "label_column": None, "batch_size": 64, "trees": "phrases"}
    assert ReadingOptions.among(options, trees="root", format=None) == ReadingOptions(text_column="body")


def test_a_run_decides_what_happens_to_a_bad_row(write):
    path = write("reviews.csv", "label,text\n1,\n1,fine\n")
    assert [example.line for example in read_examples(path, ReadingOptions(on_bad_row="skip"))] == [3]
