"""Callbacks that record, stop or disturb a training program."""

import json
import os
from pathlib import Path

import pytorch_lightning as lightning


class Watch(lightning.Callback):
    """Append the step and the rows of each batch to rows-RANK.jsonl in the working folder."""

    def on_train_batch_start(self, trainer, _model, batch, _batch_idx):
        entry = {"step": trainer.global_step, "epoch": trainer.current_epoch, "rows": batch.rows.tolist()}
        with Path(f"rows-{trainer.global_rank}.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")


class EndAt(lightning.Callback):
    """Send the program a signal in the middle of a step."""

    def __init__(self, step: int, number: int = 15, rank: int | None = None) -> None:
        self.step, self.number, self.rank = step, number, rank

    def on_before_optimizer_step(self, trainer, *_):
        if trainer.global_step == self.step and self.rank in {None, trainer.global_rank}:
            os.kill(os.getpid(), self.number)


class SpoilLoss(lightning.Callback):
    """Make the loss NaN at the given steps, each up to ``times`` times, on one process or on all."""

    def __init__(self, steps: list[int], rank: int | None = None, times: int = 1_000_000) -> None:
        self.left = dict.fromkeys(steps, times)
        self.rank = rank

    def setup(self, trainer, pl_module, stage):  # noqa: ARG002 - Lightning passes it by name
        plain = type(pl_module).training_step

        def training_step(batch):
            step = trainer.global_step
            spoilt = self.left.get(step, 0) > 0 and self.rank in {None, trainer.global_rank}
            self.left[step] = self.left.get(step, 0) - 1
            return plain(pl_module, batch) * (float("nan") if spoilt else 1.0)

        pl_module.training_step = training_step


class FillDisk(lightning.Callback):
    """Fail writes of more than 100 kB after a step, as a nearly full disk does."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            real = os.fsync

            def fsync(descriptor):
                if os.fstat(descriptor).st_size > 100_000:
                    raise OSError(28, "No space left on device")
                real(descriptor)

            os.fsync = fsync
