"""Several runs and what their figures are on average."""

import json
import subprocess

import pytest

from tests.support.paths import SAMPLE
from training.commands import repeat as repeat_command
from training.commands.main import main

CONFIG = ["--config", str(SAMPLE.parents[1] / "configs" / "sample.yaml")]
DATA = [f"--data.{part}={SAMPLE / part}.csv" for part in ("train", "validation", "test")]


class Fits:
    """Stands for the programs that would train: notes their options and leaves the figures they are told to."""

    def __init__(self, figures, fails_at=None):
        self.figures = iter(figures)
        self.fails_at = fails_at
        self.options = []

    def __call__(self, command, *, check):
        assert command[1:4] == ["-m", "training", "fit"]
        assert check is False
        self.options.append(command[4:])
        if len(self.options) == self.fails_at:
            return subprocess.CompletedProcess(command, 143)
        folder = next(option.partition("=")[2] for option in reversed(command) if "default_root_dir" in option)
        repeat_command.Path(folder).mkdir(parents=True, exist_ok=True)
        content = {"finished": True, "test": next(self.figures)}
        (repeat_command.Path(folder) / "metrics.json").write_text(json.dumps(content), encoding="utf-8")
        return subprocess.CompletedProcess(command, 0)


def repeat(monkeypatch, root, fits, *more):
    monkeypatch.setattr(repeat_command.subprocess, "run", fits)
    main(["repeat", *CONFIG, *DATA, f"--trainer.default_root_dir={root}", *more])
    return json.loads((root / "metrics.json").read_text(encoding="utf-8"))


def test_mean_and_sample_standard_deviation():
    # By hand: mean 0.8; squared distances 0.01 + 0 + 0.01, over 3 - 1 runs.
    found = repeat_command.summarize([{"accuracy": 0.7}, {"accuracy": 0.8}, {"accuracy": 0.9}])["accuracy"]
    assert found.mean == pytest.approx(0.8)
    assert found.spread == pytest.approx(0.1)


def test_each_seed_has_its_folder_and_the_summary_is_at_the_top(monkeypatch, tmp_path, capsys):
    fits = Fits([{"accuracy": 0.7}, {"accuracy": 0.9}])
    summary = repeat(monkeypatch, tmp_path, fits, "--seeds", "2")
    assert [options[-2:] for options in fits.options] == [
        ["--seed_everything=1", f"--trainer.default_root_dir={tmp_path / 'seed-1'}"],
        ["--seed_everything=2", f"--trainer.default_root_dir={tmp_path / 'seed-2'}"],
    ]
    assert summary["test"]["accuracy"] == {
        "mean": pytest.approx(0.8), "spread": pytest.approx(0.02**0.5), "values": [0.7, 0.9],
    }  # fmt: skip
    assert "0.8000" in capsys.readouterr().out


def test_resume_keeps_what_is_finished_and_goes_on_with_the_rest(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="143"):
        repeat(monkeypatch, tmp_path, Fits([{"accuracy": 0.7}], fails_at=2), "--seeds", "3")
    (tmp_path / "seed-2/checkpoints").mkdir(parents=True)
    (tmp_path / "seed-2/checkpoints/last.ckpt").touch()
    fits = Fits([{"accuracy": 0.8}, {"accuracy": 0.9}])
    summary = repeat(monkeypatch, tmp_path, fits, "--seeds", "3", "--resume")
    assert len(fits.options) == 2
    assert "--ckpt_path=last" in fits.options[0]
    assert "--ckpt_path=last" not in fits.options[1]
    assert summary["test"]["accuracy"]["values"] == [0.7, 0.8, 0.9]


def test_repeat_needs_a_test_file_and_two_seeds(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["repeat", *CONFIG, *DATA, "--data.test=null"])
    assert "a test file is needed" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["repeat", *CONFIG, *DATA, "--seeds", "1"])
    assert "a spread needs at least 2" in capsys.readouterr().err


def test_an_unknown_option_is_refused_before_anything_is_trained(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["repeat", *CONFIG, *DATA, "--model.hiden_size=3"])
    error = capsys.readouterr().err
    assert "did you mean --model.hidden_size?" in error
    assert "python -m training repeat --help" in error


def test_an_option_of_repeat_itself_is_suggested(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["repeat", *CONFIG, *DATA, "--resum"])
    assert "did you mean --resume?" in capsys.readouterr().err


def test_cross_validation_tests_every_text_once_and_never_learns_from_it(monkeypatch, tmp_path):
    fits = Fits([{"accuracy": 0.5}] * 4)
    monkeypatch.setattr(repeat_command.subprocess, "run", fits)
    main(["cross_validate", "--folds", "4", *CONFIG, DATA[0], f"--trainer.default_root_dir={tmp_path}"])
    tested = []
    for number, options in enumerate(fits.options, start=1):
        data = tmp_path / f"fold-{number}" / "data"
        assert {f"--data.{part}={data / part}.jsonl" for part in ("train", "validation", "test")} <= set(options)
        texts = {
            part: [json.loads(line)["text"] for line in (data / f"{part}.jsonl").open(encoding="utf-8")]
            for part in ("train", "validation", "test")
        }
        assert [len(found) for found in texts.values()] == [180, 90, 90]  # of 360
        assert not set(texts["test"]) & (set(texts["train"]) | set(texts["validation"]))
        assert not set(texts["validation"]) & set(texts["train"])
        tested += texts["test"]
    assert len(tested) == len(set(tested)) == 360
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["test"]["accuracy"]["spread"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--folds", "2"], "--folds 2 is too few"),
        (["--data.trees=phrases"], "phrases of one sentence would be on both sides"),
    ],
)
def test_cross_validation_refuses_what_would_leak(arguments, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["cross_validate", *CONFIG, DATA[0], *arguments])
    assert said in capsys.readouterr().err
