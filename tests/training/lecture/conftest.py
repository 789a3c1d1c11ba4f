"""Settings as small as they can be, and one finding of every experiment in them."""

import pytest
import torch

from training.lecture import (
    bidirectionality,
    cliff,
    counting,
    depth,
    linear,
    lstm_against_gru,
    memory,
    vanishing,
)
from training.lecture.settings import Settings

TINY = {
    "vanishing": (vanishing, vanishing.VanishingSizes(units=8, furthest=21, texts=4, trained_distance=3, steps=2)),
    "linear": (linear, linear.LinearSizes(units=8, steps=300, settled=100)),
    "cliff": (cliff, cliff.CliffSizes(points=12, starts=4, descent_steps=6, distance=3, units=4, steps=3)),
    "memory": (memory, memory.MemorySizes(distances=(2, 4), units=4, steps=3, texts=4, tested=8)),
    "counting": (counting, counting.CountingSizes(units=3, longest=5, steps=3, tested_to=15, tested_every=5)),
    "depth": (depth, depth.DepthSizes(depths=(1, 2, 3), steps=2, texts=4)),
    "bidirectionality": (bidirectionality, bidirectionality.BidirectionalitySizes(steps=2, cells=("gru",))),
    "lstm-gru": (lstm_against_gru, lstm_against_gru.LstmAgainstGruSizes(steps=2, rounds=2, timed_steps=1)),
}


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def settings():
    return Settings(quick=True, seeds=(0, 1))


@pytest.fixture(scope="session")
def findings(settings):
    return {name: module.investigate(settings, sizes) for name, (module, sizes) in TINY.items()}
