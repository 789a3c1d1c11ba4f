"""Exact resume: an interrupted run ends bit for bit (on a CPU) as an uninterrupted one."""

import os
import random
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning.callbacks import ModelCheckpoint

from training.fit.callbacks.recovery import Recovery
from training.fit.checkpoint import CheckpointError, read_content
from training.fit.distributed import gather_over_processes
from training.network.validation import OptionError

LAST = "last.ckpt"
STATE = "resume"
"""The key in a checkpoint of what this callback adds to it."""

STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
"""Job schedulers announce the end with the first two, SLURM by default with SIGTERM; Ctrl-C sends the third."""

EXIT_CODE = 128 + signal.SIGTERM
"""143: how a shell reports a program that SIGTERM ended."""

INTERRUPTED = 128 + signal.SIGINT
"""130: the same for Ctrl-C."""


class Resume(lightning.Callback):
    """Writes last.ckpt, from which a run resumes exactly: to the last bit on a CPU.

    It is written between two batches, at ``on_train_batch_start``: by then Lightning has done everything of the batch
    before, validation, best checkpoint, schedules and logs included, and nothing of the next. That is why it is not
    left to ``ModelCheckpoint(save_last=True)``, which this callback switches off: it writes within a batch, before
    the validation that may be due and before that batch is logged. Lightning saves no random numbers and no figures,
    so the checkpoint gets them here, those of every process. They are put back at the same place,
    ``on_train_batch_start`` of the first batch, so that whatever happens on the way there may draw what it likes. The
    data module saves the place in the data.

    SIGTERM, SIGUSR1 and the first Ctrl-C only set a flag. Between the next two batches all processes agree on it,
    last.ckpt is written, and the program exits with 143, or with 130 after Ctrl-C; a second Ctrl-C ends it at once.
    Lightning's own handlers, which this replaces while training runs, talk to the other processes from within the
    signal handler, in the middle of other communication.

    This callback must be the first: what others do at the start of a batch, or at the end of training (the weight
    average replaces the weights), is not to be in the checkpoint yet.

    Args:
        every_n_steps: optimizer steps between two writes of last.ckpt; 0 writes it at the end and on a signal.
    """

    def __init__(self, every_n_steps: int = 500) -> None:
        if every_n_steps < 0:
            message = f"resume.every_n_steps is {every_n_steps}; expected 0 (only at the end) or more"
            raise OptionError(message)
        self.every_n_steps = every_n_steps
        self._told_to_stop = False
        self._interrupted = False
        self._loaded: dict[str, Any] | None = None
        self._saved_at = -1  # an optimizer step

    def setup(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002 - Lightning's signature
        stage: str,  # noqa: ARG002
    ) -> None:
        """Keep ``ModelCheckpoint`` from writing last.ckpt too."""
        for keeper in trainer.checkpoint_callbacks:
            if isinstance(keeper, ModelCheckpoint):
                keeper.save_last = False

    def on_fit_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """A run that had stopped early stays stopped."""
        if self._loaded is not None and self._loaded["stopped"]:
            rank_zero_info("This run had stopped early, and stays so. To train on, begin a new run.")
            trainer.should_stop = True

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Take the signals over from Lightning, which restores the original handlers itself when fit ends."""
        self._told_to_stop = trainer.received_sigterm
        if threading.current_thread() is threading.main_thread():  # Python lets no other handle signals
            for number in STOPPING_SIGNALS:
                signal.signal(number, self._note_signal)

    def on_train_batch_start(self, trainer: lightning.Trainer, _: object, __: object, batch_idx: int) -> None:
        """Restore a resumed run's state, write last.ckpt when it is due, and end the run after a signal.

        Raises:
            SystemExit: after a signal, with 143, or 130 after Ctrl-C.
        """
        if self._loaded is not None:
            self._restore(trainer)
        if batch_idx % trainer.accumulate_grad_batches != 0:
            return  # gradients gathered so far are in no checkpoint
        stop = trainer.strategy.reduce_boolean_decision(self._told_to_stop, all=False)
        if (stop or self._is_due(trainer)) and not _in_trouble(trainer):
            self._save(trainer)
        if stop:
            path = last_checkpoint(trainer)
            rank_zero_info(f"Stopped by a signal; resume from {path} with --ckpt_path=last.")
            raise SystemExit(INTERRUPTED if self._interrupted else EXIT_CODE)

    def on_train_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Write the final last.ckpt, before weight averages take the place of the weights."""
        self._save(trainer)

    def on_save_checkpoint(self, trainer: lightning.Trainer, _: object, checkpoint: dict[str, Any]) -> None:
        """Add random numbers and figures; Lightning calls this on all processes, for every checkpoint."""
        figures = {name: value.detach().cpu().clone() for name, value in trainer.callback_metrics.items()}
        checkpoint[STATE] = {
            "random": gather_over_processes(trainer, random_state()),
            "figures": figures,
            "stopped": bool(trainer.should_stop),
        }

    def on_load_checkpoint(self, trainer: lightning.Trainer, _: object, checkpoint: dict[str, Any]) -> None:
        """Keep what ``on_save_checkpoint`` added until the first batch.

        Raises:
            CheckpointError: its schedule ends before the last step of this run.
        """
        if trainer.state.fn != "fit":
            return
        _check_schedule(trainer, checkpoint)
        self._loaded = checkpoint.get(STATE)
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        if progress["current"]["ready"] > progress["current"]["processed"]:
            # That batch was fetched, and may be the epoch's last, but it is still to come.
            progress["is_last_batch"] = False
            progress["total"]["ready"] = progress["total"]["processed"]

    def _note_signal(self, signal_number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the handler's signature
        if signal_number == signal.SIGINT:
            if self._interrupted:
                raise KeyboardInterrupt
            self._interrupted = True
            # A handler may run in the middle of another write to the same stream, so this bypasses Python's buffers.
            os.write(2, b"\nStopping after this step, with a checkpoint. Ctrl-C again stops at once.\n")
        self._told_to_stop = True

    def _restore(self, trainer: lightning.Trainer) -> None:
        state, self._loaded = self._loaded or {}, None
        if len(state["random"]) == trainer.world_size:
            set_random_state(state["random"][trainer.global_rank])
        else:
            rank_zero_info("The number of processes has changed: random numbers start anew.")
        trainer.callback_metrics.update(state["figures"])
        # The step that logs are written under: Lightning's way of restoring it is one off here.
        trainer.fit_loop.epoch_loop._batches_that_stepped = trainer.global_step  # noqa: SLF001 - no public way
        self._saved_at = trainer.global_step

    def _is_due(self, trainer: lightning.Trainer) -> bool:
        step = trainer.global_step
        return self.every_n_steps > 0 and step > 0 and step % self.every_n_steps == 0 and step != self._saved_at

    def _save(self, trainer: lightning.Trainer) -> None:
        if not trainer.checkpoint_callbacks or _in_trial(trainer):
            return
        for logger in trainer.loggers:
            logger.save()  # a resumed run appends to these logs
        trainer.save_checkpoint(last_checkpoint(trainer), weights_only=False)
        self._saved_at = trainer.global_step


def last_checkpoint(trainer: lightning.Trainer) -> Path:
    """The path of last.ckpt: next to the best one, or in checkpoints/ in the run folder."""
    keepers = (keeper for keeper in trainer.checkpoint_callbacks if isinstance(keeper, ModelCheckpoint))
    folders = (keeper.dirpath for keeper in keepers if keeper.dirpath)
    return Path(next(folders, Path(trainer.default_root_dir) / "checkpoints")) / LAST


def steps_taken(path: Path) -> int:
    """Optimizer steps that a checkpoint has behind it.

    Raises:
        CheckpointError: the file is missing, damaged, or not a checkpoint of this project.
    """
    return int(read_content(path, mmap=True)["global_step"])


def _check_schedule(trainer: lightning.Trainer, checkpoint: dict[str, Any]) -> None:
    """Refuse a longer run than the one-cycle schedule was made for, which ends at a learning rate of 0."""
    planned = [state["total_steps"] for state in checkpoint["lr_schedulers"] if "total_steps" in state]
    steps = trainer.estimated_stepping_batches
    if planned and steps > planned[0]:
        message = (
            f"The schedule of this checkpoint ends at step {planned[0]:,}, and this run would take {steps:,} steps.\n"
            "To train on with its weights under a new schedule, pass --start_from=CHECKPOINT in place of --ckpt_path, "
            "and another --trainer.default_root_dir.\n"
            "A schedule without a last step, --model.schedule=plateau or constant, allows more epochs at any time."
        )
        raise CheckpointError(message)


def _in_trial(trainer: lightning.Trainer) -> bool:
    return bool(trainer.fast_dev_run)  # type: ignore[attr-defined]  # set by Lightning's debugging flags


def _in_trouble(trainer: lightning.Trainer) -> bool:
    """Whether steps are being skipped; the previous checkpoint is then better to resume from."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]  # set by Lightning's callback connector
    return any(isinstance(callback, Recovery) and callback.in_a_row > 0 for callback in callbacks)


def random_state() -> dict[str, Any]:
    """State of the random number generators of Python, numpy, torch and the accelerator in use, if any."""
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
    """Restore what ``random_state`` returned."""
    random.setstate(state["python"])
    numpy_state = state["numpy"]
    np.random.set_state(("MT19937", numpy_state["keys"].cpu().numpy().astype(np.uint32), *numpy_state["rest"]))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())
