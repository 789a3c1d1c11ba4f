"""Options and files that cannot be used end in one plain message, before the first step."""

import pytest
import torch

from tests.support.fit_program import run, spy
from tests.support.paths import SAMPLE
from training.commands.fit import fit
from training.data.module import describe_labels
from training.data.tokenized import UNLABELED
from training.fit.callbacks.resume import steps_taken
from training.fit.checkpoint import CheckpointError, load_checkpoint

pytestmark = pytest.mark.slow


@pytest.fixture
def fit_with(tmp_path, capsys):
    """Runs fit in this process and returns its exit status and the message it ends with."""

    def fit_with(*options, train=SAMPLE / "train.csv"):
        files = [f"--data.train={train}", f"--data.validation={SAMPLE / 'validation.csv'}", "--data.cache=false"]
        trainer = ["--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false", "--model.hidden_size=4"]
        with pytest.raises(SystemExit) as end:
            fit([*files, *trainer, f"--trainer.default_root_dir={tmp_path / 'run'}", *options])
        return end.value.code, capsys.readouterr().err

    return fit_with


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data.batch_size=0"], "batch_size is 0; expected a whole number at least 1"),
        (["--data.max_tokens=0"], "max_tokens is 0; expected a whole number at least 1"),
        (["--data.tokenizer=pretrained"], "tokenizer pretrained needs --data.tokenizer_folder"),
        (["--data.tokenizer=pretrained", "--data.tokenizer_folder=nowhere"], "nowhere/tokenizer.json: no such file"),
        (["--data.word_vectors=nowhere.txt"], "nowhere.txt: no such vector file"),
        (["--data.labels_in_order=[good, bad]"], "labels_in_order is ['good', 'bad'], but"),
        (["--trainer.overfit_batches=1"], "overfit_batches does not work with length-bucketed batches"),
        (["--trainer.max_epochs=-1", "--trainer.max_time=00:00:01:00"], "schedule is one_cycle, which must know"),
        (["--resume.every_n_steps=-1"], "resume.every_n_steps is -1"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(fit_with, options, message):
    code, told = fit_with(*options)
    assert code == 2
    assert message in told
    assert "Traceback" not in told


def test_one_label_alone_is_named_with_the_option_that_chooses_labels(fit_with, tmp_path):
    path = tmp_path / "one.csv"
    path.write_text("text,label\na,good\nb,good\n")
    code, told = fit_with(train=path)
    assert code == 1
    assert "one.csv: only the label 'good' occurs in the training data; a classifier needs at least two." in told
    assert "--data.label_map" in told


def test_labels_are_counted_and_those_that_look_alike_are_named():
    told = describe_labels(["Positive", "negative", "positive"], torch.tensor([0, 1, 1, 2, UNLABELED]))
    assert told == (
        "Labels: Positive (1), negative (2), positive (1)\n"
        "The labels 'Positive' and 'positive' differ only by case or space; if they are the same, give them one name "
        "with --data.label_map."
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"not a checkpoint", b"\x80\x02}q\x00.", "tensor", "foreign", "cut"],
    ids=["empty", "zip", "text", "pickle", "tensor", "foreign", "cut"],
)
def test_a_file_that_is_not_a_checkpoint_is_named_wherever_one_is_read(tmp_path, content):
    path = tmp_path / "some.ckpt"
    if content == "tensor":
        torch.save(torch.zeros(3), path)
    elif content == "foreign":
        entries = {"state_dict": {}, "hyper_parameters": {"layers": 1}, "datamodule_hyper_parameters": {}}
        torch.save({**entries, "loops": {}, "global_step": 1}, path)
    elif content == "cut":
        torch.save({"state_dict": torch.zeros(1000)}, path)
        path.write_bytes(path.read_bytes()[:700])
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"some\.ckpt: "):
        load_checkpoint(path)
    if content != "foreign":
        with pytest.raises(CheckpointError, match=r"some\.ckpt: "):
            steps_taken(path)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """A run that gets Ctrl-C in its twelfth step, and its folder."""
    folder = tmp_path_factory.mktemp("interrupted")
    return run(folder, spies=spy("EndAt", step=12, number=2)), folder


def test_ctrl_c_leaves_a_checkpoint_of_the_step_it_came_in(interrupted):
    result, folder = interrupted
    assert result.returncode == 130, result.stderr
    assert "Ctrl-C again stops at once" in result.stderr
    assert torch.load(folder / "run/checkpoints/last.ckpt", weights_only=True)["global_step"] == 13


def test_a_second_run_in_a_folder_is_refused_and_says_what_to_pass(interrupted):
    _, folder = interrupted
    before = (folder / "run/checkpoints/last.ckpt").read_bytes()
    result = run(folder)
    assert result.returncode == 1
    assert "run: holds a run already (checkpoints/" in result.stderr
    assert all(option in result.stderr for option in ("--ckpt_path=last", "--overwrite", "--trainer.default_root_dir"))
    assert (folder / "run/checkpoints/last.ckpt").read_bytes() == before


def test_more_epochs_than_the_schedule_was_made_for_are_refused_before_the_first_step(interrupted):
    _, folder = interrupted
    result = run(folder, "--ckpt_path=last", "--trainer.max_epochs=5")
    assert result.returncode == 1
    assert "The schedule of this checkpoint ends at step 69, and this run would take 115 steps." in result.stderr
    assert "--start_from=CHECKPOINT" in result.stderr


def test_the_folder_may_be_used_again_when_asked(interrupted):
    _, folder = interrupted
    result = run(folder, "--overwrite", "--trainer.max_epochs=1")
    assert result.returncode == 0, result.stderr


def test_a_run_that_replaces_another_never_resumes_the_other(tmp_path):
    assert run(tmp_path, "--trainer.max_epochs=1").returncode == 0
    assert (tmp_path / "run/checkpoints/last.ckpt").is_file()
    killed = run(tmp_path, "--overwrite", "--resume.every_n_steps=0", spies=spy("EndAt", step=2, number=9))
    assert killed.returncode == -9
    assert list((tmp_path / "run/checkpoints").glob("*.ckpt")) == []
