"""Checkpoints on disk, written atomically: a failed write leaves the previous one intact."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from model_store.atomic_write import atomic_write

IN_MEMORY = "memory://last-good-state"
"""The path under which Lightning is handed the checkpoint in ``DurableCheckpoints.in_memory``."""


class CheckpointNotWrittenError(Exception):
    """A checkpoint could not be written; the message names it and says what to do. The one before is intact."""


class DurableCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint to a temporary file next to its path, syncs it (fsync), and then renames it.

    Lightning writes to the system's folder for temporary files and moves from there, which is a copy where that is
    another disk, and calls no fsync (fsspec's ``LocalFileOpener.commit``): after a crash the new file may be half there
    and the old one lost. Paths that are not local, such as s3://, are left to Lightning.

    Attributes:
        in_memory: the checkpoint that the path ``IN_MEMORY`` loads; see ``Recovery``.
    """

    def __init__(self) -> None:
        self.in_memory: dict[str, Any] | None = None

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any | None = None,  # noqa: ANN401 - Lightning's signature
    ) -> None:
        """Write the checkpoint, whole or not at all.

        Raises:
            CheckpointNotWrittenError: the disk is full, or the folder cannot be written to.
        """
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            atomic_write(Path(path), buffer.getbuffer())
        except OSError as error:
            message = (
                f"{path}: the checkpoint could not be written ({error.strerror or error}); training has stopped.\n"
                "The checkpoint written before it is intact. This one needs "
                f"{buffer.getbuffer().nbytes / 1e6:,.1f} MB next to it: make room,\n"
                "then run the same command again with --ckpt_path=last."
            )
            raise CheckpointNotWrittenError(message) from error

    def load_checkpoint(self, path: str | Path, *args: Any, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Read a checkpoint, or hand over the one in memory and forget it: training changes its tensors in place."""
        if str(path) == IN_MEMORY and self.in_memory is not None:
            checkpoint, self.in_memory = self.in_memory, None
            return checkpoint
        return super().load_checkpoint(path, *args, **options)
