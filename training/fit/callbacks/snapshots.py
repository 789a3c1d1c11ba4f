"""A whole checkpoint in memory, and the same with smaller learning rates."""

import copy
from typing import Any

import pytorch_lightning as lightning
from torch import Tensor

LEARNING_RATES = ("lr", "initial_lr", "max_lr", "min_lr")
"""Where optimisers and schedules keep learning rates in a parameter group."""


def snapshot(trainer: lightning.Trainer) -> dict[str, Any]:
    """A whole checkpoint in memory, on every process: what ``Trainer.save_checkpoint`` writes, of rank 0 alone."""
    checkpoint = trainer._checkpoint_connector.dump_checkpoint(weights_only=False)  # noqa: SLF001 - no public way
    copied: dict[str, Any] = _copied(checkpoint)
    return copied


def _copied(value: Any) -> Any:  # noqa: ANN401 - a checkpoint's values are of any kind
    """Deep, with tensors on the CPU."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return copy.deepcopy(value)


def with_smaller_learning_rates(checkpoint: dict[str, Any], factor: float) -> dict[str, Any]:
    """The checkpoint with every learning rate of optimisers and schedules multiplied; tensors are shared."""
    optimizers = [
        {
            **state,
            "param_groups": [
                {name: value * factor if name in LEARNING_RATES else value for name, value in group.items()}
                for group in state["param_groups"]
            ],
        }
        for state in checkpoint["optimizer_states"]
    ]
    schedules = [
        {
            name: [rate * factor for rate in value] if name in {"base_lrs", "_last_lr"} else value
            for name, value in state.items()
        }
        for state in checkpoint["lr_schedulers"]
    ]
    callbacks = dict(checkpoint["callbacks"])
    return {**checkpoint, "optimizer_states": optimizers, "lr_schedulers": schedules, "callbacks": callbacks}
