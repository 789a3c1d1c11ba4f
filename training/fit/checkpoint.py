"""Loading of training checkpoints: the task, and the record of its data and its run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from training.fit.task import SentimentTask

CONTENT = ("state_dict", "hyper_parameters", "datamodule_hyper_parameters", "loops", "global_step")
"""Keys that all checkpoints of this project have."""


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
        """The origin of the weights, in plain types: ``run``, completed by data and epochs."""
        return {**self.run, "files": self.files, "epochs": self.epochs, "sources": self.data_options["sources"]}


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a checkpoint without running any code in it (``weights_only``).

    Raises:
        CheckpointError: the file is missing, damaged, or not a checkpoint of this project.
    """
    content = read_content(path)
    try:
        task = SentimentTask(**content["hyper_parameters"])
        task.load_state_dict(content["state_dict"])
    except Exception as error:
        # Hyperparameters of another program can be anything, so making a network of them can fail in any way.
        message = f"{path}: its content is not that of a checkpoint of this project ({_first_line(error)})"
        raise CheckpointError(message) from error
    return Checkpoint(
        task=task.eval(),
        data_options=dict(content["datamodule_hyper_parameters"]),
        files=content.get("SentimentData", {}).get("files", []),
        epochs=_epochs_begun(content),
        run=content.get("run", {}),
    )


def read_content(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """A checkpoint's content, loaded without running any code in it (``weights_only``).

    Args:
        path: the checkpoint.
        mmap: leave tensors on the disk until they are used.

    Raises:
        CheckpointError: the file is missing, damaged, or not a checkpoint of this project.
    """
    if not path.is_file():
        message = (
            f"{path}: no such checkpoint; runs keep theirs in runs/<name>/checkpoints/best.ckpt, and "
            "--ckpt_path=last finds the run folder's own"
        )
        raise CheckpointError(message)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except Exception as error:
        # torch raises whatever the bytes lead to: RuntimeError, EOFError, UnpicklingError, KeyError, ValueError, ...
        message = f"{path}: cannot be read as a checkpoint ({_first_line(error)})"
        raise CheckpointError(message) from error
    missing = [key for key in CONTENT if not isinstance(content, dict) or key not in content]
    if missing:
        message = f"{path}: not a checkpoint of this project; it lacks {', '.join(missing)}"
        raise CheckpointError(message)
    return dict(content)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _epochs_begun(content: dict[str, Any]) -> int:
    """Not by ``epoch``, which counts on once the last epoch has ended."""
    return int(content["loops"]["fit_loop"]["epoch_progress"]["current"]["ready"])
