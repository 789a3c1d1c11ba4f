"""The run folder, ``trainer.default_root_dir``: by default everything that a run writes is in it."""

from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as lightning
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger, Logger, TensorBoardLogger

from training.fit.run_files import CHECKPOINTS, CONFIG

DEFAULT = "runs/unnamed"


class SaveConfig(SaveConfigCallback):
    """Writes the resolved config to the top of the run folder; ``fit --config`` takes it as it is."""

    def save_config(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,  # noqa: ARG002 - Lightning's signature
        stage: str,  # noqa: ARG002
    ) -> None:
        """Lightning calls this only on rank 0."""
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        self.parser.save(self.config, str(folder / CONFIG), skip_none=False, overwrite=True, multifile=False)


class RunFolderError(ValueError):
    """A run folder that must not be written to; the message says what to pass."""


def check_free(folder: Path) -> None:
    """Refuse a folder whose checkpoints a new run would replace.

    Raises:
        RunFolderError: it holds checkpoints of an earlier run.
    """
    checkpoint = next((folder / CHECKPOINTS).glob("*.ckpt"), None)
    if checkpoint is not None:
        message = (
            f"{folder}: holds a run already ({CHECKPOINTS}/{checkpoint.name}), which a new one would replace.\n"
            "Pass --ckpt_path=last to resume it, --overwrite to replace it, or another --trainer.default_root_dir."
        )
        raise RunFolderError(message)


def remove_checkpoints(folder: Path) -> None:
    """Remove an earlier run's checkpoints: a new run that is killed before its first one would resume the earlier."""
    for checkpoint in (folder / CHECKPOINTS).glob("*.ckpt"):
        checkpoint.unlink(missing_ok=True)


def default_loggers(folder: Path) -> list[Logger]:
    """Figures as CSV and for TensorBoard: the loggers of a run whose config names none."""
    return [
        CSVLogger(save_dir=folder, name="", version="csv"),
        TensorBoardLogger(save_dir=folder, name="", version="tensorboard"),
    ]


def with_checkpoints(
    callbacks: Sequence[lightning.Callback] | lightning.Callback, folder: Path
) -> list[lightning.Callback]:
    """The callbacks, with checkpoints in the run folder; adds those for the best and the last if there are none."""
    callbacks = [callbacks] if isinstance(callbacks, lightning.Callback) else callbacks
    directory = str((folder / CHECKPOINTS).resolve())  # absolute, as Lightning keeps it
    keepers = [callback for callback in callbacks if isinstance(callback, ModelCheckpoint)]
    for keeper in keepers:
        keeper.dirpath = keeper.dirpath or directory
    return [*callbacks] if keepers else [*callbacks, best_and_last(directory)]


def best_and_last(directory: str) -> ModelCheckpoint:
    """Keep the checkpoint with the highest validation macro-F1 as best.ckpt, and the newest as last.ckpt."""
    return ModelCheckpoint(
        dirpath=directory,
        filename="best",
        monitor="validation/macro_f1",
        mode="max",
        save_last=True,
        enable_version_counter=False,
    )
