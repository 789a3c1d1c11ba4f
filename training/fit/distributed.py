"""Communication between the processes of a distributed run."""

from typing import TypeVar

import pytorch_lightning as lightning
import torch

Value = TypeVar("Value")


def gather_over_processes(trainer: lightning.Trainer, value: Value) -> list[Value]:
    """Every process's value, by rank; all processes must call it."""
    if trainer.world_size == 1:
        return [value]
    gathered: list[Value] = [value] * trainer.world_size
    torch.distributed.all_gather_object(gathered, value)
    return gathered
