"""What fit prints at the end, against what it wrote and what ``test`` measures."""

import json
import re

import pytest

from tests.support.fit_program import run
from tests.support.paths import SAMPLE
from training.commands.main import main

pytestmark = pytest.mark.slow


def test_a_run_ends_with_its_best_epoch_its_confusion_matrix_and_the_next_command(tmp_path, monkeypatch):
    done = run(tmp_path, environment={"COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    last = done.stderr.partition("Best after")[2]
    best = f" epoch {metrics['best']['epoch'] + 1} of 3, by validation macro f1 {metrics['best']['value']:.2%}: "
    assert last.startswith(f"{best}run/checkpoints/best.ckpt\nCurves: run/curves.png\n")
    assert "Training texts. Labels: negative (120), neutral (120), positive (120)" in last
    assert "Next: python -m training export run/checkpoints/best.ckpt --to run/bundle" in last
    validated = [line for line in done.stderr.splitlines() if re.match(r"Step \d+, epoch \d of 3, loss", line)]
    assert len(validated) == 6
    assert re.search(r"validation loss \d\.\d{3}, validation accuracy \d+\.\d%, validation macro f1 ", validated[0])
    monkeypatch.chdir(tmp_path)
    main(["test", "run/checkpoints/best.ckpt", str(SAMPLE / "validation.csv"), "--to", "report.json"])
    measured = json.loads((tmp_path / "report.json").read_text())
    for name, row in zip(measured["labels"], measured["confusion"], strict=True):
        assert re.search(rf"^{name}\s+" + r"\s+".join(map(str, row)) + r"\s*$", last, re.MULTILINE)
