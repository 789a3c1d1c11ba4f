"""Two processes on one CPU (gloo) train one model: each row once, one set of files, decisions taken together."""

import csv
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from tests.support.fit_program import TIMEOUT, program, spy
from tests.support.server import free_port

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_distributed")]  # they share a run

TOGETHER = ("--trainer.devices=2", "--trainer.strategy=ddp", "--data.batch_size=8", "--trainer.max_epochs=2")


def run_pair(folder, *arguments, spies=""):
    """Both processes as a cluster would start them, each in a folder of its own to see which of them writes."""
    port = str(free_port())
    started = []
    for rank in range(2):
        environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_RANK": str(rank), "NODE_RANK": "0"}
        command = program(folder / str(rank), *TOGETHER, *arguments, spies=spies, environment=environment)
        started.append(subprocess.Popen(**command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    try:
        outputs = [process.communicate(timeout=TIMEOUT)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    return [process.returncode for process in started], outputs


def torchrun(folder, *arguments, spies=""):
    """The command of docs/how-to/train-unattended.md, on a port of its own."""
    command = program(folder, *TOGETHER, *arguments, spies=spies)
    _, *fit = command.pop("args")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={free_port()}"]
    return subprocess.run([*launcher, *fit], **command, capture_output=True, timeout=TIMEOUT, check=False)  # noqa: S603


def load(folder):
    return torch.load(folder / "run/checkpoints/last.ckpt", weights_only=True)


def entries(folder, rank):
    lines = (folder / f"rows-{rank}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def weights(checkpoint):
    return {name: value for part in ("state_dict", "current_model_state") for name, value in checkpoint[part].items()}


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair")
    codes, outputs = run_pair(folder)
    assert codes == [0, 0], outputs
    return folder, outputs


def test_the_processes_share_every_epochs_rows(pair):
    folder, _ = pair
    both = entries(folder / "0", 0) + entries(folder / "1", 1)
    for epoch in range(2):
        rows = [row for entry in both if entry["epoch"] == epoch for row in entry["rows"]]
        assert sorted(rows) == list(range(360))
    assert [entry["step"] for entry in entries(folder / "0", 0)] == list(range(46))
    assert [entry["step"] for entry in entries(folder / "1", 1)] == list(range(46))


def test_the_loss_falls(pair):
    folder, _ = pair
    with (folder / "0/run/csv/metrics.csv").open(encoding="utf-8", newline="") as stream:
        losses = [float(row["train/loss"]) for row in csv.DictReader(stream) if row["train/loss"]]
    assert np.mean(losses[-15:]) < 0.95 * np.mean(losses[:15])


def test_only_the_first_process_writes(pair):
    folder, outputs = pair
    assert {path.name for path in (folder / "1").iterdir()} == {"fit.yaml", "rows-1.jsonl"}
    assert {"checkpoints", "csv", "config.yaml"} <= {path.name for path in (folder / "0/run").iterdir()}
    assert "Gradient norm before clipping, over 46 steps" in outputs[0]
    assert "Gradient norm before clipping" not in outputs[1]


def test_a_signal_to_one_stops_both_and_resuming_is_exact(pair, tmp_path):
    whole, _ = pair
    codes, outputs = run_pair(tmp_path, spies=spy("EndAt", step=29, rank=1))
    assert codes == [143, 143], outputs
    assert load(tmp_path / "0")["global_step"] == 30
    shutil.copytree(tmp_path / "0/run", tmp_path / "1/run")  # on a cluster both read the same disk
    codes, outputs = run_pair(tmp_path, "--ckpt_path", "last")
    assert codes == [0, 0], outputs
    expected, found = weights(load(whole / "0")), weights(load(tmp_path / "0"))
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[name]) for name, value in expected.items())


def test_a_bad_loss_on_one_process_is_skipped_on_both_and_both_go_back(tmp_path):
    spoiled = spy("SpoilLoss", steps=[4, 9, 10], rank=1, times=1)
    done = torchrun(tmp_path, "--recovery.patience", "2", "--trainer.max_epochs", "1", spies=spoiled)
    assert done.returncode == 0, done.stderr
    assert "the step was skipped (1 in a row, 1 in all)" in done.stderr
    assert "Going back from step 11 to step 0" in done.stderr
    report = json.loads((tmp_path / "run/non_finite_steps.json").read_text(encoding="utf-8"))
    by_process = {(step["step"], step["process"]): step for step in report["last_skipped"]}
    assert sorted(by_process) == [(4, 0), (4, 1), (9, 0), (9, 1), (10, 0), (10, 1)]
    assert by_process[9, 1]["losses"] == ["nan"]
    assert by_process[9, 0]["losses"] != ["nan"]
    seen = {(entry["step"], rank): entry["rows"] for rank in range(2) for entry in entries(tmp_path, rank)[:11]}
    assert all(step["rows"] == seen[place] for place, step in by_process.items())
    assert all(value.isfinite().all() for value in weights(load(tmp_path)).values())
    assert load(tmp_path)["callbacks"]["Recovery"] == {"skipped": 3, "in_a_row": 0, "went_back": 1}
