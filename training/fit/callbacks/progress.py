"""Progress of a training run: the whole run's time left, and a line for each validation that stays."""

import math
from collections.abc import Iterator

import pytorch_lightning as lightning

from model_store.progress import Progress


class RunProgress(lightning.Callback):
    """Shows the progress of the whole run, on the first process, instead of Lightning's bar for each epoch.

    Nothing is shown if Lightning's own bar is (``--trainer.enable_progress_bar=true``).
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._validating = ""

    def on_train_start(self, trainer: lightning.Trainer, *_: object) -> None:
        """Begin; after a rollback, begin again."""
        self._close(finished=False)
        steps = trainer.estimated_stepping_batches
        shown = trainer.is_global_zero and getattr(trainer, "progress_bar_callback", None) is None
        total = None if math.isinf(steps) else int(steps)
        self._progress = Progress("Training", total=total, unit="steps", done=trainer.global_step, shown=shown)
        self._progress.__enter__()

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Count a step."""
        self._validating = ""
        self._update(trainer)

    def on_validation_batch_end(
        self, trainer: lightning.Trainer, _task: object, _outputs: object, _batch: object, batch_idx: int, *_: object
    ) -> None:
        """Show how far a validation is, which may take longer than half a minute."""
        self._validating = f"validating, batch {batch_idx + 1:,} of {trainer.num_val_batches[0]:,}"
        self._update(trainer)

    def on_validation_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Print the figures of a validation."""
        self._validating = ""
        if self._progress is not None and not trainer.sanity_checking:
            self._progress.message(f"Step {trainer.global_step:,}, {self._figures(trainer)}")

    def on_train_end(self, *_: object) -> None:
        """End."""
        self._close(finished=True)

    def on_exception(self, *_: object) -> None:
        """End, so that an error is not written into the bar."""
        self._close(finished=False)

    def _update(self, trainer: lightning.Trainer) -> None:
        if self._progress is not None:
            self._progress.update(trainer.global_step, lambda: self._figures(trainer))

    def _close(self, *, finished: bool) -> None:
        if self._progress is not None:
            self._progress.close(finished=finished)
            self._progress = None

    def _figures(self, trainer: lightning.Trainer) -> str:
        """The epoch and every logged figure in words; only fetched to be shown, as that waits for a GPU."""
        return ", ".join([_epoch(trainer), *_logged(trainer), *([self._validating] if self._validating else [])])


def _epoch(trainer: lightning.Trainer) -> str:
    last = trainer.max_epochs
    return f"epoch {trainer.current_epoch + 1}" + (f" of {last}" if last is not None and last > 0 else "")


def _logged(trainer: lightning.Trainer) -> Iterator[str]:
    """Loss and the last validation's figures: "loss 0.412", "validation accuracy 87.2%"."""
    for name, value in trainer.callback_metrics.items():
        part, _, figure = name.partition("/")
        if part in {"train", "validation"}:
            words = f"{part} {figure}".removeprefix("train ").replace("_", " ")
            yield f"{words} {float(value):.3f}" if figure == "loss" else f"{words} {float(value):.1%}"
