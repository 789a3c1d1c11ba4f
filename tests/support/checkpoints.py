"""Checkpoint files of tasks that were never trained."""

from pathlib import Path
from typing import Any

import torch

from training.fit.task import SentimentTask

READING = {"format": "auto", "text_column": "text", "label_column": "label", "ptb_tokens": False, "label_map": None}
"""The options with which ``fit`` reads a labeled file by default."""


def write_checkpoint(path: Path, task: SentimentTask, *, data: dict[str, Any] | None = None, **content: object) -> Path:
    """Write what ``load_checkpoint`` reads of a checkpoint, after one epoch.

    Args:
        path: the file to write.
        task: its weights and options are stored.
        data: the options of the data module.
        content: further entries, such as ``run``.

    Returns:
        The path.
    """
    torch.save(
        {
            "state_dict": task.state_dict(),
            "hyper_parameters": dict(task.hparams),
            "datamodule_hyper_parameters": data or {},
            "loops": {"fit_loop": {"epoch_progress": {"current": {"ready": 1}}}},
            "global_step": 1,
            **content,
        },
        path,
    )
    return path
