"""Parquet files of scores and of n-grams: there whole, or not at all."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet


def write_whole(path: Path, table: pa.Table) -> None:
    """Writes beside the path and renames, so that a run that is stopped leaves no half of a file."""
    beside = path.with_suffix(".partial")
    parquet.write_table(table, beside, compression="zstd")
    beside.replace(path)
