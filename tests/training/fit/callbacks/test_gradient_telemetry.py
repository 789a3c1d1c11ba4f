"""Gradient norms are those before clipping, counted over every step."""

import csv
import math

import pytest
import torch
from pytorch_lightning.loggers import CSVLogger

from tests.support.least_squares import Matrix
from training.fit.callbacks.gradient_telemetry import GradientTelemetry
from training.fit.callbacks.recovery import Recovery


class Written(Matrix):
    """Writes down each gradient as the backward pass left it."""

    def on_after_backward(self):
        gradients = [parameter.grad.flatten() for parameter in self.parameters()]
        self.gradients = [*getattr(self, "gradients", []), torch.cat(gradients).double()]

    def norms(self):
        return [float(gradient.square().sum().sqrt()) for gradient in self.gradients]


@pytest.mark.parametrize(
    ("algorithm", "size_of"),
    [("norm", lambda gradient: gradient.square().sum().sqrt()), ("value", lambda gradient: gradient.abs().max())],
)
def test_the_clipped_part_is_counted_over_all_steps(make_trainer, loader, algorithm, size_of):
    telemetry, model = GradientTelemetry(), Written(learning_rate=0.02)
    options = {"gradient_clip_val": 1.3, "gradient_clip_algorithm": algorithm}
    make_trainer(telemetry, **options).fit(model, loader)
    beyond = [float(size_of(gradient)) > 1.3 for gradient in model.gradients]
    assert 0 < sum(beyond) < 16
    assert telemetry.summary()["steps"] == 16
    assert telemetry.summary()["clipped"] == pytest.approx(sum(beyond) / 16)


def test_norms_are_logged_every_so_many_steps_before_clipping(make_trainer, loader, tmp_path):
    telemetry, model = GradientTelemetry(every_n_steps=5), Written()
    trainer = make_trainer(telemetry, gradient_clip_val=0.01, logger=CSVLogger(tmp_path, name="", version="csv"))
    trainer.fit(model, loader)
    with (tmp_path / "csv" / "metrics.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["step"]) for row in rows] == [0, 5, 10, 15]
    expected = pytest.approx([model.norms()[step] for step in (0, 5, 10, 15)])
    assert [float(row["gradient/norm"]) for row in rows] == expected
    assert [float(row["gradient/norm/layer"]) for row in rows] == expected
    assert [float(row["gradient/clipped"]) for row in rows] == [1.0] * 4


def test_the_summary_is_of_finite_steps(make_trainer, loader):
    telemetry = GradientTelemetry(every_n_steps=1)
    model = Written(spoil=lambda step, loss: loss * float("nan") if step == 3 else loss)
    trainer = make_trainer(telemetry, Recovery())
    trainer.fit(model, loader)
    norms = [norm for norm in model.norms() if math.isfinite(norm)]
    found = telemetry.summary()
    assert found["steps"] == len(norms) == 15
    assert found["mean_norm"] == pytest.approx(sum(norms) / 15)
    assert found["highest_norm"] == pytest.approx(max(norms))
    assert found["layers"]["layer"] == pytest.approx({"mean_norm": sum(norms) / 15, "highest_norm": max(norms)})
    assert "over 15 steps" in telemetry.table(trainer)
    assert "Clipping is off" in telemetry.table(trainer)


def test_counts_travel_in_the_checkpoint(make_trainer, loader):
    telemetry, other = GradientTelemetry(every_n_steps=2), GradientTelemetry()
    make_trainer(telemetry).fit(Matrix(), loader)
    other.load_state_dict(telemetry.state_dict())
    assert other.summary() == telemetry.summary()


def test_steps_between_logs_must_be_positive():
    with pytest.raises(ValueError, match=r"telemetry\.every_n_steps is 0"):
        GradientTelemetry(every_n_steps=0)
