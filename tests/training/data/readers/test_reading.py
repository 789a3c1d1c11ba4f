"""What holds for every format: which one it is, label maps, known labels, and files with nothing in them."""

import gzip

import pytest

from training.data.examples import DataError, SkippedRows
from training.data.readers import ReadingOptions, read_examples

FINE_TO_BINARY = {"0": "negative", "1": "negative", "2": None, "3": "positive", "4": "positive"}


def test_a_label_map_renames_labels_and_drops_those_it_maps_to_none(write, read):
    path = write("stsa.fine.test", "0 dreadful\n2 so so\n4 brilliant\n")
    assert read(path, label_map=FINE_TO_BINARY) == [(1, "negative", "dreadful"), (3, "positive", "brilliant")]


def test_a_dropped_row_is_not_a_bad_row(write):
    bad_rows = SkippedRows("stop")
    path = write("a.txt", "2 so so\n4 brilliant\n")
    assert len(list(read_examples(path, ReadingOptions(label_map=FINE_TO_BINARY), bad_rows=bad_rows))) == 1
    assert bad_rows.count == 0


def test_a_label_that_the_map_lacks_is_a_bad_row_naming_those_it_has(write, read_past):
    good, (error,) = read_past(write("a.txt", "0 bad\n5 odd\n4 good\n"), label_map=FINE_TO_BINARY)
    assert good == [(1, "negative", "bad"), (3, "positive", "good")]
    assert str(error).startswith('a.txt, line 2: the label "5" is not in the label map.\nThe map knows: 0, 1, 2, 3, 4.')


def test_a_label_that_needs_no_other_name_passes_a_map_meant_for_other_files(write, read):
    names = {"0": "negative", "1": "negative", "2": "neutral", "3": "positive", "4": "positive"}
    known = {"negative", "neutral", "positive", "mixed"}
    trees = write("dev.txt", "(4 (2 So) (4 good))\n(0 Dreadful)\n")
    named = write("reviews.jsonl", '{"text": "fine", "label": "positive"}\n{"text": "odd", "label": "mixed"}\n')
    options = {"label_map": names, "allowed_labels": known}
    assert read(trees, **options) == [(1, "positive", "So good"), (2, "negative", "Dreadful")]
    assert read(named, **options) == [(1, "positive", "fine"), (2, "mixed", "odd")]


def test_a_name_that_the_map_gives_needs_no_entry_of_its_own(write, read_past):
    good, (error,) = read_past(write("a.txt", "negative bad\n4 good\nmixed odd\n"), label_map=FINE_TO_BINARY)
    assert good == [(1, "negative", "bad"), (2, "positive", "good")]
    assert 'the label "mixed" is not in the label map.' in str(error)


def test_a_label_that_the_map_has_is_renamed_even_where_it_is_a_label_too(write, read):
    path = write("a.txt", "1 one\n2 two\n")
    assert read(path, label_map={"1": "2", "2": "1"}, allowed_labels={"1", "2"}) == [(1, "2", "one"), (2, "1", "two")]


def test_a_label_the_model_does_not_know_is_a_bad_row_naming_those_it_does(write, read_past):
    good, (error,) = read_past(write("a.txt", "neg bad\nmixed odd\npos good\n"), allowed_labels={"pos", "neg"})
    assert good == [(1, "neg", "bad"), (3, "pos", "good")]
    assert str(error).startswith(
        'a.txt, line 2: the label "mixed" was not in the training data.\nKnown labels: neg, pos.\n'
    )


def test_allowed_labels_are_those_after_mapping(write, read):
    path = write("a.txt", "0 bad\n4 good\n")
    options = {"label_map": FINE_TO_BINARY, "allowed_labels": {"negative", "positive"}}
    assert read(path, **options) == [(1, "negative", "bad"), (2, "positive", "good")]


def test_treebank_tokens_are_joined_on_request(write, read):
    path = write("stsa.binary.test", "0 i ca n't -lrb- really -rrb- .\n")
    assert read(path) == [(1, "0", "i ca n't -lrb- really -rrb- .")]
    assert read(path, ptb_tokens=True) == [(1, "0", "i can't (really).")]
    path = write("a.csv", 'label,text\n1,"fine , but long"\n')
    assert read(path, ptb_tokens=True) == [(2, "1", "fine, but long")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\n(3 (2 So) (4 good))\n", (2, "3", "So good")),
        ("(4 Brilliant)", (1, "4", "Brilliant")),
        ("(good) film\n", (1, "(good)", "film")),
        ("1 (2 films)\n", (1, "1", "(2 films)")),
    ],
)
def test_a_file_whose_name_says_nothing_is_trees_or_lines_by_its_first_line(write, read, content, expected):
    assert read(write("data", content)) == [expected]


def test_a_format_that_is_named_wins_over_the_extension(write, read):
    assert read(write("a.csv", "1 fine, really\n"), format="lines") == [(1, "1", "fine, really")]


def test_gzip_is_known_by_its_content_and_not_by_the_name(tmp_path, read):
    zipped, plain = tmp_path / "zipped.csv", tmp_path / "plain.txt.gz"
    zipped.write_bytes(gzip.compress(b"label,text\n1,fine\n"))
    plain.write_bytes(b"1 fine\n")
    assert read(zipped) == [(2, "1", "fine")]
    assert read(plain) == [(1, "1", "fine")]


def test_gzip_that_is_cut_short_is_said_to_be_damaged(write, read):
    whole = gzip.compress(b"1 fine\n" * 1000)
    with pytest.raises(DataError, match=r"a\.txt: its gzip data is damaged or cut short"):
        read(write("a.txt", whole[:-10]))


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.parquet", "none.txt", "none.csv.gz"])
def test_a_file_that_is_missing_is_named_by_its_path(tmp_path, read, name):
    with pytest.raises(DataError) as raised:
        read(tmp_path / name)
    assert str(raised.value).startswith(f"{tmp_path / name}: there is no such file.\n")


@pytest.mark.parametrize("name", ["folder", "folder.csv", "folder.parquet"])
def test_a_folder_is_said_to_be_one(tmp_path, read, name):
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="this is a folder"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.txt", "a.csv.gz", "a.parquet.gz"])
def test_an_empty_file_is_said_to_be_empty(write, read, name):
    with pytest.raises(DataError, match="the file is empty"):
        read(write(name, ""))


@pytest.mark.parametrize(("name", "content"), [("a.csv", "label,text\n"), ("a.txt", "\n \n"), ("a.jsonl", "\n\n")])
def test_a_file_without_rows_is_an_error(write, read, name, content):
    with pytest.raises(DataError, match=r"no usable row \(0 bad, 0 left out by --label_map\)"):
        read(write(name, content))


def test_a_file_whose_every_row_is_bad_or_dropped_says_how_many_and_shows_one(write):
    path = write("a.txt", "1\n0\n2 so so\n")
    with pytest.raises(DataError) as raised:
        list(read_examples(path, ReadingOptions(label_map=FINE_TO_BINARY), bad_rows=SkippedRows("skip")))
    assert "no usable row (2 bad, 1 left out by --label_map)." in str(raised.value)
    assert "a.txt, line 1: the text is empty." in str(raised.value)


@pytest.mark.parametrize("label", ["4", "4.0", "4.00", " 4.0 "])
def test_a_whole_number_is_one_label_however_it_is_written(write, read, label):
    assert read(write("a.csv", f"text,label\nfine,{label}\n")) == [(2, "4", "fine")]


@pytest.mark.parametrize("label", ["4.5", "4.", "1e3", "4.0.0", "v4.0"])
def test_other_labels_stay_as_they_are(write, read, label):
    assert read(write("a.csv", f"text,label\nfine,{label}\n")) == [(2, label, "fine")]


def test_a_label_that_the_model_knows_stays_as_it_is(write, read):
    path = write("a.csv", "text,label\nfine,4.0\n")
    assert read(path, allowed_labels={"4.0", "1.0"}) == [(2, "4.0", "fine")]
    assert read(path, label_map={"4.0": "good"}) == [(2, "good", "fine")]
    assert read(path, label_map={"4": "good"}) == [(2, "good", "fine")]


def test_stars_are_labels_by_the_documented_map(write, read):
    written = ["1", "2.0", "3 stars", "4/5", "\N{BLACK STAR}" * 5, "1 star", "5 Stars", "2 out of 5"]
    path = write("a.csv", "text,label\n" + "".join(f"fine,{label}\n" for label in written))
    found = [label for _, label, _ in read(path, stars=True)]
    signs = ["negative", "negative", "neutral", "positive", "positive", "negative", "positive", "negative"]
    assert found == signs


def test_the_map_of_a_file_goes_before_that_of_stars(write, read):
    path = write("a.csv", "text,label\na,1\nb,3\nc,3 stars\nd,5\n")
    assert [label for _, label, _ in read(path, stars=True, label_map={"3": None, "5": "great"})] == [
        "negative",
        "great",
    ]


def test_a_label_that_is_not_stars_is_a_bad_row(write, read_past):
    _, (error,) = read_past(write("a.csv", "text,label\na,1\nb,6\n"), stars=True)
    assert str(error).startswith('a.csv, line 3: the label "6" is not in the label map.')
