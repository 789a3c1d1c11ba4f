"""What a run folder says of its run, against the run's own logs, files and repository."""

import csv
import json
import os
import shutil
import subprocess
from hashlib import sha256

import numpy as np
import pytest
import torch
import yaml

from tests.support.fit_program import run, spy
from tests.support.paths import ROOT, SAMPLE
from training.fit.provenance import git_commit

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_run_record")]  # they share a run

TEST = ("--data.test", str(SAMPLE / "test.csv"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("recorded")
    done = run(place, *TEST)
    assert done.returncode == 0, done.stderr
    return place / "run"


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def logged(folder, column):
    with (folder / "csv" / "metrics.csv").open(encoding="utf-8") as stream:
        return [(int(row["step"]), float(row[column])) for row in csv.DictReader(stream) if row.get(column)]


def test_the_record_names_command_seed_libraries_and_data(folder):
    record = read(folder / "run.json")
    assert record["command"] == f"python -m training fit --config fit.yaml {TEST[0]} {TEST[1]}"
    assert record["seed"] == 1
    assert record["libraries"]["torch"] == torch.__version__
    assert record["libraries"]["numpy"] == np.__version__
    assert record["accelerator"] == "CPU"
    assert record["machine"]["accelerator"] is None
    assert record["machine"]["devices"] == 1
    assert 1 <= record["machine"]["cores"] <= os.cpu_count()
    assert [(file["part"], file["name"]) for file in record["data"]] == [
        ("train", "sample/train.csv"), ("validation", "sample/validation.csv"), ("test", "sample/test.csv"),
    ]  # fmt: skip
    assert record["data"][2]["sha256"] == sha256((SAMPLE / "test.csv").read_bytes()).hexdigest()


def test_the_figures_are_those_of_the_logs(folder):
    metrics = read(folder / "metrics.json")
    f1 = logged(folder, "validation/macro_f1")
    best = max(value for _, value in f1)
    assert metrics["finished"] is True
    # 360 texts in batches of 16 are 23 steps an epoch, for 3 epochs, validated twice an epoch.
    assert (metrics["epochs"], metrics["steps"], len(f1)) == (3, 69, 6)
    assert metrics["best"]["value"] == pytest.approx(best)
    assert metrics["validation"]["macro_f1"] == pytest.approx(best)
    assert metrics["best"]["step"] - 1 == next(step for step, value in f1 if value == pytest.approx(best))
    assert (folder / metrics["best"]["checkpoint"]).name == "best.ckpt"
    assert metrics["test"]["accuracy"] == pytest.approx(logged(folder, "test/accuracy")[0][1])
    assert 0 < metrics["seconds"] < 120
    assert metrics["recovery"] == {"skipped_steps": 0, "rollbacks": 0}


def test_tensorboard_shows_the_figures_of_the_csv_log(folder):
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = events.EventAccumulator(str(folder / "tensorboard")).Reload()
    shown = [(event.step, event.value) for event in board.Scalars("validation/macro_f1")]
    assert shown == [(step, pytest.approx(value)) for step, value in logged(folder, "validation/macro_f1")]


def test_the_curves_are_a_picture(folder):
    content = (folder / "curves.png").read_bytes()
    assert content.startswith(b"\x89PNG\r\n")
    width, height = (int.from_bytes(content[start : start + 4]) for start in (16, 20))  # the PNG header's
    assert width > 1000
    assert height > 700  # two rows of panels


def test_the_resolved_config_makes_the_same_run_again(folder, tmp_path):
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert config["model"]["weight_decay"] == 0.01  # a default that the config did not name
    shutil.copy(folder / "config.yaml", tmp_path / "again.yaml")
    done = run(tmp_path, "--config", "again.yaml", "--trainer.default_root_dir", "again")
    assert done.returncode == 0, done.stderr
    assert read(tmp_path / "again/metrics.json")["test"] == read(folder / "metrics.json")["test"]
    assert not (tmp_path / "run").exists()  # logs and checkpoints follow the folder


def test_a_checkpoint_has_the_record_and_the_history(folder):
    checkpoint = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert checkpoint["run"]["seed"] == 1
    assert 0 < checkpoint["run"]["seconds"] < read(folder / "metrics.json")["seconds"] + 0.1  # it is rounded to 0.1
    assert checkpoint["run"]["machine"] == read(folder / "run.json")["machine"]
    state = checkpoint["callbacks"]["RunRecord"]
    assert len(state["series"]["train/loss"]) == checkpoint["global_step"]
    assert [step for step, _ in state["series"]["gradient_norm"]] == list(range(1, checkpoint["global_step"] + 1))


def test_a_stopped_run_keeps_its_metrics_and_its_resumption_continues_them(tmp_path, folder):
    stopped = run(tmp_path, *TEST, spies=spy("EndAt", step=30))
    assert stopped.returncode == 143
    metrics = read(tmp_path / "run/metrics.json")
    assert (metrics["finished"], metrics["steps"]) == (False, 31)
    assert "test" not in metrics
    assert (tmp_path / "run/curves.png").is_file()
    assert run(tmp_path, *TEST, "--ckpt_path", "last").returncode == 0
    unbroken, resumed = read(folder / "metrics.json"), read(tmp_path / "run/metrics.json")
    for name in ("finished", "epochs", "steps", "best", "validation", "test"):
        assert resumed[name] == unbroken[name]


def test_the_commit_is_the_repositorys_and_absent_elsewhere(tmp_path):
    git = shutil.which("git")
    assert git_commit(tmp_path) == {}
    inside = subprocess.run([git, "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S603
    found = git_commit(ROOT / "training")
    if inside.returncode:
        assert found == {}
        return
    assert found["git"]["commit"] == inside.stdout.strip()
    assert isinstance(found["git"]["dirty"], bool)


def test_code_in_an_environment_inside_a_repository_is_not_of_that_repository(tmp_path):
    git = shutil.which("git")
    subprocess.run([git, "init", "-q", tmp_path], check=True)  # noqa: S603
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "code.py").write_text("", encoding="utf-8")
    assert git_commit(tmp_path / "installed") == {}
