"""The code of the page about Spark runs, and gives the library's answers."""

import csv
import re
import shutil
import sys
from pathlib import Path

import pytest

from model_store import SentimentModel
from tests.support.paths import ROOT

pyspark = pytest.importorskip("pyspark.sql", reason="pip install -e '.[spark]' has it: 440 MB, and it needs Java 17")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("java") is None, reason="no Java: apt-get install openjdk-17-jre-headless"),
]

BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/how-to/spark.md").read_text(), re.DOTALL | re.MULTILINE)
TEXTS = ["A warm, funny evening.", "The soup was cold.", "", "Not bad at all."] * 5


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("spark"))
    options = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "512m",
        "spark.local.dir": folder,
        "spark.sql.warehouse.dir": folder,
        "spark.default.parallelism": "2",
        "spark.sql.files.minPartitionNum": "2",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "3",
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.chdir(folder)  # Spark finds files by the folder it was started in
        session = pyspark.SparkSession.builder.master("local[2]").config(map=options).getOrCreate()
        yield session
        session.stop()


def test_the_code_on_the_page_gives_the_librarys_answers(spark):
    with Path("reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text"], *enumerate(TEXTS)])
    names = {"spark": spark}
    for block in BLOCKS:
        exec(block, names)  # noqa: S102 - the page's own code
    rows = spark.read.parquet("scored.parquet").orderBy("id").collect()
    answers = SentimentModel.load("default").predict(
        [text or None for text in TEXTS], errors="keep"
    )  # as Spark reads it
    assert [row.id for row in rows] == list(range(len(TEXTS)))
    for row, text, answer in zip(rows, TEXTS, answers, strict=True):
        if text:
            assert (row.text, row.label, row.error) == (text, answer.label, None)
            assert row.score == pytest.approx(answer.score, abs=1e-6)
        else:
            assert (row.label, row.error) == (None, answer.message)


def test_the_function_has_at_most_20_lines():
    assert len(BLOCKS[0].splitlines()) <= 20
