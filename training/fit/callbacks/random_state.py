"""The state of every source of random numbers, in types that a checkpoint may hold without running code."""

import random
from typing import Any

import numpy as np
import torch


def random_state() -> dict[str, Any]:
    """What Python, numpy, torch and, where there is one, the accelerator in use will draw next."""
    _, keys, position, has_gauss, gauss = np.random.get_state()  # noqa: NPY002 - the state of libraries that use it
    state = {
        "python": random.getstate(),
        "numpy": {"keys": torch.from_numpy(np.asarray(keys, dtype=np.int64)), "rest": (position, has_gauss, gauss)},
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict[str, Any]) -> None:
    """Goes on drawing where ``random_state`` was asked."""
    random.setstate(state["python"])
    numpy_state = state["numpy"]
    np.random.set_state(("MT19937", numpy_state["keys"].cpu().numpy().astype(np.uint32), *numpy_state["rest"]))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
