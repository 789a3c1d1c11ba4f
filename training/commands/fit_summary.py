"""What a training run ends with: the best epoch, its confusion matrix, where things are, and the next command."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from rich.table import Table
from rich.text import Text

from model_store.plain_console import plain_console
from model_store.progress import track
from training.data.module import SentimentData, describe_labels
from training.data.tokenized import UNLABELED
from training.evaluation.label_sets import LabelSets, outcomes_of
from training.evaluation.label_thresholds import DEFAULT_THRESHOLD
from training.evaluation.metrics import Outcomes, by_label, confusion
from training.evaluation.tables import plain_table
from training.fit.checkpoint import load_checkpoint
from training.fit.run_files import CURVES
from training.fit.task import SentimentTask


def label_counts(trainer: lightning.Trainer, data: SentimentData) -> str:
    """The labels of the training texts with their counts; only before the trainer tests."""
    loader: Any = trainer.train_dataloader
    return describe_labels(data.labels, loader.dataset.labels)


def print_summary(trainer: lightning.Trainer, data: SentimentData, *, counts: str, export_next: bool) -> None:
    """Print the summary of a finished run on standard error; nothing for a run without a best checkpoint.

    The confusion matrix is of the validation files; in a distributed run, whose first process reads only a part of
    them, it is left out.

    Args:
        trainer: after the run.
        data: the run's.
        counts: the labels of the training texts, in words.
        export_next: end with the command that exports; False where that is done without being asked for.
    """
    keeper = trainer.checkpoint_callback
    if not isinstance(keeper, ModelCheckpoint) or not Path(keeper.best_model_path).is_file():
        return
    folder, path = Path(trainer.default_root_dir), _shortest(Path(keeper.best_model_path))
    best = load_checkpoint(path)
    console = plain_console(stderr=True)
    console.print()
    console.print(_kept(keeper, epoch=best.epochs, of=trainer.current_epoch) + f": {path}", soft_wrap=True)
    if (folder / CURVES).is_file():
        console.print(f"Curves: {folder / CURVES}")
    console.print(f"Training texts. {counts}", soft_wrap=True)
    if trainer.world_size == 1:
        console.print()
        outcomes = validation_outcomes(best.task.to(trainer.strategy.root_device), data)
        console.print(_table(outcomes, data.labels))
    if not export_next:
        return
    console.print()
    bundle = shlex.quote(str(folder / "bundle"))
    console.print(f"Next: python -m training export {shlex.quote(str(path))} --to {bundle}", soft_wrap=True)


def validation_outcomes(task: SentimentTask, data: SentimentData) -> Outcomes | LabelSets:
    """The network's answers to the labeled validation texts that hold a token."""
    scores, labels = [], []
    with torch.inference_mode():
        for batch in track(data.val_dataloader(), "Reading the validation texts", unit="batches"):
            scores.append(task.objective.scores(task(batch.ids.to(task.device))).cpu().double().numpy())
            labels.append(batch.labels.numpy())
    true = np.concatenate(labels)
    known = (true != UNLABELED).reshape(len(true), -1).all(axis=1)
    thresholds = np.full(len(task.labels), DEFAULT_THRESHOLD)
    return outcomes_of(np.concatenate(scores)[known], true[known], thresholds=thresholds)


def _table(outcomes: Outcomes | LabelSets, labels: Sequence[str]) -> Table:
    if isinstance(outcomes, LabelSets):
        table = plain_table("validation, at a threshold of 0.5", "precision", "recall", "F1", "texts")
        for entry in by_label(outcomes, labels):
            shares = (entry.precision, entry.recall, entry.f1)
            table.add_row(
                Text(entry.label), *("-" if share is None else f"{share:.1%}" for share in shares), f"{entry.support:,}"
            )
        return table
    table = plain_table("validation: true, then predicted", *labels)
    for name, row in zip(labels, confusion(outcomes).tolist(), strict=True):
        table.add_row(Text(name), *(f"{count:,}" for count in row))
    return table


def _kept(keeper: ModelCheckpoint, *, epoch: int, of: int) -> str:
    """Which epoch was kept, and why: Best after epoch 4 of 6, by validation macro f1 87.2%."""
    if keeper.monitor is None:
        return f"Kept the last epoch, {epoch} of {of}"
    return f"Best after epoch {epoch} of {of}, by {_in_words(keeper, keeper.monitor)}"


def _in_words(keeper: ModelCheckpoint, monitor: str) -> str:
    """The figure that chose the checkpoint: validation macro f1 87.2%."""
    name = monitor.replace("/", " ").replace("_", " ")
    if keeper.best_model_score is None:
        return name
    value = float(keeper.best_model_score)
    return f"{name} {value:.3f}" if name.endswith("loss") else f"{name} {value:.2%}"


def _shortest(path: Path) -> Path:
    """Relative to the working folder if it lies in it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
