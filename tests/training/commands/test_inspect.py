"""What inspect says about a file, and what it says to run next."""

import json
import shlex
from itertools import pairwise

import pytest

from tests.support.paths import SAMPLE
from training.commands.main import main


def inspected(capsys, path, *options):
    main(["inspect", str(path), *options, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def write(tmp_path):
    def write(content, name="my.csv", encoding="utf-8"):
        (tmp_path / name).write_text(content, encoding=encoding)
        return tmp_path / name

    return write


def rows(*labels, times=10):
    return "text,label\n" + "".join(
        f"a film of number {index} and {label},{label}\n" for index in range(times) for label in labels
    )


def test_the_sample_is_shown(capsys):
    main(["inspect", str(SAMPLE / "train.csv")])
    shown = " ".join(capsys.readouterr().out.split())
    assert "train.csv: 360 texts, 0 bad rows" in shown
    assert "positive 120 33.3%" in shown
    assert "Rows that repeat an earlier text: 0" in shown
    assert f"python -m training adapt --train {SAMPLE / 'train.csv'} --to my-model" in shown


def test_the_json_has_all_of_it(capsys):
    report = inspected(capsys, SAMPLE / "train.csv")
    assert report["found"]["labels"] == {"negative": 120, "neutral": 120, "positive": 120}
    assert report["found"]["duplicates"]["rows"] == report["bad_rows"] == 0
    assert report["found"]["tokens"]["shortest"] <= report["found"]["tokens"]["median"]


def test_bad_rows_are_counted_and_named_and_skipped_next(capsys, write):
    report = inspected(capsys, write(rows("good", "bad") + ",good\nfine,\n"))
    assert report["bad_rows"] == 2
    assert report["first_bad_rows"] == ["my.csv, line 22: the text is empty.", "my.csv, line 23: the label is empty."]
    assert "--on_bad_row skip" in report["next_command"]


def test_a_bad_row_stops_if_asked(write, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["inspect", str(write(rows("good", "bad") + ",good\n")), "--on_bad_row", "stop"])
    assert "my.csv, line 22: the text is empty." in capsys.readouterr().err


def test_the_next_command_reads_the_file_in_the_same_way(capsys, write):
    path = write(rows("1", "3", "5").replace("text,label", "my review,stars"), "my reviews.csv", "cp1252")
    options = ["--text_column", "my review", "--label_column", "stars", "--stars", "--encoding", "cp1252"]
    options += ["--label_map", '{"3": null}']
    command = shlex.split(inspected(capsys, path, *options)["next_command"])
    assert command[:8] == ["python", "-m", "training", "adapt", "--train", str(path), "--to", "my-model"]
    given = command[8:]
    assert {"--stars"} < set(given)
    for name, value in pairwise(options):
        if name.startswith("--") and not value.startswith("--"):
            assert given[given.index(name) + 1] == value


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (rows("1", "3", "5"), "The labels look like stars; --stars makes"),
        (rows("1 Star", "2 stars", "4/5", "\N{BLACK STAR}" * 5), "The labels look like stars; --stars makes"),
        (rows("1", "3", "5") + "x,n/a\n", """--label_map '{"n/a": null}' leaves the others out"""),
        (rows("0", "1"), "The labels are numbers; to name them: --label_map"),
        (rows("good", "bad") + "x,rare\n", "Fewer than 8 texts each: rare."),
        (rows("good", "bad") + "fish &amp; chips,good\n", "--html reads them"),
        (rows("good", "bad") + "same,good\nSame!,bad\n", "Decide on one label for each text that has several"),
        (rows("good", "bad", "Good"), "These labels differ only by case or space: 'good' and 'Good'. To join them"),
        (rows("good"), "There is only one label, and a classifier needs two"),
    ],
)
def test_what_is_found_comes_with_what_to_do(capsys, write, content, advice):
    assert any(advice in sentence for sentence in inspected(capsys, write(content))["advice"])


def test_the_map_that_joins_labels_can_be_pasted(capsys, write):
    path = write(rows("good", "bad", "Good", times=10) + "x,good\n")
    (sentence,) = (line for line in inspected(capsys, path)["advice"] if "To join them" in line)
    label_map = shlex.split(sentence.partition("--label_map ")[2])[0]
    assert inspected(capsys, path, "--label_map", label_map)["found"]["labels"] == {"good": 21, "bad": 10}


def test_rows_in_another_encoding_come_with_a_guess_of_it(capsys, write):
    content = rows("good", "bad") + "Das Essen war schön,good\ngroße Portionen,good\n"
    report = inspected(capsys, write(content, encoding="cp1252"))
    assert report["bad_rows"] == 2
    assert report["advice"][0] == "The file looks like cp1252: pass --encoding=cp1252, or save it as UTF-8."
    assert report["next_command"].startswith("python -m training inspect ")
    assert report["next_command"].endswith("my.csv --encoding cp1252")
    assert inspected(capsys, write(content, encoding="cp1252"), "--encoding", "cp1252")["bad_rows"] == 0


def test_the_next_command_reads_html_if_there_is_some(capsys, write):
    path = write(rows("good", "bad") + "fish &amp; chips,good\n")
    assert inspected(capsys, path)["next_command"].endswith("--to my-model --html")
    assert inspected(capsys, path, "--no_html")["next_command"].endswith("--to my-model --no_html")


def test_a_column_of_texts_is_not_taken_for_labels(capsys, write):
    content = "text,label\n" + "".join(f"good,this is text {index}\n" for index in range(100))
    report = inspected(capsys, write(content))
    assert 'Column "label" has 100 different values in 100 rows' in report["advice"][0]
    assert report["next_command"] is None


def test_a_missing_column_is_answered_with_a_likely_one(capsys, write):
    with pytest.raises(SystemExit, match="1"):
        main(["inspect", str(write("Review text;airline_sentiment\nfine;good\n"))])
    error = capsys.readouterr().err
    assert "columns found: Review text, airline_sentiment" in error
    assert "perhaps --text_column='Review text'" in error


def test_a_bundle_that_does_not_exist_is_refused_first(capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["inspect", "no-file.csv", "--model", "no-bundle"])
    assert "no-bundle" in capsys.readouterr().err
