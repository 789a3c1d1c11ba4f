"""Recovery from steps with a loss or gradient that is not finite: skip, roll back, and in the end stop."""

import copy
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning.callbacks import WeightAveraging
from torch import Tensor
from torch.optim import Optimizer

from training.data.tokenized import Batch
from training.fit.callbacks.checkpoint_files import IN_MEMORY, DurableCheckpoints
from training.fit.callbacks.gradient_telemetry import gradients_of, parameters_of, total_norm
from training.fit.callbacks.skipped_steps import described, write_report
from training.network.validation import OptionError

REPORTED_STEPS = 20
"""How many of the last skipped steps are reported."""

PROVING_STEPS = 20
"""Steps without a skip that must follow a snapshot before it counts as a good state, since weights can be damaged
before the loss shows it."""

LEARNING_RATES = ("lr", "initial_lr", "max_lr", "min_lr")
"""Keys of a parameter group under which optimizers and schedules store learning rates."""


class RolledBack(Exception):  # noqa: N818 - not an error while ``fit_with_recovery`` catches it
    """Training rolls back to ``checkpoint``, which is a copy in memory."""

    def __init__(self, message: str, checkpoint: dict[str, Any]) -> None:
        super().__init__(message)
        self.checkpoint = checkpoint


class DivergedError(Exception):
    """Training diverged; the message says what happened, where the offending rows are, and what to try."""


class Recovery(lightning.Callback):
    """Keeps a loss or gradient that is not finite away from the weights, the optimizer's moments and the averages.

    It acts in ``on_before_optimizer_step``: after the backward pass, so in distributed training the gradients are
    already summed over all processes, and before clipping, which would turn one bad number into a bad
    gradient (``clip_grad_norm_`` multiplies everything by limit / norm). A bad step's gradients are set to
    None, which all ``torch.optim`` optimizers skip: no step, no moments, no weight decay.
    Returning None from ``training_step`` would skip too, but leaves the other processes waiting in their backward
    pass forever. All processes decide together whether to skip, since a loss can be bad on only one of them.
    A skipped step still counts as a step for schedules and ``max_steps``.

    After ``patience`` consecutive skipped steps training rolls back to the last good state, a complete checkpoint in
    memory: weights, optimizer, schedule, averages, the position in the data, random numbers, other callbacks. It then
    continues with learning rates multiplied by ``factor``. After ``rollbacks`` rollbacks it stops with
    ``DivergedError``. A rollback works like resuming from a file: see ``fit_with_recovery``.

    Made for precision 32 and bf16-mixed. 16-mixed skips steps of its own to find its loss scale; those are counted here
    as well, so it needs a larger ``patience``.

    Args:
        patience: consecutive skipped steps before training rolls back.
        rollbacks: number of rollbacks before training stops; 0 stops at once.
        factor: learning rates are multiplied by this at each rollback.
        snapshot_every_n_steps: optimizer steps between two snapshots in memory. There is one, and for a short time a
            second, on the CPU; each takes as much memory as a checkpoint takes on disk.

    Attributes:
        skipped: steps skipped so far.
        in_a_row: those of them since the last good step.
        went_back: number of rollbacks.
    """

    def __init__(
        self, patience: int = 3, rollbacks: int = 3, factor: float = 0.5, snapshot_every_n_steps: int = 200
    ) -> None:
        _check(patience, rollbacks, factor, snapshot_every_n_steps)
        self.patience = patience
        self.rollbacks = rollbacks
        self.factor = factor
        self.snapshot_every_n_steps = snapshot_every_n_steps
        self.skipped = self.in_a_row = self.went_back = 0
        self._bad_steps: list[dict[str, Any]] = []
        self._good: dict[str, Any] | None = None
        self._candidate: dict[str, Any] | None = None
        self._steps_since_candidate = 0
        self._batches: list[Batch] = []  # since the last optimizer step
        self._losses: list[Tensor] = []
        self._step_skipped: bool | None = None  # None: the optimizer has not been asked yet
        self._clipping: int | float | None = None  # the trainer's, while a step is skipped

    def on_train_start(self, *_: object) -> None:
        """Reset snapshots and counters of an unfinished step; the first batch's state counts as good."""
        self._good = self._candidate = None
        self._forget_step()

    def on_train_batch_start(self, trainer: lightning.Trainer, _: object, batch: Batch, batch_idx: int) -> None:
        """Take a snapshot when one is due, between two batches."""
        if batch_idx % trainer.accumulate_grad_batches == 0 and self._snapshot_is_due(trainer):
            self._candidate, self._steps_since_candidate = snapshot(trainer), 0
            self._good = self._good or self._candidate
        self._batches.append(batch)

    def on_before_backward(self, _: object, __: object, loss: Tensor) -> None:
        """Keep the loss for the decision; with gradient accumulation there are several."""
        self._losses.append(loss.detach())

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: Optimizer
    ) -> None:
        """Decide together with all other processes whether to skip, and clear the gradients of a skipped step."""
        parameters = parameters_of(optimizer)
        norm = total_norm(gradients_of(parameters))
        finite = torch.stack([norm, *(loss.to(norm) for loss in self._losses)]).isfinite().all()
        self._step_skipped = trainer.strategy.reduce_boolean_decision(not bool(finite), all=False)
        if not self._step_skipped:
            return
        step = described(trainer, pl_module, losses=self._losses, norm=norm, batches=self._batches)
        self._bad_steps = [*self._bad_steps, step][-REPORTED_STEPS:]
        for parameter in parameters:
            parameter.grad = None
        # Lightning clips next. Clipping by value reads this, and fails without gradients.
        self._clipping, trainer.gradient_clip_val = trainer.gradient_clip_val, None

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Count the step, and roll back or stop after too many skipped ones.

        Raises:
            RolledBack: training resumes from an earlier state.
            DivergedError: it went back too often.
        """
        if self._step_skipped is None:
            return
        skipped = self._step_skipped
        self._forget_step()
        if not skipped:
            self.in_a_row = 0
            self._prove_candidate()
            return
        trainer.gradient_clip_val = self._clipping
        self.skipped += 1
        self.in_a_row += 1
        self._steps_since_candidate = 0
        _leave_averages(trainer)
        self._tell(trainer)
        if self.in_a_row >= self.patience:
            self._go_back(trainer)

    def state_dict(self) -> dict[str, Any]:
        """Skip and rollback counters, restored on resume."""
        return {"skipped": self.skipped, "in_a_row": self.in_a_row, "went_back": self.went_back}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning calls this when a run is resumed."""
        self.skipped, self.in_a_row = state_dict["skipped"], state_dict["in_a_row"]
        self.went_back = state_dict["went_back"]

    def _forget_step(self) -> None:
        self._batches, self._losses, self._step_skipped = [], [], None

    def _snapshot_is_due(self, trainer: lightning.Trainer) -> bool:
        if self._good is None:
            return True
        waiting = self._candidate is not None and self._candidate is not self._good
        return not waiting and not self.in_a_row and self._new_interval(trainer)

    def _new_interval(self, trainer: lightning.Trainer) -> bool:
        newest = int((self._candidate or self._good or {})["global_step"])
        return trainer.global_step - newest >= self.snapshot_every_n_steps

    def _prove_candidate(self) -> None:
        self._steps_since_candidate += 1
        if self._candidate is not None and self._steps_since_candidate >= PROVING_STEPS:
            self._good, self._candidate = self._candidate, None

    def _tell(self, trainer: lightning.Trainer) -> None:
        last = self._bad_steps[-1]
        rank_zero_info(
            f"Step {last['step']}: loss {last['losses']}, gradient norm {last['gradient_norm']}; the step was skipped "
            f"({self.in_a_row} in a row, {self.skipped} in all)."
        )
        for logger in trainer.loggers:
            logger.log_metrics({"recovery/skipped": float(self.skipped)}, step=last["step"])

    def _go_back(self, trainer: lightning.Trainer) -> None:
        report = write_report(trainer, self._bad_steps, skipped=self.skipped, went_back=self.went_back)
        if self._good is None or self.went_back >= self.rollbacks:
            raise DivergedError(self._advice(trainer, report))
        self.in_a_row, self.went_back = 0, self.went_back + 1
        checkpoint = with_smaller_learning_rates(self._good, self.factor)
        checkpoint["callbacks"][self.state_key] = self.state_dict()
        message = (
            f"{self.patience} steps in a row were not finite. Going back from step {trainer.global_step} to step "
            f"{checkpoint['global_step']} with learning rates times {self.factor} (time {self.went_back} of "
            f"{self.rollbacks}). The rows of the bad batches are in {report}."
        )
        rank_zero_info(message)
        raise RolledBack(message, checkpoint)

    def _advice(self, trainer: lightning.Trainer, report: Path) -> str:
        rates = sorted({group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups})
        times = f"also after going back {self.went_back} times" if self.went_back else "and going back is off"
        clipping = trainer.gradient_clip_val or "off"
        return (
            f"Training stopped at step {trainer.global_step}: the loss or the gradient was not finite for "
            f"{self.in_a_row} steps in a row, {times}.\n"
            f"The rows of the offending batches are in {report}.\nWhat to try, most likely first:\n"
            f"  a smaller --model.learning_rate (now at {', '.join(f'{rate:.3g}' for rate in rates)})\n"
            f"  a smaller --trainer.gradient_clip_val (now {clipping})\n"
            f"  --trainer.precision=32-true (now {trainer.precision})\n"
            "  a look at those rows: the same ones every time point to the data\n"
            "No weights were spoiled: last.ckpt and best.ckpt are from before."
        )


def fit_with_recovery(
    trainer: lightning.Trainer,
    model: lightning.LightningModule,
    *,
    ckpt_path: str | None = None,
    **options: Any,  # noqa: ANN401 - Trainer.fit's
) -> None:
    """``Trainer.fit``, started again from memory after each rollback of ``Recovery``.

    Resuming from a file starts in the same way, so Lightning restores the state in both cases.

    Raises:
        DivergedError: from ``Recovery``.
    """
    while True:
        try:
            trainer.fit(model, ckpt_path=ckpt_path, **options)
        except RolledBack as back:
            if not isinstance(trainer.strategy.checkpoint_io, DurableCheckpoints):
                trainer.strategy.checkpoint_io = DurableCheckpoints()
            trainer.strategy.checkpoint_io.in_memory = back.checkpoint
            ckpt_path = IN_MEMORY
        else:
            return


def _check(patience: int, rollbacks: int, factor: float, snapshot_every_n_steps: int) -> None:
    for name, value, least in (
        ("patience", patience, 1),
        ("rollbacks", rollbacks, 0),
        ("snapshot_every_n_steps", snapshot_every_n_steps, 1),
    ):
        if value < least:
            message = f"recovery.{name} is {value}; expected {least} or more"
            raise OptionError(message)
    if not 0.0 < factor <= 1.0:
        message = f"recovery.factor is {factor}; expected more than 0 and at most 1: it multiplies learning rates"
        raise OptionError(message)


def _leave_averages(trainer: lightning.Trainer) -> None:
    """Make weight averages ignore a skipped step, by marking it as already averaged."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]  # set by Lightning's callback connector
        if isinstance(callback, WeightAveraging):
            callback.load_state_dict({"latest_update_step": trainer.global_step})


def snapshot(trainer: lightning.Trainer) -> dict[str, Any]:
    """A complete checkpoint in memory, on all processes; ``Trainer.save_checkpoint`` writes it only on rank 0."""
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
    """The checkpoint with every learning rate of optimizers and schedules multiplied; tensors are shared."""
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
