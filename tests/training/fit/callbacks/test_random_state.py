"""Every source of random numbers goes on where it was, after a checkpoint's way to disk and back."""

import io
import random

import numpy as np
import torch

from training.fit.callbacks.resume import random_state, set_random_state


def drawn():
    return [random.random(), random.gauss(0, 1), *np.random.rand(3), np.random.normal(), *torch.rand(3).tolist()]  # noqa: NPY002, S311


def test_the_same_numbers_come_again():
    np.random.normal()  # noqa: NPY002 - leaves a second number waiting
    file = io.BytesIO()
    torch.save(random_state(), file)
    expected = drawn()
    drawn()
    file.seek(0)
    set_random_state(torch.load(file, weights_only=True))
    assert drawn() == expected
