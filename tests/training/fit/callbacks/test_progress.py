"""The progress of a run: its steps and figures in full, and a line for each validation that stays."""

import re

import pytest

from model_store import progress
from tests.support.least_squares import Matrix
from training.fit.callbacks.progress import RunProgress


@pytest.fixture(autouse=True)
def every_step(monkeypatch):
    """Writes a line for each step."""
    for name in ("FIRST_LINE_AFTER", "LINE_EVERY", "LOOK_EVERY"):
        monkeypatch.setattr(progress, name, 0)


def test_a_log_tells_steps_of_the_whole_run_with_figures_and_time_left(make_trainer, loader, capsys):
    make_trainer(RunProgress(), max_epochs=3).fit(Matrix(), loader)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Training: ")]
    steps = len(loader)
    assert len(lines) == 3 * steps + 1
    whole = rf"Training: {steps + 1} of {3 * steps} steps \(\d+%\), [\d,.]+ a second, .+ left; epoch 2 of 3"
    assert re.match(whole, lines[steps])
    assert re.fullmatch(rf"Training: {3 * steps} steps in \d+ s\.", lines[-1])


def test_lightnings_own_bar_is_shown_instead_if_it_is_asked_for(make_trainer, loader, capsys):
    make_trainer(RunProgress(), enable_progress_bar=True).fit(Matrix(), loader)
    assert "Training: " not in capsys.readouterr().err


def test_an_error_ends_the_display(make_trainer, loader):
    def broken(step, _loss):
        message = f"broken at {step}"
        raise RuntimeError(message)

    with pytest.raises(RuntimeError, match="broken at 0"):
        make_trainer(RunProgress()).fit(Matrix(spoil=broken), loader)
    assert progress._running == []
