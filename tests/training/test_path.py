"""The whole path as a person runs it: fit, export, predict, on labels of any kind."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from torch.nn.utils.rnn import pack_sequence

from model_store import SentimentModel
from tests.support.paths import CONFIGS, ROOT, SAMPLE
from training.commands.main import main
from training.fit.checkpoint import CheckpointError, load_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_path")]  # they share a run


def fit(folder, *more, config="sample.yaml"):
    """Runs fit in ``folder``, so that everything a run writes lands there."""
    arguments = ["--config", str(CONFIGS / config), *more]
    return subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "training", "fit", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def sample_paths():
    parts = ("train", "validation", "test")
    return [argument for part in parts for argument in (f"--data.{part}", str(SAMPLE / f"{part}.csv"))]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    done = fit(folder, *sample_paths(), "--trainer.max_epochs", "6", "--trainer.log_every_n_steps", "1")
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.fixture(scope="module")
def bundle(run):
    folder, _ = run
    destination = folder / "bundle"
    main(["export", str(folder / "runs/sample/checkpoints/best.ckpt"), "--to", str(destination), "--name", "sample"])
    return destination


def test_a_run_leaves_checkpoints_logs_and_config_and_prints_test_figures(run):
    folder, done = run
    written = {str(path.relative_to(folder / "runs/sample")) for path in (folder / "runs/sample").rglob("*")}
    records = {"config.yaml", "run.json", "metrics.json", "curves.png"}
    assert {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "csv/metrics.csv", *records} <= written
    assert any("tfevents" in name for name in written)
    assert "test/accuracy" in done.stdout


def test_training_learns(run):
    folder, _ = run
    with (folder / "runs/sample/csv/metrics.csv").open() as stream:
        losses = [float(row["train/loss"]) for row in csv.DictReader(stream) if row["train/loss"]]
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:20])


def test_a_checkpoint_stands_alone(run):
    folder, _ = run
    loaded = load_checkpoint(folder / "runs/sample/checkpoints/best.ckpt")
    assert loaded.task.labels == ["negative", "neutral", "positive"]
    assert [file["rows"] for file in loaded.files] == [360, 60]
    assert loaded.run["seed"] == 1


def test_a_checkpoint_knows_its_epochs_also_once_the_run_has_ended(run):
    folder, _ = run
    best, last = (load_checkpoint(folder / f"runs/sample/checkpoints/{name}.ckpt").epochs for name in ("best", "last"))
    assert 1 <= best <= last
    assert last == json.loads((folder / "runs/sample/metrics.json").read_text())["epochs"]


def test_averaged_weights_are_the_ones_tested_and_exported(tmp_path):
    average = ["--trainer.callbacks+=pytorch_lightning.callbacks.EMAWeightAveraging"]
    average += ["--trainer.callbacks.init_args.decay=0.95", "--trainer.callbacks.init_args.use_buffers=false"]
    done = fit(tmp_path, *sample_paths(), "--trainer.max_epochs", "1", *average)
    assert done.returncode == 0, done.stderr
    tested = json.loads((tmp_path / "runs/sample/metrics.json").read_text())["test"]["loss"]
    task = load_checkpoint(tmp_path / "runs/sample/checkpoints/best.ckpt").task
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    with (SAMPLE / "test.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    ids = [torch.tensor(pipeline.encode(row["text"]).ids) for row in rows]
    labels = torch.tensor([task.labels.index(row["label"]) for row in rows])
    with torch.inference_mode():
        loss = torch.nn.functional.cross_entropy(task(pack_sequence(ids, enforce_sorted=False)), labels)
    assert tested == pytest.approx(float(loss), abs=1e-5)


def test_the_bundle_equals_the_lightning_module(run, bundle):
    folder, _ = run
    task = load_checkpoint(folder / "runs/sample/checkpoints/best.ckpt").task
    model = SentimentModel.load(bundle)
    with (SAMPLE / "test.csv").open(encoding="utf-8") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    ids = [torch.tensor(model.tokenize(text).ids) for text in texts]
    with torch.inference_mode():
        expected = task(pack_sequence(ids, enforce_sorted=False)).numpy()
    found = np.array([answer.logits for answer in model.predict(texts)])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_manifest_says_where_the_model_comes_from(bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["name"] == "sample"
    assert [label["polarity"] for label in manifest["labels"]] == [-1, 0, 1]
    assert manifest["training"]["command"].startswith("python -m training fit --config")
    assert manifest["training"]["files"][0]["name"] == "sample/train.csv"
    assert manifest["calibration"]["rows"] == 60
    evaluation = json.loads((bundle / "evaluation.json").read_text())["evaluation"]
    assert {metric["metric"] for metric in evaluation["metrics"]} >= {"accuracy", "macro_f1", "polar_accuracy"}
    assert "| encoder | 2 x 32, bidirectional lstm |" in (bundle / "README.md").read_text()


def test_export_explains_a_missing_validation_file(run, tmp_path, capsys):
    folder, _ = run
    checkpoint = str(folder / "runs/sample/checkpoints/best.ckpt")
    with pytest.raises(SystemExit, match="1"):
        main(["export", checkpoint, "--to", str(tmp_path / "b"), "--validation", str(tmp_path / "gone.csv")])
    assert "Pass --validation FILE with labeled text" in capsys.readouterr().err
    main(["export", checkpoint, "--to", str(tmp_path / "b"), "--no_calibrate"])
    assert SentimentModel.load(tmp_path / "b").manifest.calibration.temperature == 1.0


def test_export_refuses_what_is_no_checkpoint(tmp_path):
    (tmp_path / "x.ckpt").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"x\.ckpt: cannot be read as a checkpoint"):
        load_checkpoint(tmp_path / "x.ckpt")
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(CheckpointError, match="it lacks hyper_parameters"):
        load_checkpoint(tmp_path / "other.ckpt")


def five_class_lines(path, rows):
    words = ["dreadful", "dull", "plain", "nice", "superb"]
    path.write_text("".join(f"{n % 5} a {words[n % 5]} evening number {n}\n" for n in range(rows)), encoding="utf-8")
    return str(path)


def test_five_classes_of_labeled_lines_with_a_learnt_subword_vocabulary(tmp_path):
    done = fit(
        tmp_path,
        "--data.train", five_class_lines(tmp_path / "train.txt", 200),
        "--data.validation", five_class_lines(tmp_path / "dev.txt", 40),
        "--data.test", "null", "--data.tokenizer", "subword", "--data.max_words", "200",
        "--trainer.max_epochs", "2", "--model.cell", "gru", "--model.connection", "highway",
        "--model.pooling", "[attention, last]",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    main(["export", str(tmp_path / "runs/sample/checkpoints/best.ckpt"), "--to", str(tmp_path / "bundle")])
    model = SentimentModel.load(tmp_path / "bundle")
    assert [label.polarity for label in model.manifest.labels] == [-1, -0.5, 0, 0.5, 1]
    assert model.manifest.tokenizer.kind == "subword"


def test_a_bad_row_stops_with_its_place_and_skipping_counts_it(tmp_path):
    path = tmp_path / "reviews.csv"
    path.write_text((SAMPLE / "train.csv").read_text(encoding="utf-8") + "lonely text,\n", encoding="utf-8")
    done = fit(tmp_path, *sample_paths(), "--data.train", str(path))
    assert done.returncode == 1
    assert "reviews.csv, line 362: the label is empty." in done.stderr
    assert "Traceback" not in done.stderr
    skip = ("--data.on_bad_row", "skip", "--trainer.max_epochs", "1")
    done = fit(tmp_path, *sample_paths(), "--data.train", str(path), *skip)
    assert done.returncode == 0
    assert "Left out 1 bad row:" in done.stdout + done.stderr


def test_an_unknown_option_is_refused_and_an_unknown_command_too(tmp_path, capsys):
    done = fit(tmp_path, *sample_paths(), "--model.hiden_size", "3")
    assert done.returncode == 2
    assert "hiden_size" in done.stderr
    with pytest.raises(SystemExit, match="2"):
        main(["fti"])
    assert "'fti' is not a command" in capsys.readouterr().err
