"""JSON Lines, and files that are one JSON array."""

import json
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.data.examples import DataError
from training.data.readers import json_array, read_examples


@pytest.mark.parametrize("name", ["reviews.jsonl", "reviews.ndjson", "reviews.jsonl.gz", "reviews.json"])
def test_every_line_is_an_object_and_blank_lines_are_none(write, read, name):
    path = write(name, '{"id": 7, "text": "A joy.", "label": "positive"}\n\n{"label": "negative", "text": "Dull."}')
    assert read(path) == [(1, "positive", "A joy."), (3, "negative", "Dull.")]


@pytest.mark.parametrize(
    ("label", "expected"),
    [("1", "1"), ("0.5", "0.5"), ("-1", "-1"), ("true", "true"), ("false", "false"), ('" x "', "x"), ("0", "0")],
)
def test_a_label_that_is_no_string_becomes_one_as_json_writes_it(write, read, label, expected):
    assert read(write("a.jsonl", f'{{"text": "t", "label": {label}}}')) == [(1, expected, "t")]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"text": "a", "label": 1', "this is not JSON (Expecting ',' delimiter, column 25)."),
        ('["a", 1]', "this is JSON, but not an object."),
        ("[" * 50_000, "the JSON is nested too deep to read."),
        ('{"text": "a", "label": ' + "1" * 5000 + "}", "this is not JSON we can read (Exceeds the limit"),
        ('{"text": "a"}', 'the object has no "label" (keys found: text).'),
        ('{"label": 1, "body": "a"}', 'the object has no "text" (keys found: label, body).'),
        ('{"text": "a", "label": null}', "the label is missing."),
        ('{"text": "a", "label": NaN}', "the label is missing."),
        ('{"text": "a", "label": ""}', "the label is empty."),
        ('{"text": "a", "label": [1]}', "the label is a list; if a text has any number, pass --multi_label."),
        ('{"text": null, "label": 1}', "the text is missing."),
        ('{"text": 12, "label": 1}', "the text is not a string but int."),
        ('{"text": " \\n ", "label": 1}', "the text is empty."),
        ('{"text": "ab\\ud83d", "label": 1}', "character 3 of the text is half of a surrogate pair."),
    ],
)
def test_a_bad_row_is_named_and_the_next_one_read(write, read_past, row, problem):
    before, after = '{"text": "before", "label": 0}', '{"text": "after", "label": 0}'
    good, (error,) = read_past(write("a.jsonl", f"{before}\n{row}\n{after}\n"))
    assert good == [(1, "0", "before"), (3, "0", "after")]
    assert str(error).startswith(f"a.jsonl, line 2: {problem}")


def test_a_missing_key_names_the_option(write, read_past):
    _, (error,) = read_past(write("a.jsonl", '{"text": "a", "y": 1}\n{"text": "a", "label": 1}'))
    assert "--label_column" in str(error)


def test_a_byte_that_is_not_utf8_costs_its_line_alone(write, read_past):
    content = b'{"text": "a", "label": 1}\n{"text": "\xff", "label": 1}\n{"text": "b", "label": 1}\n'
    good, (error,) = read_past(write("a.jsonl", content))
    assert good == [(1, "1", "a"), (3, "1", "b")]
    assert str(error).startswith("a.jsonl, line 2: byte 11 of the line (0xFF) is not UTF-8.\n")


def test_a_byte_order_mark_is_no_part_of_the_first_line(write, read):
    assert read(write("a.jsonl", b'\xef\xbb\xbf{"text": "a", "label": 1}')) == [(1, "1", "a")]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip), min_size=1, max_size=5))
@pytest.mark.parametrize("ascii_only", [True, False])
def test_whatever_the_json_module_writes_is_read_back(write, read, ascii_only, texts):
    lines = [json.dumps({"text": text, "label": 1}, ensure_ascii=ascii_only) for text in texts]
    assert [text for _, _, text in read(write("any.jsonl", "\n".join(lines)))] == texts


@pytest.mark.parametrize(
    "content",
    [
        '[{"text": "a", "label": 1},\n {"text": "b", "label": 0}]',
        '[\n{"text": "a", "label": 1},\n{"text": "b", "label": 0}\n]',
    ],
)
def test_one_array_a_file_is_read_by_position(write, read, content):
    assert read(write("reviews.json", content)) == [(1, "1", "a"), (2, "0", "b")]


def test_an_element_that_is_not_a_row_is_named_by_its_position(write, read_past):
    good, errors = read_past(write("reviews.json", '[{"text": "a", "label": 1}, 7, {"text": "b"}]'))
    assert good == [(1, "1", "a")]
    assert [error.headline for error in errors] == [
        "reviews.json, row 2: this is not an object.",
        'reviews.json, row 3: the object has no "label" (keys found: text).',
    ]


def test_an_array_under_the_name_of_json_lines_is_named_for_what_it_is(write, read):
    with pytest.raises(DataError, match=r"this is one JSON array, not an object a line\.\nPass --format=json"):
        read(write("reviews.jsonl", '[\n{"text": "a", "label": 1}\n]\n'))


def test_an_array_that_is_cut_short_is_an_error(write, read):
    with pytest.raises(DataError, match="this is not JSON"):
        read(write("reviews.json", '[{"text": "a", "label": 1},'))


@pytest.mark.parametrize("piece", [1, 2, 7, 50])
def test_an_array_is_read_in_pieces(write, read, monkeypatch, piece):
    monkeypatch.setattr(json_array, "_CHUNK", piece)
    rows = [{"text": 'naïve "\\" text, [{' + "x" * number, "label": number / 2} for number in range(20)]
    content = json.dumps(rows, indent=1, ensure_ascii=False)
    expected = [(line, f"{row['label']:g}", row["text"]) for line, row in enumerate(rows, start=1)]
    assert read(write("reviews.json", content)) == expected


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"text": "a", "label": 1} {"text": "b", "label": 0}]', r"row 1: this is not JSON \(a comma or"),
        ('[{"text": "a", "label": 1}', r"row 1: this is not JSON \(the array is never closed"),
        ('[{"text": "a", "label": 1}, {"text": }]', r"row 2: this is not JSON"),
        ('[{"text": "a", "label": 1}, {"text": "never closed]', r"row 2: this is not JSON \(Unterminated string"),
        ('{"text": "a", "label": 1}', "this is not a JSON array"),
    ],
)
def test_what_is_wrong_with_an_array_is_named_with_its_row(write, read, content, said):
    with pytest.raises(DataError, match=said):
        read(write("reviews.json", content), format="json")


def test_an_array_is_not_held_in_memory(write):
    path = write("reviews.json", json.dumps([{"text": "x" * 1000, "label": 1}] * 20_000))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_examples(path)) == 20_000
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 10
