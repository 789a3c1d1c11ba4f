"""What a run writes goes into its folder, and its curves are drawn from what there is."""

from pathlib import Path

import pytest
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from training.fit.curves import draw_curves, smoothed
from training.fit.history import History
from training.fit.run_folder import default_loggers, with_checkpoints


def test_a_run_without_a_checkpoint_callback_keeps_the_best_by_macro_f1(tmp_path):
    stopping = EarlyStopping("validation/loss")
    first, keeper = with_checkpoints([stopping], tmp_path)
    assert first is stopping
    assert (keeper.dirpath, keeper.filename) == (str(tmp_path / "checkpoints"), "best")
    assert (keeper.monitor, keeper.mode) == ("validation/macro_f1", "max")


def test_a_checkpoint_callback_of_the_config_is_kept_and_stays_where_it_says(tmp_path):
    unplaced, placed = ModelCheckpoint(monitor="validation/loss"), ModelCheckpoint(dirpath=tmp_path / "elsewhere")
    assert with_checkpoints([unplaced, placed], tmp_path / "run") == [unplaced, placed]
    assert unplaced.dirpath == str(tmp_path / "run" / "checkpoints")
    assert placed.dirpath == str(tmp_path / "elsewhere")
    assert with_checkpoints(unplaced, tmp_path) == [unplaced]


def test_loggers_write_into_the_folder(tmp_path):
    folders = [Path(logger.log_dir) for logger in default_loggers(tmp_path)]
    assert folders == [tmp_path / "csv", tmp_path / "tensorboard"]


def test_a_running_mean_is_of_the_neighbours_there_are():
    # Of 80 points a twentieth is 4: two to each side.
    points = [(10 * step, float(step**2)) for step in range(80)]
    steps, means = smoothed(points)
    assert steps == [step for step, _ in points]
    assert means[0] == pytest.approx((0 + 1 + 4) / 3)
    assert means[1] == pytest.approx((0 + 1 + 4 + 9) / 4)
    assert means[40] == pytest.approx((38**2 + 39**2 + 40**2 + 41**2 + 42**2) / 5)
    assert means[79] == pytest.approx((77**2 + 78**2 + 79**2) / 3)


def test_curves_are_drawn_of_whatever_there_is(tmp_path):
    history = History()
    draw_curves(history, tmp_path / "none.png", title="none")
    assert not (tmp_path / "none.png").exists()
    history.add(1, {"learning_rate": 0.001, "gradient_norm": 3.0})
    draw_curves(history, tmp_path / "some.png", title="some")
    history.add_validation(epoch=0, step=2, figures={"loss": 1.0, "accuracy": 0.5, "macro_f1": 0.4})
    draw_curves(history, tmp_path / "more.png", title="more", best_step=2)
    heights = [int.from_bytes((tmp_path / name).read_bytes()[20:24]) for name in ("some.png", "more.png")]
    assert heights[1] == 2 * heights[0]  # two panels in a row, then four in two rows
    assert not list(tmp_path.glob("*.partial"))
