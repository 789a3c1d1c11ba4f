"""Readers: labelled text from every format people keep it in, one row at a time."""

from training.data.readers.reading import Format, Unit, read_examples, unit_of

__all__ = ["Format", "Unit", "read_examples", "unit_of"]
