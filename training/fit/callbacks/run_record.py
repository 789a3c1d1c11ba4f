"""Provenance and results of a run, in its folder and in every checkpoint.

A run folder then holds ``run.json`` (command, seed, git commit, data hashes, library versions), ``metrics.json`` (final
figures) and ``curves.png``, beside the resolved config, the checkpoints and the logs.
"""

import os
import platform
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.optim import Optimizer

from model_store.atomic_write import write_json
from training.data.module import SentimentData
from training.data.readers.files import short_name
from training.fit.callbacks.gradient_telemetry import GradientTelemetry, gradients_of, parameters_of, total_norm
from training.fit.callbacks.recovery import Recovery
from training.fit.curves import draw_curves
from training.fit.history import GRADIENT_NORM, LEARNING_RATE, History
from training.fit.provenance import git_commit, machine
from training.fit.run_files import CURVES, METRICS, RUN

RECORDED = ("torch", "pytorch-lightning", "torchmetrics", "torchtext", "tokenizers", "onnx", "onnxruntime", "numpy")


class RunRecord(lightning.Callback):
    """Adds ``run`` to each checkpoint and writes ``run.json``, ``metrics.json`` and ``curves.png``, only on rank 0."""

    def __init__(self, *, command: str) -> None:
        self.command = command
        self.history = History()
        self.seconds_before = 0.0  # of training, before this process took over
        self.started = time.monotonic()
        self.began_with: dict[str, Any] | None = None  # the origin of weights that this run begins with
        self.fitted: dict[str, Any] = {}  # the part of metrics.json that training gives

    def state_dict(self) -> dict[str, Any]:
        """History and time, so that a resumed run's curves and duration are complete."""
        return {**self.history.state_dict(), "seconds": self._seconds(), "began_with": self.began_with}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning calls this when a run is resumed."""
        self.history.load_state_dict(state_dict)
        self.seconds_before = state_dict["seconds"]
        self.began_with = state_dict.get("began_with")  # older checkpoints never had one
        self.started = time.monotonic()

    def on_fit_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Write the record before the first step, so that a failed run leaves it too."""
        self.started = time.monotonic()
        if _writes(trainer):
            folder = Path(trainer.default_root_dir)
            (folder / METRICS).unlink(missing_ok=True)  # an earlier run's would pass for this one's, were it killed
            write_json(folder / RUN, {**self._origin(), **_surroundings(trainer)})

    def on_before_optimizer_step(self, trainer: lightning.Trainer, _: object, optimizer: Optimizer) -> None:
        """The gradient's norm before clipping, which is about to come."""
        if _is_logged(trainer, trainer.global_step + 1):
            norm = float(total_norm(gradients_of(parameters_of(optimizer))))
            self.history.add(trainer.global_step + 1, {GRADIENT_NORM: norm})

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Figures are fetched as often as they are logged: each fetch waits for the accelerator."""
        if _is_logged(trainer, trainer.global_step):
            logged = _numbers(trainer, skip=("validation/", "test/"))
            self.history.add(trainer.global_step, {**logged, LEARNING_RATE: _learning_rate(trainer)})

    def on_validation_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Keep the figures of a validation, but not of the trial one before training."""
        if not trainer.sanity_checking and trainer.state.fn == "fit":
            figures = _figures(trainer, "validation/")
            self.history.add_validation(epoch=trainer.current_epoch, step=trainer.global_step, figures=figures)

    def on_fit_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Write the results of the training."""
        self._write_results(trainer, finished=True)

    def on_exception(self, trainer: lightning.Trainer, *_: object) -> None:
        """The same for a run that was stopped, as far as it came."""
        if trainer.state.fn == "fit":
            with suppress(OSError):  # a full disk may have stopped the run, and that error is the one to report
                self._write_results(trainer, finished=False)

    def on_test_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Add the test figures, and the test file to the record."""
        if not _writes(trainer):
            return
        folder = Path(trainer.default_root_dir)
        write_json(folder / METRICS, {**self.fitted, "test": _figures(trainer, "test/")})
        write_json(folder / RUN, {**self._origin(), **_surroundings(trainer)})

    def on_save_checkpoint(self, trainer: lightning.Trainer, _: object, checkpoint: dict[str, Any]) -> None:
        """Add the record of the run so far; Lightning calls this for all checkpoints."""
        took = {"seconds": round(self._seconds(), 1), "machine": machine(trainer).model_dump()}
        checkpoint["run"] = {**self._origin(), **took}

    def _origin(self) -> dict[str, Any]:
        seed = os.environ.get("PL_GLOBAL_SEED")  # where Lightning's seed_everything leaves it
        return {
            "command": self.command,
            "seed": None if seed is None else int(seed),
            "libraries": {name: version(name) for name in RECORDED},
            **git_commit(),
            **({} if self.began_with is None else {"began_with": self.began_with}),
        }

    def _write_results(self, trainer: lightning.Trainer, *, finished: bool) -> None:
        if not _writes(trainer):
            return
        folder = Path(trainer.default_root_dir)
        best = _best(trainer, self.history)
        self.fitted = {
            "finished": finished,
            "epochs": trainer.current_epoch,
            "steps": trainer.global_step,
            "seconds": round(self._seconds(), 1),
            **best,
            **_telemetry(trainer),
        }
        write_json(folder / METRICS, self.fitted)
        draw_curves(self.history, folder / CURVES, title=folder.name, best_step=best.get("best", {}).get("step"))

    def _seconds(self) -> float:
        return self.seconds_before + time.monotonic() - self.started


def _callbacks(trainer: lightning.Trainer) -> list[lightning.Callback]:
    callbacks: list[lightning.Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning sets it from outside
    return callbacks


def _is_logged(trainer: lightning.Trainer, step: int) -> bool:
    interval: int = trainer.log_every_n_steps  # type: ignore[attr-defined]  # Lightning sets it from outside
    return interval > 0 and step % interval == 0


def _writes(trainer: lightning.Trainer) -> bool:
    return trainer.is_global_zero and not getattr(trainer, "fast_dev_run", False)


def _surroundings(trainer: lightning.Trainer) -> dict[str, Any]:
    accelerator = torch.cuda.get_device_name() if trainer.strategy.root_device.type == "cuda" else "CPU"
    return {
        "machine": machine(trainer).model_dump(),
        "python": platform.python_version(),
        "accelerator": accelerator,
        "devices": trainer.world_size,
        "data": _data_files(trainer),
    }


def _data_files(trainer: lightning.Trainer) -> list[dict[str, Any]]:
    data = getattr(trainer, "datamodule", None)
    if not isinstance(data, SentimentData):
        return []
    files: list[dict[str, Any]] = list(data.state_dict()["files"])
    tests = data.files.get("test", [])  # not in checkpoints
    apart = [("test", test.path, test.sha256) for test in tests]
    if data.held_out is not None:
        apart += [("held_out", path, data.held_out.sha256(path)) for path in data.held_out.paths]
    return [*files, *({"part": part, "name": short_name(path), "sha256": sha256} for part, path, sha256 in apart)]


def _best(trainer: lightning.Trainer, history: History) -> dict[str, Any]:
    """The best checkpoint and its validation figures; empty before the first validation."""
    keeper = next((callback for callback in _callbacks(trainer) if isinstance(callback, ModelCheckpoint)), None)
    if keeper is None or keeper.monitor is None or keeper.best_model_score is None:
        return {}
    value = float(keeper.best_model_score)
    validation = history.first_with(keeper.monitor.removeprefix("validation/"), value)
    return {
        "best": {
            "checkpoint": os.path.relpath(keeper.best_model_path, trainer.default_root_dir),
            "monitor": keeper.monitor,
            "value": value,
            "epoch": None if validation is None else validation["epoch"],
            "step": None if validation is None else validation["step"],
        },
        "validation": {} if validation is None else validation["figures"],
    }


def _telemetry(trainer: lightning.Trainer) -> dict[str, Any]:
    """Gradient norms and skipped steps, if the callbacks that count them are present."""
    result: dict[str, Any] = {}
    for callback in _callbacks(trainer):
        if isinstance(callback, GradientTelemetry):
            result["gradient"] = callback.summary()
        elif isinstance(callback, Recovery):
            result["recovery"] = {"skipped_steps": callback.skipped, "rollbacks": callback.went_back}
    return result


def _figures(trainer: lightning.Trainer, prefix: str) -> dict[str, float]:
    numbers = _numbers(trainer, skip=())
    return {name.removeprefix(prefix): value for name, value in numbers.items() if name.startswith(prefix)}


def _numbers(trainer: lightning.Trainer, *, skip: tuple[str, ...]) -> dict[str, float]:
    logged = trainer.callback_metrics.items()
    return {name: float(value) for name, value in logged if not name.startswith(skip)}


def _learning_rate(trainer: lightning.Trainer) -> float:
    return max(float(group["lr"]) for optimizer in trainer.optimizers for group in optimizer.param_groups)
