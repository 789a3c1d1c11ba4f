"""Readers: labelled text from every format people keep it in, one row at a time."""

from training.data.readers.reading import Format, read_examples, unit_of

__all__ = ["Format", "read_examples", "unit_of"]
