"""Reads a training checkpoint back: the task, and what it says of its data and its run."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.fit.task import SentimentTask


class CheckpointError(ValueError):
    """A file that cannot be used as a checkpoint; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained task with its provenance.

    Attributes:
        data_options: the arguments ``SentimentData`` was made with.
        files: part, name, rows and SHA-256 of each file the run read.
        epochs: how many epochs the weights have seen, the one under way included.
        run: seed, command, library versions and, as ``began_with``, the origin of the weights that it began with, if
            it did; see ``callbacks.run_record``.
    """

    task: SentimentTask
    data_options: dict[str, Any]
    files: list[dict[str, Any]]
    epochs: int
    run: dict[str, Any]

    def origin(self) -> dict[str, Any]:
        """How the weights came about, in plain types: ``run``, and what it does not say of data and epochs."""
        return {**self.run, "files": self.files, "epochs": self.epochs, "sources": self.data_options["sources"]}


def load_checkpoint(path: Path) -> Checkpoint:
    """Loads a checkpoint without running any code in it (``weights_only``).

    Raises:
        CheckpointError: the file is missing, damaged, or not a checkpoint of this project.
    """
    if not path.is_file():
        message = f"{path}: no such checkpoint; runs keep theirs in runs/<name>/checkpoints/best.ckpt"
        raise CheckpointError(message)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (EOFError, OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
        message = f"{path}: cannot be read as a checkpoint: {_in_short(error)}"
        raise CheckpointError(message) from error
    missing = [key for key in ("state_dict", "hyper_parameters", "datamodule_hyper_parameters") if key not in content]
    if missing:
        message = f"{path}: is not a checkpoint of this project; it lacks {', '.join(missing)}"
        raise CheckpointError(message)
    try:
        return _restored(content)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        message = f"{path}: is not a checkpoint of this project, or one of another version: {_in_short(error)}"
        raise CheckpointError(message) from error


def _restored(content: dict[str, Any]) -> Checkpoint:
    task = SentimentTask(**content["hyper_parameters"])
    task.load_state_dict(content["state_dict"])
    return Checkpoint(
        task=task.eval(),
        data_options=dict(content["datamodule_hyper_parameters"]),
        files=content.get("SentimentData", {}).get("files", []),
        epochs=_epochs_begun(content),
        run=content.get("run", {}),
    )


def _in_short(error: Exception) -> str:
    """The first sentence of an error; torch's go on about what may have happened."""
    return str(error).partition("\n")[0].partition(". ")[0] or type(error).__name__


def _epochs_begun(content: dict[str, Any]) -> int:
    """Not by ``epoch``, which counts on once the last epoch has ended."""
    return int(content["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"])
