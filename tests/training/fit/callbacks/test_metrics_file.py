"""metrics.csv of a resumed run begins with the rows of the run before."""

import csv

import pytest
from pytorch_lightning.loggers import CSVLogger

from training.fit.callbacks.metrics_file import carry_over


def logger(folder):
    return CSVLogger(folder, name="", version="csv")


def rows(folder):
    with (folder / "csv" / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def folder(tmp_path):
    first = logger(tmp_path)
    for step in range(6):
        first.log_metrics({"loss": 1 / (step + 3)}, step=step)
    first.log_metrics({"accuracy": 0.1}, step=3)
    first.save()
    return tmp_path


def test_rows_before_the_checkpoint_stay_as_they_were(folder):
    before = rows(folder)
    resumed = logger(folder)
    carry_over([resumed], before_step=4)
    assert rows(folder) == [row for row in before if int(row["step"]) < 4]
    resumed.log_metrics({"loss": 0.25}, step=4)
    resumed.save()
    assert [row["step"] for row in rows(folder)] == ["0", "1", "2", "3", "3", "4"]


def test_a_program_that_dies_meanwhile_loses_nothing(folder, monkeypatch):
    def die(_logger):
        raise KeyboardInterrupt

    before, resumed = rows(folder), logger(folder)
    with monkeypatch.context() as patch:
        patch.setattr(CSVLogger, "save", die)
        with pytest.raises(KeyboardInterrupt):
            carry_over([resumed], before_step=99)
    carry_over([logger(folder)], before_step=99)
    assert rows(folder) == before
    assert [path.name for path in (folder / "csv").iterdir()] == ["metrics.csv"]


def test_there_may_be_no_file_yet(tmp_path):
    carry_over([logger(tmp_path)], before_step=4)
    assert not (tmp_path / "csv" / "metrics.csv").exists()
