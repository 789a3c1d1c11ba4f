"""Report of skipped steps: losses, gradients and rows of all processes, in a file."""

import math
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor

from model_store.atomic_write import write_json
from training.data.tokenized import Batch
from training.fit.callbacks.gradient_telemetry import total_norm
from training.fit.distributed import gather_over_processes

REPORT = "non_finite_steps.json"
"""In the run folder: the last steps that were skipped, with the rows of their batches."""


def described(
    trainer: lightning.Trainer,
    pl_module: lightning.LightningModule,
    *,
    losses: list[Tensor],
    norm: Tensor,
    batches: list[Batch],
) -> dict[str, Any]:
    """The report's entry for a step; call it before the gradients are cleared.

    Args:
        trainer: which step it is.
        pl_module: whose parameters.
        losses: () each; one a batch, where gradients are accumulated.
        norm: (), of all gradients together.
        batches: those of the step.
    """
    bad = [
        name
        for name, parameter in pl_module.named_parameters()
        if parameter.grad is not None and not torch.isfinite(total_norm([parameter.grad]))
    ]
    return {
        "step": trainer.global_step,
        "epoch": trainer.current_epoch,
        "process": trainer.global_rank,
        "losses": [_as_json(loss) for loss in losses],
        "gradient_norm": _as_json(norm),
        "parameters_with_bad_gradient": bad,
        "rows": [row for batch in batches for row in batch.rows.tolist()],
    }


def write_report(trainer: lightning.Trainer, steps: list[dict[str, Any]], *, skipped: int, went_back: int) -> Path:
    """Write the steps of all processes to ``REPORT``; called by all of them.

    Args:
        trainer: its run folder.
        steps: this process's last skipped steps.
        skipped: how many there were in all.
        went_back: number of rollbacks before.

    Returns:
        The file.
    """
    path = Path(trainer.default_root_dir) / REPORT
    at_once = zip(*gather_over_processes(trainer, steps), strict=True)  # all processes skip the same steps
    if trainer.is_global_zero:
        content = {
            "rows_are": "positions, from 0, among the usable rows of the training file",
            "skipped_steps": skipped,
            "went_back": went_back,
            "last_skipped": [step for of_processes in at_once for step in of_processes],
        }
        write_json(path, content)
    return path


def _as_json(value: Tensor) -> float | str:
    """The number, or its name: JSON cannot represent NaN and infinity."""
    number = float(value)
    return number if math.isfinite(number) else str(number)
