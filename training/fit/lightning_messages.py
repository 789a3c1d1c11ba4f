"""Messages of Lightning that say nothing about a run, kept out of its log."""

import logging
import warnings

ADVERTISED = "litlogger"
"""A service of Lightning's vendor, which it recommends before every run."""


def drop_irrelevant_messages() -> None:
    """Drop them in this process from now on."""
    for name in ("pytorch_lightning.utilities.rank_zero", "lightning.pytorch.utilities.rank_zero"):
        logger = logging.getLogger(name)
        if _says_something not in logger.filters:
            logger.addFilter(_says_something)
    # LightningCLI warns whenever it is handed its arguments by a program that has some of its own.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    # It only knows resumable loaders; here the data module restores the position of the sampler.
    warnings.filterwarnings("ignore", message="You're resuming from a checkpoint that ended before the epoch ended")
    # It calls torch in a way that torch will no longer have.
    warnings.filterwarnings("ignore", message=r"`isinstance\(treespec, LeafSpec\)` is deprecated")


def _says_something(record: logging.LogRecord) -> bool:
    return ADVERTISED not in record.getMessage()
