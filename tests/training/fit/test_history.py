"""Series that stay small, and validations that can be found again."""

import json
import math

from training.fit.history import LONGEST, History


def test_a_step_is_there_once_and_only_with_a_finite_value():
    history = History()
    history.add(1, {"loss": 2.0})
    history.add(1, {"loss": 3.0})
    history.add(2, {"loss": math.nan})
    history.add(3, {"loss": 1.0})
    assert history.series == {"loss": [(1, 2.0), (3, 1.0)]}


def test_a_full_series_is_thinned_from_end_to_end():
    history = History()
    for step in range(10 * LONGEST):
        history.add(step, {"loss": float(step)})
    steps = [step for step, _ in history.series["loss"]]
    assert len(steps) <= LONGEST
    assert steps[0] == 0
    assert steps[-1] >= 10 * LONGEST - 20
    assert sorted(steps) == steps


def test_the_best_validation_is_found_by_its_figure():
    history = History()
    for epoch, f1 in enumerate([0.4, 0.625, 0.625, 0.5]):
        history.add_validation(epoch=epoch, step=10 * (epoch + 1), figures={"macro_f1": f1})
    assert history.first_with("macro_f1", 0.625) == {"epoch": 1, "step": 20, "figures": {"macro_f1": 0.625}}
    assert history.first_with("macro_f1", 0.7) is None
    assert history.series["validation/macro_f1"][-1] == (40, 0.5)


def test_a_resumed_run_has_the_whole_history():
    history, resumed = History(), History()
    history.add(1, {"train/loss": 1.5})
    history.add_validation(epoch=0, step=2, figures={"loss": 1.25})
    resumed.load_state_dict(json.loads(json.dumps(history.state_dict())))
    assert resumed.series == history.series
    assert resumed.validations == history.validations
