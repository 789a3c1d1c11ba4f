"""Training that begins with another run's weights."""

import json
import re

import pytest
import torch

from tests.support.checkpoints import write_checkpoint
from tests.support.fit_program import run, spy
from training.data import tokenization
from training.fit.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.fit.task import SentimentTask
from training.fit.warm_start import start_from

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("test_warm_start")]  # they share a run

STILL = ("--model.learning_rate=1.0e-30", "--model.weight_decay=0.0", "--trainer.max_epochs=1")
"""Options of a run that moves no weight, so that it ends with those it began with."""

TERMINATED = 143


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A run's best checkpoint."""
    folder = tmp_path_factory.mktemp("earlier")
    assert run(folder, "--trainer.max_epochs=1").returncode == 0
    return folder / "run" / "checkpoints" / "best.ckpt"


def weights(path):
    return load_checkpoint(path).task.network.state_dict()


def test_a_run_begins_with_the_weights_that_export_takes(earlier, tmp_path):
    result = run(tmp_path, *STILL, f"--start_from={earlier}", "--seed_everything=2")
    assert result.returncode == 0, result.stderr
    found = weights(tmp_path / "run" / "checkpoints" / "best.ckpt")
    for name, value in weights(earlier).items():
        torch.testing.assert_close(found[name], value, rtol=1e-5, atol=1e-7, msg=name)  # averaging them rounds


def test_where_the_weights_came_from_goes_with_them(earlier, tmp_path):
    assert run(tmp_path, *STILL, f"--start_from={earlier}").returncode == 0
    origin = load_checkpoint(tmp_path / "run" / "checkpoints" / "best.ckpt").origin()
    first = load_checkpoint(earlier).origin()
    assert origin["began_with"] == first
    assert "--start_from" not in first["command"]
    assert [file["name"] for file in first["files"]] == ["sample/train.csv", "sample/validation.csv"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["began_with"] == first


def test_a_run_that_goes_on_keeps_its_own_weights(earlier, tmp_path):
    command = (*STILL, "--seed_everything=2", "--ckpt_path=last")
    assert run(tmp_path, *command, spies=spy("EndAt", step=12)).returncode == TERMINATED
    result = run(tmp_path, *command, f"--start_from={earlier}")
    assert result.returncode == 0, result.stderr
    fresh = tmp_path / "fresh"
    assert run(fresh, *command).returncode == 0
    kept, expected = (weights(folder / "run" / "checkpoints" / "best.ckpt") for folder in (tmp_path, fresh))
    for name, value in expected.items():
        torch.testing.assert_close(kept[name], value, msg=name)


def test_a_checkpoint_that_is_not_there_ends_the_command_plainly(tmp_path):
    result = run(tmp_path, "--start_from=nowhere.ckpt")
    assert result.returncode == 1
    assert "nowhere.ckpt: no such checkpoint" in result.stderr
    assert "Traceback" not in result.stderr


def task(labels=("negative", "neutral", "positive"), words=("bad", "good"), hidden_size=8, **options):
    pipeline = tokenization.word_pipeline(list(words)).to_str()
    return SentimentTask(list(labels), pipeline, embedding_size=4, hidden_size=hidden_size, **options)


def loaded(earlier):
    """What ``load_checkpoint`` gives for a task."""
    return Checkpoint(task=earlier, data_options={"sources": []}, files=[], epochs=1, run={})


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (task(labels=("negative", "positive")), "its labels are negative, neutral, positive, and those"),
        (task(words=("bad", "fine")), "its tokenizer is another"),
        (task(hidden_size=9), "its network is another; these weights differ: network.encoder"),
        (task(layers=1), "its network is another; these weights differ: network.encoder"),
    ],
    ids=["labels", "tokenizer", "width", "depth"],
)
def test_a_checkpoint_of_something_else_is_refused(other, said):
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=re.escape(f"first.ckpt: {said}")):
        start_from(other, loaded(task()), name="first.ckpt")
    assert all(torch.equal(value, before[name]) for name, value in other.state_dict().items())


def test_an_embedding_that_was_frozen_may_learn_from_now_on(tmp_path):
    labels, pipeline = ["bad", "good"], tokenization.word_pipeline(["fine", "cold"]).to_str()
    vectors = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    frozen = SentimentTask(labels, pipeline, vectors, freeze_embedding=True, hidden_size=3, layers=1).eval()
    path = write_checkpoint(tmp_path / "best.ckpt", frozen)
    learning = SentimentTask(labels, pipeline, torch.zeros(4, 6), hidden_size=3, layers=1).eval()
    start_from(learning, load_checkpoint(path), name=str(path))
    assert learning.network.embedding.weight.requires_grad
    table = frozen.network.embedding
    torch.testing.assert_close(learning.network.embedding.weight.detach(), table.codes * table.scales)
    ids = torch.nn.utils.rnn.pack_sequence([torch.tensor([2, 3, 1])])
    torch.testing.assert_close(learning.network(ids), frozen.network(ids))


def test_a_new_head_keeps_the_rows_of_labels_it_knows_and_begins_others_at_zero():
    earlier, other = task(), task(labels=("positive", "urgent"))
    start_from(other, loaded(earlier), name="first.ckpt", new_head=True)
    head, before = other.network.head, earlier.network.head
    torch.testing.assert_close(head.weight[0], before.weight[2])
    torch.testing.assert_close(head.bias[0], before.bias[2])
    assert not head.weight[1].any()
    assert head.bias[1] == 0
    torch.testing.assert_close(other.network.embedding.weight, earlier.network.embedding.weight)
