"""The fitted temperature is the one the labels were drawn with."""

import pytest
import torch

from training.evaluation.calibration import BOUNDS, fit_temperature


@pytest.mark.slow
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_it_recovers_the_temperature_labels_were_drawn_with(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(40_000, 3, generator=generator)
    labels = torch.multinomial((logits / temperature).softmax(dim=1), 1, generator=generator).squeeze(1)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.03)


def test_logits_that_are_always_right_stay_within_bounds():
    assert fit_temperature(torch.eye(3) * 5, torch.arange(3)) == pytest.approx(BOUNDS[0], rel=1e-6)
