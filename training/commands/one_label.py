"""Commands that work on texts with one label only."""

from training.commands.parser import UsageError
from training.data.readers import ReadingOptions


def require_one_label(reading: ReadingOptions, command: str) -> None:
    """Refuse multi-label files.

    Raises:
        UsageError: ``--multi_label`` was given.
    """
    if reading.multi_label:
        message = f"{command} works on texts with one label each; leave --multi_label out"
        raise UsageError(message)
