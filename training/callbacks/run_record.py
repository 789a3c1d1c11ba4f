"""Keeps in every checkpoint how it was made, so that a bundle can say so."""

import os
from importlib.metadata import version
from typing import Any

import pytorch_lightning as lightning

RECORDED = ("torch", "pytorch-lightning", "torchtext", "tokenizers", "onnx", "onnxruntime", "numpy")


class RunRecord(lightning.Callback):
    """Adds ``run`` to each checkpoint: command line, seed and library versions, in plain JSON types."""

    def __init__(self, *, command: str) -> None:
        self.command = command

    def on_save_checkpoint(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002 - Lightning's signature
        pl_module: lightning.LightningModule,  # noqa: ARG002
        checkpoint: dict[str, Any],
    ) -> None:
        """Lightning calls this for every checkpoint."""
        seed = os.environ.get("PL_GLOBAL_SEED")  # where Lightning's seed_everything leaves it
        checkpoint["run"] = {
            "command": self.command,
            "seed": None if seed is None else int(seed),
            "libraries": {name: version(name) for name in RECORDED},
        }
