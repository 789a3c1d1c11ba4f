"""``python -m training feedback``: from the service's file of feedback to a labeled file."""

import json
from pathlib import Path

from model_store.atomic_write import atomic_write
from model_store.feedback import read_feedback
from model_store.plain_console import plain_console
from training.commands.parser import UsageError, run

DESCRIPTION = """\
Writes the texts of which people gave the right label, as JSON Lines for adapt, fit, inspect and test.

  python -m training feedback feedback.db --to corrected.jsonl
  python -m training adapt --train corrected.jsonl --to my-model

The service keeps feedback in the file that SENTIMENT_FEEDBACK names, and the texts if SENTIMENT_FEEDBACK_TEXTS is true.
"""


def main(arguments: list[str]) -> None:
    """Run the command."""
    run(feedback, arguments, command="feedback", description=DESCRIPTION, errors=(OSError,))


def feedback(file: Path, *, to: Path, overwrite: bool = False) -> None:
    """Write the labeled texts; see ``DESCRIPTION``.

    Args:
        file: the service's file.
        to: the output, ``.jsonl``.
        overwrite: replace an output that is there.

    Raises:
        OSError: the file cannot be read, or the output cannot be written.
        UsageError: the output is there already, or no text is in the file.
    """
    if to.exists() and not overwrite:
        message = f"{to} is there already; give another name with --to, or --overwrite"
        raise UsageError(message)
    lines, without_text = [], 0
    for entry in read_feedback(file):
        if entry.text is None:
            without_text += 1
        else:
            label = entry.labels[0] if len(entry.labels) == 1 else list(entry.labels)
            lines.append(json.dumps({"text": entry.text, "label": label, "model": entry.model}))
    if not lines:
        message = f"{file}: no entry has a text; the service keeps texts if SENTIMENT_FEEDBACK_TEXTS is true"
        raise UsageError(message)
    atomic_write(to, "".join(f"{line}\n" for line in lines).encode())
    console = plain_console()
    console.print(f"{to}: {len(lines):,} labeled texts")
    if without_text:
        console.print(f"{without_text:,} entries have no text and were left out.")
