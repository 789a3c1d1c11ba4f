"""A teacher learns from labels of its own and from labels that stand for several of them."""

import math

import torch

from training.data.examples import Example
from training.distillation.teacher import new_teacher
from training.distillation.teacher_training import Schedule, Targets, fine_tune

TARGETS = Targets.of(["very bad", "bad", "good"], {"any bad": ["very bad", "bad"]})
LOGITS = torch.log(torch.tensor([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]))


def test_the_loss_of_a_coarse_label_is_that_of_all_that_it_stands_for():
    losses = TARGETS.losses(LOGITS, torch.tensor([1, 3, 3]))  # bad, any bad, any bad
    expected = [-math.log(0.3), -math.log(0.2 + 0.3), -math.log(0.6 + 0.3)]
    torch.testing.assert_close(losses, torch.tensor(expected))


def test_the_loss_of_its_own_labels_is_cross_entropy():
    labels = torch.tensor([0, 2, 1])
    expected = torch.nn.functional.cross_entropy(LOGITS, labels, reduction="none")
    torch.testing.assert_close(TARGETS.losses(LOGITS, labels), expected)


def test_a_coarse_label_is_right_if_the_likeliest_is_one_of_its_own():
    assert TARGETS.right(LOGITS, torch.tensor([3, 2, 3])).tolist() == [0, 1, 1]


def test_a_coarse_label_moves_its_members_together():
    logits = torch.zeros(1, 3, requires_grad=True)
    TARGETS.losses(logits, torch.tensor([3])).sum().backward()
    very_bad, bad, good = logits.grad[0].tolist()
    assert very_bad == bad < 0 < good
    assert math.isfinite(good)


def test_a_stopped_run_would_resume_from_its_last_epoch_though_an_earlier_one_is_better(base_folder, tmp_path):
    texts, labels = ["good good", "a good film", "bad bad", "a bad soup"], ["good", "good", "bad", "bad"]
    right, wrong = (
        [Example(text=text, label=label, line=line) for line, (text, label) in enumerate(rows, start=1)]
        for rows in (zip(texts, labels, strict=True), zip(texts, reversed(labels), strict=True))
    )
    schedule = Schedule(
        epochs=3,
        batch_size=4,
        tokens_per_batch=0,
        learning_rate=3e-3,
        train_embeddings=True,
        precision="32",
        seed=0,
    )
    fine_tune(
        new_teacher(str(base_folder), ["bad", "good"], max_tokens=24),
        Targets.of(["bad", "good"], {}),
        train=right,
        validation=wrong,  # the more is learned, the worse
        schedule=schedule,
        to=tmp_path,
    )
    best, last = (
        torch.load(tmp_path / "run" / f"{name}.ckpt", map_location="cpu", weights_only=False)["epoch"]
        for name in ("best", "last")
    )
    assert last == schedule.epochs - 1
    assert best < last
