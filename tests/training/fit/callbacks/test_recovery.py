"""A loss or gradient that is not finite: skipped, then gone back from, and in the end given up on."""

import copy
import json

import pytest
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import EMAWeightAveraging

from tests.support.fit_program import run
from tests.support.least_squares import Matrix
from tests.support.paths import SAMPLE
from training.data.module import SentimentData
from training.fit.callbacks.recovery import DivergedError, Recovery, fit_with_recovery
from training.fit.callbacks.resume import Resume

NAN = float("nan")


class Snapshots(lightning.Callback):
    """Copies of weights, moments and average before each batch; must come last."""

    def __init__(self):
        self.taken = {}

    def on_train_batch_start(self, trainer, pl_module, *_):
        averages = [callback for callback in trainer.callbacks if isinstance(callback, EMAWeightAveraging)]
        self.taken[trainer.global_step] = copy.deepcopy(
            {
                "weights": pl_module.state_dict(),
                "optimizer": trainer.optimizers[0].state_dict()["state"],
                "average": [callback._average_model.state_dict() for callback in averages],
            }
        )


def leaves(value):
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [leaf for part in parts for leaf in leaves(part)]
    return [value]


def equal(first, second):
    return all(torch.equal(one, other) for one, other in zip(leaves(first), leaves(second), strict=True))


def spoil_at(*steps, times=NAN):
    return lambda step, loss: loss * times if step in steps else loss


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("clipping", [None, "norm", "value"])
@pytest.mark.parametrize("bad", [NAN, float("inf")])
def test_a_bad_loss_changes_neither_weights_nor_moments_nor_average(make_trainer, loader, precision, clipping, bad):
    recovery, snapshots = Recovery(), Snapshots()
    average = EMAWeightAveraging(decay=0.5)
    options = {"gradient_clip_val": 0.1, "gradient_clip_algorithm": clipping} if clipping else {}
    trainer = make_trainer(recovery, average, snapshots, precision=precision, **options)
    trainer.fit(Matrix(spoil=spoil_at(5, times=bad)), loader)
    assert trainer.gradient_clip_val == options.get("gradient_clip_val")
    assert equal(snapshots.taken[5], snapshots.taken[6])
    assert not equal(snapshots.taken[6]["weights"], snapshots.taken[7]["weights"])
    assert not equal(snapshots.taken[6]["average"], snapshots.taken[7]["average"])
    assert recovery.state_dict() == {"skipped": 1, "in_a_row": 0, "went_back": 0}
    assert trainer.global_step == 16


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop, torch.optim.Adagrad])
def test_other_optimisers_stand_still_too(make_trainer, loader, optimizer):
    snapshots = Snapshots()
    make_trainer(Recovery(), snapshots).fit(Matrix(spoil=spoil_at(5), optimizer=optimizer), loader)
    assert equal(snapshots.taken[5], snapshots.taken[6])


def test_one_bad_number_in_one_gradient_is_enough(make_trainer, loader):
    class SpoilOneGradient(lightning.Callback):
        def on_after_backward(self, trainer, pl_module):
            if trainer.global_step == 5:
                pl_module.layer.weight.grad[1, 2] = NAN

    recovery, snapshots = Recovery(), Snapshots()
    make_trainer(recovery, SpoilOneGradient(), snapshots, gradient_clip_val=1.0).fit(Matrix(), loader)
    assert equal(snapshots.taken[5], snapshots.taken[6])
    assert recovery.skipped == 1
    assert recovery._bad_steps[0]["parameters_with_bad_gradient"] == ["layer.weight"]


def test_without_recovery_one_bad_batch_ruins_everything(make_trainer, loader):
    model = Matrix(spoil=spoil_at(5))
    make_trainer(gradient_clip_val=1.0).fit(model, loader)
    assert model.layer.weight.isnan().all()


def test_a_bad_batch_among_accumulated_ones_spoils_their_step_alone(make_trainer, loader):
    recovery, model = Recovery(), Matrix()
    model.spoil = lambda _step, loss: loss * NAN if len(model.seen) == 5 else loss  # the first of the third step's two
    make_trainer(recovery, accumulate_grad_batches=2, max_epochs=1).fit(model, loader)
    assert recovery.skipped == 1
    assert recovery._bad_steps[0]["rows"] == [*range(12, 18)]
    assert model.layer.weight.isfinite().all()


def test_after_too_many_in_a_row_training_goes_back_and_takes_smaller_steps(make_trainer, loader):
    bad_times = iter([True] * 3)  # three bad steps, wherever they come, and never again
    spoil = lambda step, loss: loss * NAN if step >= 10 and next(bad_times, False) else loss  # noqa: E731
    recovery, snapshots = Recovery(patience=3, snapshot_every_n_steps=4), Snapshots()
    trainer = make_trainer(Resume(), recovery, EMAWeightAveraging(decay=0.5), snapshots)
    model = Matrix(spoil=spoil)
    before = {}

    class Keep(lightning.Callback):
        def on_train_batch_start(self, trainer, *_):
            before.setdefault(trainer.global_step, copy.deepcopy(snapshots.taken[trainer.global_step]))

    trainer.callbacks.append(Keep())
    fit_with_recovery(trainer, model, train_dataloaders=loader)
    # No state was proven by 20 good steps yet, so training goes back to the beginning.
    steps = [step for step, _ in model.seen]
    assert steps == [*range(13), *range(16)]
    assert equal(before[0], snapshots.taken[0])
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.05)
    assert recovery.state_dict() == {"skipped": 3, "in_a_row": 0, "went_back": 1}


def test_it_goes_back_to_the_newest_state_that_proved_good(make_trainer, loader):
    bad_times = iter([True] * 2)
    spoil = lambda step, loss: loss * NAN if step >= 50 and next(bad_times, False) else loss  # noqa: E731
    recovery = Recovery(patience=2, snapshot_every_n_steps=12)
    model = Matrix(spoil=spoil)
    fit_with_recovery(make_trainer(Resume(), recovery, max_epochs=8), model, train_dataloaders=loader)
    # Snapshots at 0, at 12 (proven by 20 good steps at 32) and at 32 (not proven at 50).
    assert [step for step, _ in model.seen] == [*range(52), *range(12, 64)]


def test_the_same_data_come_again_after_going_back(tmp_path):
    """With the project's own data, whose place is in the checkpoint, in the middle of the second epoch."""
    bad_times = iter([True] * 2)
    spoil = lambda step, loss: loss * NAN if step >= 33 and next(bad_times, False) else loss  # noqa: E731
    model = Matrix(spoil=spoil)
    data = SentimentData(str(SAMPLE / "train.csv"), str(SAMPLE / "validation.csv"), batch_size=16)
    trainer = lightning.Trainer(
        accelerator="cpu",
        callbacks=[Resume(), Recovery(patience=2, snapshot_every_n_steps=7)],
        max_epochs=3,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        use_distributed_sampler=False,
    )
    fit_with_recovery(trainer, model, datamodule=data)
    first, again = model.seen[:35], model.seen[35:]
    assert again[0][0] < 33
    assert [entry for entry in first if entry[0] >= again[0][0]] == again[: 35 - again[0][0]]
    assert [step for step, _ in again] == [*range(again[0][0], 69)]
    rows = [row for step, rows in again if step >= 23 for row in rows]
    assert sorted(rows[-360:]) == list(range(360))


def test_a_learning_rate_that_explodes_is_brought_down_until_training_works(make_trainer, loader):
    model = Matrix(learning_rate=1e25, optimizer=torch.optim.SGD)
    recovery = Recovery(patience=2, rollbacks=5, factor=1e-6)
    fit_with_recovery(make_trainer(Resume(), recovery, max_epochs=10), model, train_dataloaders=loader)
    assert recovery.went_back == 5  # 1e25 times 1e-6 five times is 1e-5
    assert model.layer.weight.isfinite().all()


def test_a_learning_rate_that_cannot_be_saved_stops_with_the_rows_and_what_to_try(make_trainer, loader, tmp_path):
    model = Matrix(learning_rate=1e25, optimizer=torch.optim.SGD)
    trainer = make_trainer(Resume(), Recovery(patience=2, rollbacks=2), max_epochs=10)
    with pytest.raises(DivergedError, match="a smaller --model") as stopped:
        fit_with_recovery(trainer, model, train_dataloaders=loader)
    assert "also after going back 2 times" in str(stopped.value)
    assert model.layer.weight.isfinite().all()
    report = json.loads((tmp_path / "non_finite_steps.json").read_text())
    rows = dict(model.seen[-2:])
    assert {step["step"]: step["rows"] for step in report["last_skipped"][-2:]} == rows
    assert report["went_back"] == 2


def test_last_checkpoint_is_not_written_while_steps_are_skipped(make_trainer, loader, tmp_path):
    trainer = make_trainer(
        Resume(every_n_steps=1), Recovery(patience=4, rollbacks=0), enable_checkpointing=True, max_epochs=2
    )
    with pytest.raises(DivergedError, match="going back is off"):
        fit_with_recovery(trainer, Matrix(spoil=spoil_at(*range(6, 99))), train_dataloaders=loader)
    (last,) = tmp_path.rglob("last.ckpt")
    assert torch.load(last, weights_only=True)["global_step"] == 6


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"recovery\.patience is 0; expected 1 or more"):
        Recovery(patience=0)
    with pytest.raises(ValueError, match=r"recovery\.factor is 2.0; expected more than 0 and at most 1"):
        Recovery(factor=2.0)


@pytest.mark.slow
def test_the_program_says_what_happened_and_exits_with_1(tmp_path):
    options = ("--model.learning_rate", "1e30", "--model.schedule", "constant", "--trainer.precision", "bf16-mixed")
    done = run(tmp_path, *options, "--recovery.rollbacks", "1")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "not finite for 3 steps in a row, also after going back 1 times" in done.stderr
    assert "--trainer.precision=32-true (now bf16-mixed)" in done.stderr
    report = json.loads((tmp_path / "run/non_finite_steps.json").read_text())
    seen = [json.loads(line)["rows"] for line in (tmp_path / "rows-0.jsonl").read_text().splitlines()]
    assert [step["rows"] for step in report["last_skipped"][-3:]] == seen[-3:]
