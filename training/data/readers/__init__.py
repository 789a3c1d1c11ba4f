"""Readers: labeled text from every format people keep it in, one row at a time."""

from training.data.readers.formats import FORMATS, Format, ReadingOptions, Trees
from training.data.readers.reading import read_examples, unit_of

__all__ = ["FORMATS", "Format", "ReadingOptions", "Trees", "read_examples", "unit_of"]
