"""Whole files: columns kept, bad rows aside, the library's own answers, in every format."""

import csv
import gzip
import json
from functools import partial

import numpy as np
import pytest

from model_store import SentimentModel
from model_store.scoring import records
from model_store.scoring.job import score_file
from model_store.scoring.records import ScoreError
from model_store.scoring.worker import ScoreOptions

ANSWERS = [
    "predicted_label",
    "predicted_score",
    "predicted_score_negative",
    "predicted_score_neutral",
    "predicted_score_positive",
    "predicted_confident",
    "predicted_reasons",
    "predicted_polarity",
    "predicted_token_count",
    "predicted_unknown_count",
    "predicted_truncated",
]


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


@pytest.fixture
def score(tiny_bundle, tmp_path):
    """Write a file, score it in this process, and give the output's path and the report."""

    def run(name, content, to, **options):
        source = tmp_path / name
        source.write_bytes(content.encode() if isinstance(content, str) else content)
        report = score_file(
            source, to=tmp_path / to, model=tiny_bundle, options=ScoreOptions(**options), workers=1, overwrite=True
        )
        return report.output, report

    return run


def bad_rows(report):
    return [json.loads(line) for line in report.bad_file.read_text().splitlines()]


def read_csv(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_csv_file_keeps_its_columns_and_gets_the_librarys_answers(score, model):
    output, report = score("in.csv", 'id;body\n1;"Fine; soup."\n2;"Cold\nsoup!"\n', "out.csv", text_column="body")
    rows = read_csv(output)
    assert list(rows[0]) == ["id", "body", *ANSWERS]
    assert [(row["id"], row["body"]) for row in rows] == [("1", "Fine; soup."), ("2", "Cold\nsoup!")]
    for row, answer in zip(rows, model.predict(["Fine; soup.", "Cold\nsoup!"]), strict=True):
        assert row["predicted_label"] == answer.label
        assert float(row["predicted_score"]) == pytest.approx(answer.score, abs=1e-6)
        assert row["predicted_truncated"] == "false"
        assert int(row["predicted_token_count"]) == answer.token_count
    assert (report.rows, report.bad, report.bad_file) == (2, 0, None)


def test_bad_rows_go_to_a_side_file_with_line_and_reason(score):
    content = (
        b'id,text\n1,fine\n2,\n3,"two\nlines"\n4,fine,too many\n'
        b'5,caf\xe9\n6,"never closed\n7,after it\n8,"wro"ng\n9,last\n'
    )
    output, report = score("in.csv", content, "out.csv")
    assert [row["id"] for row in read_csv(output)] == ["1", "3", "7", "9"]
    assert [(row["line"], row["code"]) for row in bad_rows(report)] == [
        (3, "empty_text"),
        (6, "wrong_fields"),
        (7, "invalid_text"),
        (8, "invalid_csv"),
        (10, "invalid_csv"),
    ]
    assert "0xE9" in bad_rows(report)[2]["reason"]


def test_a_file_without_bad_rows_leaves_no_side_file_of_an_older_run(score):
    _, report = score("in.txt", "fine\n\n", "out.csv")
    assert report.bad_file is not None
    _, report = score("in.txt", "fine\n", "out.csv")
    assert report.bad_file is None


def test_json_lines_keep_their_values(score):
    lines = [
        '{"text": "fine", "n": 1, "deep": {"a": [1]}}',
        "",
        '{"text": null}',
        '{"n": 2}',
        "[1]",
        "{",
        '{"text": "cold"}',
    ]
    output, report = score("in.jsonl", "\n".join(lines), "out.jsonl")
    first, second = read_jsonl(output)
    assert {name: first[name] for name in ("text", "n", "deep")} == {"text": "fine", "n": 1, "deep": {"a": [1]}}
    assert list(second) == ["text", *ANSWERS]
    assert second["predicted_confident"] is None
    assert [(row["line"], row["code"]) for row in bad_rows(report)] == [
        (3, "empty_text"),
        (4, "empty_text"),
        (5, "invalid_json"),
        (6, "invalid_json"),
    ]


def test_json_lines_become_a_csv_file_with_every_key(score):
    lines = ['{"text": "fine", "flag": true}', '{"text": "cold", "late": {"a": 1}}']
    output, _ = score("in.jsonl", "\n".join(lines), "out.csv")
    rows = read_csv(output)
    assert [(row["text"], row["flag"], row["late"]) for row in rows] == [("fine", "true", ""), ("cold", "", '{"a": 1}')]


def test_each_line_of_plain_text_is_a_text(score):
    output, report = score("in.txt", "\ufefffine soup\r\n\ncold", "out.jsonl", prefix="")
    assert [row["text"] for row in read_jsonl(output)] == ["fine soup", "cold"]
    assert [row["line"] for row in bad_rows(report)] == [2]


def test_a_gzipped_file_is_the_file(score):
    plain, _ = score("in.csv", "text\nfine\ncold\n", "plain.csv")
    packed, _ = score("in2.csv.gz", gzip.compress(b"text\nfine\ncold\n"), "packed.csv")
    assert packed.read_bytes() == plain.read_bytes()


def test_another_encoding_is_read_by_its_name(score):
    output, _ = score("in.csv", "text\ncaf\u00e9\n".encode("cp1252"), "out.csv", encoding="cp1252")
    assert read_csv(output)[0]["text"] == "caf\u00e9"


def test_parquet_keeps_the_types_of_its_columns(score, tmp_path, model):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    schema = arrow.schema([("when", arrow.timestamp("ns")), ("text", arrow.large_string()), ("n", arrow.int8())])
    rows = [{"when": 1_700_000_000_000_000_001, "text": text, "n": n} for n, text in enumerate(["fine", None, "cold"])]
    parquet.write_table(arrow.Table.from_pylist(rows, schema), tmp_path / "in.parquet")
    output, report = score("in.parquet", (tmp_path / "in.parquet").read_bytes(), "out.parquet")
    table = parquet.read_table(output)
    assert [table.schema.field(index) for index in range(3)] == list(schema)
    assert table["n"].to_pylist() == [0, 2]
    assert table["predicted_label"].to_pylist() == [answer.label for answer in model.predict(["fine", "cold"])]
    assert table.schema.field("predicted_score").type == arrow.float64()
    assert [row["line"] for row in bad_rows(report)] == [2]


def test_json_lines_become_parquet_with_typed_columns(score):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    lines = [{"text": "fine", "a": None, "b": 1, "c": 1}, {"text": "cold", "a": True, "b": 2.5, "c": "x"}]
    output, _ = score("in.jsonl", "\n".join(map(json.dumps, lines)), "out.parquet")
    table = parquet.read_table(output)
    assert [table.schema.field(name).type for name in "abc"] == [arrow.bool_(), arrow.float64(), arrow.string()]
    assert [table[name].to_pylist() for name in "abc"] == [[None, True], [1.0, 2.5], ["1", "x"]]


@pytest.mark.parametrize("content", ["text\n", "text\n\n"])
def test_a_file_without_rows_gives_a_file_without_rows(score, content):
    output, report = score("in.csv", content, "out.csv")
    assert output.read_text() == ",".join(["text", *ANSWERS]) + "\n"
    assert report.rows == 0
    parquet = pytest.importorskip("pyarrow.parquet")
    output, _ = score("in.csv", content, "out.parquet")
    assert parquet.read_table(output).num_rows == 0


def test_vectors_beside_a_csv_file_are_those_of_the_library(score, model, tmp_path):
    score("in.txt", "fine soup\n\ncold", "out.csv", vectors="text")
    vectors = np.load(tmp_path / "out.csv.npy")
    assert vectors.dtype == np.float16
    np.testing.assert_allclose(vectors, model.embed(["fine soup", "cold"]), atol=1e-3)
    score("in.txt", "fine soup\n\ncold", "out.csv", vectors="token", layer=1)
    expected = [answer.representations[1] for answer in model.represent(["fine soup", "cold"], layers=[1])]
    np.testing.assert_allclose(np.load(tmp_path / "out.csv.npy"), np.concatenate(expected), atol=1e-3)


def test_vectors_in_parquet_are_list_columns(score, model):
    parquet = pytest.importorskip("pyarrow.parquet")
    output, _ = score("in.txt", "fine soup\n\ncold", "out.parquet", vectors="text")
    np.testing.assert_allclose(
        parquet.read_table(output)["predicted_vector"].to_pylist(), model.embed(["fine soup", "cold"]), atol=1e-6
    )
    output, _ = score("in.txt", "fine soup\n\ncold", "out.parquet", vectors="token")
    found = parquet.read_table(output)["predicted_representations"].to_pylist()
    for matrix, answer in zip(found, model.represent(["fine soup", "cold"]), strict=True):
        np.testing.assert_allclose(matrix, answer.representations[-1], atol=1e-6)


@pytest.mark.slow
def test_many_parts_in_two_processes_give_the_bytes_of_one_process(tmp_path, tiny_8_bit_bundle, monkeypatch):
    monkeypatch.setattr(records, "PART_ROWS", 3)
    (tmp_path / "in.csv").write_text("text\n" + "\n".join(f"soup {number}" for number in range(20)) + "\n")
    outputs = []
    for workers in (1, 2):
        to = tmp_path / f"out{workers}.csv"
        score_file(tmp_path / "in.csv", to=to, model=tiny_8_bit_bundle, workers=workers)
        outputs.append(to.read_bytes())
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\n") == 21


@pytest.mark.parametrize(
    ("name", "content", "to", "message"),
    [
        ("in.csv", "body\nx\n", "out.csv", r'no column "text" \(columns found: body\).*--text_column'),
        ("in.csv", "id;body\n1;x\n", "out.csv", r'no column "text" \(columns found: id, body\)'),
        ("in.csv", "text,text\nx,y\n", "out.csv", "has a column twice: text"),
        ("in.csv", "", "out.csv", "the file is empty"),
        ("in.csv", "text,predicted_label\nx,y\n", "out.csv", "already has the columns.*predicted_label.*--prefix"),
        ("in.csv", "text\nx\n".encode("utf-16"), "out.csv", "is UTF-16"),
        ("in.xlsx", "x", "out.csv", "tells no format that can be scored: .csv"),
        ("in.csv", "text\nx\n", "out.xlsx", "answers are written as csv, jsonl, parquet"),
        (
            "in.csv.gz",
            gzip.compress(b"text\n" + b"fine soup\n" * 9000, mtime=0)[:-20],
            "out.csv",
            "damaged or cut short",
        ),
        ("in.jsonl", '{"body": "x"}\n', "out.jsonl", r'line 1: the object has no "text" \(keys found: body\)'),
        ("in.parquet", "x", "out.csv", "not a whole Parquet file"),
        ("in.jsonl", '{"text": "x", "predicted_score": 1}\n', "out.jsonl", "already has the columns.*predicted_score"),
    ],
)
def test_a_file_that_cannot_be_scored_is_named_with_the_fix(score, tmp_path, *, name, content, to, message):
    with pytest.raises(ScoreError, match=message) as error:
        score(name, content, to)
    assert str(tmp_path) in str(error.value)
    assert not (tmp_path / to).exists()


def test_an_output_that_is_there_is_not_overwritten_unless_asked(score, tmp_path, tiny_bundle):
    output, _ = score("in.txt", "fine", "out.csv")
    before = output.read_bytes()
    (tmp_path / "in.txt").write_text("cold")
    with pytest.raises(ScoreError, match=r"is there already\. Pass --overwrite"):
        score_file(tmp_path / "in.txt", to=output, model=tiny_bundle, workers=1)
    assert output.read_bytes() == before
    score_file(tmp_path / "in.txt", to=output, model=tiny_bundle, workers=1, overwrite=True)
    assert output.read_bytes() != before


def test_an_output_is_never_its_own_input(tmp_path, tiny_bundle):
    (tmp_path / "in.csv").write_text("text\nfine\n")
    with pytest.raises(ScoreError, match="would replace the input"):
        score_file(tmp_path / "in.csv", to=tmp_path / "in.csv", model=tiny_bundle, workers=1, overwrite=True)
    assert (tmp_path / "in.csv").read_text() == "text\nfine\n"


def test_vectors_of_an_older_run_do_not_stay_beside_a_new_output(score, tmp_path):
    score("in.txt", "fine", "out.csv", vectors="text")
    score("in.txt", "fine", "out.csv")
    assert not (tmp_path / "out.csv.npy").exists()


def test_parts_of_another_job_are_not_mixed_in(tmp_path, tiny_bundle):
    source, to = tmp_path / "in.txt", tmp_path / "out.csv"
    source.write_text("\n" + "fine\n" * 5000)
    seen = []

    def stop(rows, _share):
        seen.append(rows)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_file(source, to=to, model=tiny_bundle, workers=1, watch=stop)
    with pytest.raises(ScoreError, match="parts of another job, which differs in: prefix"):
        score_file(source, to=to, model=tiny_bundle, workers=1, options=ScoreOptions(prefix="p_"))
    report = score_file(source, to=to, model=tiny_bundle, workers=1)
    assert (report.kept_parts, report.rows, report.bad) == (1, 5001 - seen[0], 1)
    assert not (tmp_path / "out.csv.parts").exists()


SENTENCES = ["text,id", "fine soup. cold!,1", ",2", "cold,3", '"fine. ""cold"" soup. fine",4', "soup.,5"]


@pytest.mark.parametrize("to", ["out.jsonl", "out.parquet"])
def test_sentences_are_a_list_of_records_with_the_librarys_answers(score, model, to):
    output, report = score("in.csv", "\n".join(SENTENCES), to, sentences=True)
    assert report.bad == 1
    if to == "out.jsonl":
        rows = read_jsonl(output)
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(output).to_pylist()
    assert [len(row["predicted_sentences"]) for row in rows] == [2, 1, 3, 1]
    assert [(part["text"], part["start"], part["end"]) for part in rows[2]["predicted_sentences"]] == [
        ("fine.", 0, 5),
        ('"cold" soup.', 6, 18),
        ("fine", 19, 23),
    ]
    for part, answer in zip(rows[0]["predicted_sentences"], model.predict(["fine soup.", "cold!"]), strict=True):
        assert part["label"] == answer.label
        assert part["score_neutral"] == pytest.approx(answer.scores["neutral"], abs=1e-5)
        assert part["polarity"] == pytest.approx(answer.polarity, abs=1e-5)


@pytest.mark.parametrize("to", ["out.jsonl", "out.parquet"])
def test_a_stopped_job_with_sentences_resumes_to_the_same_bytes(tiny_bundle, tmp_path, monkeypatch, to):
    monkeypatch.setattr(records, "PART_ROWS", 2)
    source = tmp_path / "in.csv"
    source.write_text("\n".join(SENTENCES))
    run = partial(score_file, source, model=tiny_bundle, options=ScoreOptions(sentences=True), workers=1)
    run(to=tmp_path / f"whole-{to}")

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(to=tmp_path / to, watch=stop)
    assert run(to=tmp_path / to).kept_parts == 1
    assert (tmp_path / to).read_bytes() == (tmp_path / f"whole-{to}").read_bytes()


def test_a_csv_file_of_sentences_is_refused(score, tmp_path):
    with pytest.raises(ScoreError, match=r"out\.csv: a text's sentences are a list, which CSV cannot hold"):
        score("in.csv", "\n".join(SENTENCES), "out.csv", sentences=True)
    assert not (tmp_path / "out.csv").exists()
