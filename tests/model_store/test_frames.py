"""Data frames of three libraries, and SQL in DuckDB."""

import re

import pytest

from model_store import SentimentModel
from tests.support.paths import ROOT

TEXTS = ["Fine soup.", None, "Cold soup!"]


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="module")
def labels(model):
    first, last = model.predict([TEXTS[0], TEXTS[2]])
    return [first.label, None, last.label]


def test_a_pandas_frame_keeps_its_columns_and_index(model, labels):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [5, 6, 7], "text": TEXTS}, index=["a", "b", "c"])
    scored = model.predict_frame(frame, "text")
    assert list(scored.columns[:4]) == ["id", "text", "label", "score"]
    assert scored.index.tolist() == ["a", "b", "c"]
    assert [None if pandas.isna(label) else label for label in scored["label"]] == labels
    assert scored["error"].notna().tolist() == [False, True, False]
    assert list(frame.columns) == ["id", "text"]


def test_a_polars_frame_has_the_same_types_whatever_is_in_it(model, labels):
    polars = pytest.importorskip("polars")
    scored = model.predict_frame(polars.DataFrame({"text": TEXTS}), "text", prefix="p_")
    assert scored["p_label"].to_list() == labels
    unscored = model.predict_frame(
        polars.DataFrame({"text": [None]}, schema={"text": polars.String}), "text", prefix="p_"
    )
    assert unscored.schema == scored.schema
    assert scored.schema["p_score"] == polars.Float64


def test_an_arrow_table_gets_its_columns(model, labels):
    arrow = pytest.importorskip("pyarrow")
    scored = model.predict_frame(arrow.table({"text": TEXTS}), "text")
    assert scored.column("label").to_pylist() == labels


def test_a_column_that_is_absent_or_taken_is_named(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": ["soup"], "label": ["good"]})
    with pytest.raises(ValueError, match=r"no column 'body' \(columns found: text, label\)"):
        model.predict_frame(frame, "body")
    with pytest.raises(ValueError, match="already has the columns label; pass prefix="):
        model.predict_frame(frame, "text")
    with pytest.raises(TypeError, match="a frame of type dict cannot be scored"):
        model.predict_frame({"text": ["soup"]}, "text")


def test_the_four_lines_for_duckdb_label_a_column():
    duckdb = pytest.importorskip("duckdb")
    page = (ROOT / "docs" / "how-to" / "score-a-file.md").read_text()
    (code,) = re.findall(r"## In DuckDB\n\n```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in code.splitlines() if line]) == 4
    exec(code, {})  # noqa: S102 - our own page
    rows = duckdb.sql("SELECT sentiment(text) FROM (VALUES ('I love it.'), (NULL), (''), ('I hate it.')) AS t(text)")
    assert [label for (label,) in rows.fetchall()] == ["positive", None, None, "negative"]
