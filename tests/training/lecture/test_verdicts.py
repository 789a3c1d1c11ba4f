"""Verdicts follow from numbers by rules, here from made-up ones."""

import math

import pytest

from training.lecture import (
    bidirectionality,
    cliff,
    clipped_training,
    counting,
    depth,
    linear,
    lstm_against_gru,
    memory,
    vanishing,
)
from training.lecture.results import Check, verdict_of


def held(checks):
    return [check.held for check in checks]


@pytest.mark.parametrize(
    ("parts", "verdict"),
    [([True, True], "held"), ([True, False], "mixed"), ([False, False], "did not hold"), ([True], "held")],
)
def test_all_some_or_none_of_the_checks(parts, verdict):
    assert verdict_of([Check("rule", "measured", held=part) for part in parts]) == verdict


def test_a_claim_without_a_check_has_no_verdict():
    with pytest.raises(ValueError, match="at least one check"):
        verdict_of([])


def reaches(rates):
    return [
        vanishing.Reach(variant.name, seed, [rates[variant.name] ** step for step in range(51)], [], None)
        for variant in vanishing.VARIANTS
        for seed in (0, 1)
    ]


RATES = {
    "rnn, torch's start": 0.5,
    "rnn": 0.8,
    "lstm, forget bias 0": 0.7,
    "lstm, forget bias 1": 0.95,
    "gru": 0.9,
}


def test_vanishing_holds_where_the_rnn_fades_and_gates_keep():
    assert all(held(vanishing.judge(reaches(RATES), reaches(RATES))))


def test_vanishing_fails_check_by_check():
    fresh, trained = reaches({**RATES, "rnn": 0.99}), reaches({**RATES, "gru": 0.5})
    assert held(vanishing.judge(fresh, trained)) == [False, True, True, False, False, True, False]


def test_a_curve_that_is_no_exponential_is_not_straight():
    assert vanishing.straightness([0.9**step for step in range(30)]) == pytest.approx(1.0)
    assert vanishing.straightness([1.0] + [0.5, 1e-6] * 10) < vanishing.STRAIGHT


def decay(rate, difference=1e-12):
    return linear.Decay(radius=0.9, seed=0, rate=rate, difference=difference, norms=[1.0])


def test_linear_allows_one_percent():
    starts = [linear.Start("lstm", 0, 0, 1.001)]
    assert held(linear.judge([decay(0.9), decay(0.908)], starts)) == [True, True, True]
    assert held(linear.judge([decay(0.9), decay(0.91)], starts)) == [True, False, True]
    assert held(linear.judge([decay(0.9, 1e-3)], [linear.Start("gru", 1, 0, 0.9)])) == [False, True, False]


def courses(outcomes):
    """(learning rate, threshold): final loss, for two seeds."""
    return [
        clipped_training.Course(rate, threshold, seed, [loss] * 30, 1.0)
        for (rate, threshold), loss in outcomes.items()
        for seed in (0, 1)
    ]


SURFACE = cliff.SurfaceResult(500.0, 1.0, 10.0, longest=100.0, longest_clipped=5.0, arrived=0.4, arrived_clipped=0.8)


def test_clipping_holds_where_it_rescues_a_rate():
    runs = courses({(0.1, None): 0.1, (1.0, None): 9.0, (0.1, 1.0): 0.1, (1.0, 1.0): 0.1})
    assert clipped_training.rescued(runs) == [(1.0, 1.0)]
    assert all(held(cliff.judge(SURFACE, runs)))


def test_clipping_does_not_hold_where_it_changes_nothing():
    flat = cliff.SurfaceResult(50.0, 1.0, 10.0, longest=5.0, longest_clipped=5.0, arrived=0.4, arrived_clipped=0.4)
    runs = courses({(0.1, None): 0.1, (1.0, None): 1.0, (0.1, 1.0): 0.1, (1.0, 1.0): 1.0})
    assert not any(held(cliff.judge(flat, runs)))


def test_a_loss_that_is_no_number_has_diverged():
    (run, _) = courses({(1.0, None): math.nan})
    assert run.diverged
    assert not run.learned


def memories(accuracies):
    return [
        memory.Memory(variant.name, distance, seed, accuracies[variant.cell][place], 10)
        for variant in memory.VARIANTS
        for place, distance in enumerate((10, 100, 200))
        for seed in (0, 1, 2)
    ]


def test_reach_ends_at_the_first_distance_that_is_forgotten():
    runs = memories({"rnn": [1.0, 0.3, 1.0], "gru": [1.0, 0.95, 0.2], "lstm": [1.0, 1.0, 1.0]})
    assert [memory.reach(runs, name, 0) for name in ("rnn", "gru", "lstm")] == [10, 100, 200]
    assert all(held(memory.judge(runs)))


def test_memory_does_not_hold_where_the_rnn_reaches_as_far():
    runs = memories({"rnn": [1.0, 0.3, 0.3], "gru": [1.0, 0.3, 0.3], "lstm": [1.0, 0.3, 0.3]})
    assert not any(held(memory.judge(runs)))


def counter(cell, *, inside=1.0, outside=0.0, correlation=0.5):
    return counting.Counter(cell, 0, inside, outside, [], 0, correlation, [], 0.1)


def test_counting_checks_each_part():
    good = [counter("lstm", outside=0.4, correlation=0.999), counter("gru", correlation=0.8)]
    assert all(held(counting.judge(good, by_hand=1.0)))
    bad = [counter("lstm", inside=0.5), counter("gru", correlation=0.999)]
    assert not any(held(counting.judge(bad, by_hand=0.9)))


def stacks(reached, accuracies):
    return [
        depth.Stack(name, layers, seed, reached[name] ** (layers - 1), 1.0, accuracies[name][place] + 0.001 * seed)
        for name in depth.CONNECTIONS
        for place, layers in enumerate((1, 2, 16))
        for seed in (0, 1)
    ]


def test_depth_holds_where_only_bare_stacks_fade_and_fail():
    reached = {"none": 0.5, "residual": 1.0, "dense": 0.9, "highway": 0.9}
    accuracies = {name: [0.7, 0.7, 0.4 if name == "none" else 0.7] for name in depth.CONNECTIONS}
    assert all(held(depth.judge(stacks(reached, accuracies))))


def test_depth_does_not_hold_where_connections_change_nothing():
    reached = dict.fromkeys(depth.CONNECTIONS, 1.0)
    accuracies = {key: [0.7, 0.7, 0.7] for key in depth.CONNECTIONS}
    assert not any(held(depth.judge(stacks(reached, accuracies))))


def pair(forward, backward):
    layer = bidirectionality.Distances(1, [forward] * 5, [backward] * 5)
    return bidirectionality.Pair("made up", [], 3, forward, [layer])


def readings(both, forward, wide):
    return [
        bidirectionality.TrainedClassifier(name, seed, accuracy)
        for name, accuracy in (("both", both), ("forward", forward), ("forward, twice as wide", wide))
        for seed in (0, 1)
    ]


def test_bidirectionality_checks_each_part():
    assert held(bidirectionality.judge([pair(0.0, 0.5)], readings(0.8, 0.7, 0.75))) == [True] * 4
    assert held(bidirectionality.judge([pair(0.01, 0.0)], readings(0.7, 0.7, 0.75))) == [False] * 4


def variants(gru_parameters):
    counts = (("lstm", 400), ("gru, equal units", gru_parameters), ("gru, equal parameters", 398))
    return [lstm_against_gru.SizedCell(name, name[:4], 8, count) for name, count in counts]


def trained(lstm, gru):
    return [
        lstm_against_gru.Trained(name, seed, (lstm if name == "lstm" else gru)[seed])
        for name in lstm_against_gru.VARIANTS
        for seed in (0, 1)
    ]


def test_lstm_against_gru_checks_each_part():
    fast = {"lstm": [1.0, 1.0], "gru, equal units": [1.2, 1.1], "gru, equal parameters": [1.0, 1.0]}
    assert held(lstm_against_gru.judge(variants(300), fast, trained([0.7, 0.6], [0.6, 0.7]))) == [True] * 4
    slow = {**fast, "gru, equal units": [1.2, 0.9]}
    assert held(lstm_against_gru.judge(variants(301), slow, trained([0.7, 0.6], [0.8, 0.7]))) == [False] * 4
