"""A run that is killed and resumed ends as if nothing had happened."""

import csv
import json
import signal

import pytest
import torch

from tests.support.fit_program import run, spy
from tests.support.paths import SAMPLE
from training.data.examples import DataError
from training.data.module import SentimentData
from training.fit.callbacks.resume import steps_taken
from training.fit.checkpoint import CheckpointError

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_resume")]  # they share a run

KILLED_AT, TERMINATED_AT = 17, 34
"""Optimizer steps: in the middle of the first epoch of 23, and right after a validation in the middle of the second."""


def load(folder, name="last.ckpt"):
    return torch.load(folder / "run/checkpoints" / name, weights_only=True)


def parts(value, path=""):
    """Every leaf of a checkpoint with its path."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from parts(part, f"{path}/{key}")
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            yield from parts(part, f"{path}/{position}")
    else:
        yield path, value


def comparable(folder, name="last.ckpt"):
    """A checkpoint's leaves, but for the command line, the clock, the folder's name, and what Lightning only displays:
    the score at the last best checkpoint, which it never restores, and the counters of the validation loop.
    """
    found = dict(parts(load(folder, name)))
    return {
        path.replace(str(folder), ""): value.replace(str(folder), "") if isinstance(value, str) else value
        for path, value in found.items()
        if not path.startswith("/run/") and not path.endswith(("/seconds", "/current_score")) and "val_loop" not in path
    }


def metrics(folder):
    with (folder / "run/csv/metrics.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def rows_by_step(folder):
    """The rows of each step, the last time it was taken."""
    entries = map(json.loads, (folder / "rows-0.jsonl").read_text(encoding="utf-8").splitlines())
    return {entry["step"]: entry["rows"] for entry in entries}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One run left alone, and one that is killed, resumed, terminated and resumed again."""
    whole, broken = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("broken")
    results = [
        run(whole, "--ckpt_path", "last"),
        run(broken, "--ckpt_path", "last", spies=spy("EndAt", step=KILLED_AT, number=int(signal.SIGKILL))),
        run(broken, "--ckpt_path", "last", spies=spy("EndAt", step=TERMINATED_AT)),
    ]
    stopped_at = load(broken)["global_step"]
    results.append(run(broken, "--ckpt_path", str(broken / "run/checkpoints/last.ckpt")))
    return whole, broken, results, stopped_at


def test_sigkill_and_sigterm_end_a_run_as_they_should(runs):
    _, _, results, _ = runs
    assert [result.returncode for result in results] == [0, -signal.SIGKILL, 143, 0], results[-1].stderr


def test_a_first_run_may_ask_for_the_last_checkpoint_too(runs):
    _, _, results, _ = runs
    assert "last.ckpt does not exist yet: training starts from the beginning." in results[0].stderr


def test_sigterm_writes_a_checkpoint_of_the_step_under_way(runs):
    _, _, results, stopped_at = runs
    assert stopped_at == TERMINATED_AT + 1
    assert "--ckpt_path=last" in results[2].stderr


def test_weights_optimiser_averages_and_counts_end_the_same_to_the_last_bit(runs):
    whole, broken, _, _ = runs
    expected, found = comparable(whole), comparable(broken)
    assert expected.keys() == found.keys()
    different = [
        path
        for path, value in expected.items()
        if not (torch.equal(value, found[path]) if isinstance(value, torch.Tensor) else value == found[path])
    ]
    assert not different
    kinds = ("/state_dict/", "/current_model_state/", "/optimizer_states/", "/lr_schedulers/", "/callbacks/Gradient")
    for kind in kinds:
        assert any(path.startswith(kind) for path in expected), kind


def test_the_best_checkpoint_is_the_same_too(runs):
    whole, broken, _, _ = runs
    expected, found = load(whole, "best.ckpt"), load(broken, "best.ckpt")
    assert expected["global_step"] == found["global_step"]
    for name, value in expected["state_dict"].items():
        assert torch.equal(value, found["state_dict"][name]), name


def test_metrics_are_those_of_one_run(runs):
    whole, broken, _, _ = runs
    assert metrics(broken) == metrics(whole)
    assert [int(row["step"]) for row in metrics(whole) if row["train/loss"]] == list(range(69))
    assert sum(bool(row["validation/macro_f1"]) for row in metrics(whole)) == 6


def test_data_come_in_the_same_order(runs):
    whole, broken, _, _ = runs
    assert rows_by_step(broken) == rows_by_step(whole)
    assert sorted(row for step in range(23, 46) for row in rows_by_step(broken)[step]) == list(range(360))


def test_resuming_a_finished_run_changes_nothing(runs):
    whole, _, _, _ = runs
    before = comparable(whole)
    assert run(whole, "--ckpt_path", "last").returncode == 0
    after = comparable(whole)
    assert all(torch.equal(before[path], after[path]) for path in before if path.startswith("/current_model_state/"))


def test_another_batch_size_cannot_finish_an_epoch(runs):
    whole, _, _, _ = runs
    state = load(whole)["SentimentData"]
    data = SentimentData(str(SAMPLE / "train.csv"), str(SAMPLE / "validation.csv"), batch_size=8, seed=1)
    data.load_state_dict({**state, "place": {"epoch": 1, "batch": 0}})
    with pytest.raises(DataError, match="batch_size is 8, but was 16 in the run that this checkpoint is from"):
        data.load_state_dict({**state, "place": {"epoch": 1, "batch": 7}})


def test_a_full_disk_stops_with_a_plain_message_and_leaves_the_checkpoint_before(tmp_path):
    done = run(tmp_path, spies=spy("FillDisk", step=12))
    assert done.returncode == 1
    assert "last.ckpt: the checkpoint could not be written (No space left on device)" in done.stderr
    assert "Traceback" not in done.stderr
    assert load(tmp_path)["global_step"] == 10
    assert not list((tmp_path / "run/checkpoints").glob(".*"))


def test_a_missing_or_damaged_checkpoint_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.ckpt: no such checkpoint"):
        steps_taken(tmp_path / "nowhere.ckpt")
    (tmp_path / "half.ckpt").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(CheckpointError, match=r"half\.ckpt: cannot be read as a checkpoint"):
        steps_taken(tmp_path / "half.ckpt")
