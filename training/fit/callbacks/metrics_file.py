"""Carries metrics.csv over to a resumed run: Lightning's CSVLogger begins by deleting it."""

import csv
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_only
from pytorch_lightning.loggers import CSVLogger, Logger


@rank_zero_only
def carry_over(loggers: Iterable[Logger], *, before_step: int) -> None:
    """Keep the rows of steps before ``before_step``; the resumed run writes the later ones again."""
    for logger in loggers:
        if isinstance(logger, CSVLogger):
            _carry_over(logger, before_step)


def _carry_over(logger: CSVLogger, before_step: int) -> None:
    path = Path(logger.log_dir) / "metrics.csv"
    aside = path.with_name("metrics-before-resume.csv")  # there until the new file is whole
    if path.is_file() and not aside.exists():
        path.rename(aside)
    if not aside.is_file():
        return
    with aside.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if int(row["step"]) < before_step]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Experiment logs directory")  # the one it is about is set aside
        for row in rows:
            # As text, which is how it is written again: a number read and written twice may look different.
            figures: dict[str, Any] = {name: value for name, value in row.items() if value and name != "step"}
            logger.log_metrics(figures, step=int(row["step"]))
    logger.save()
    aside.unlink()
