"""Parquet files of scores and n-grams, written atomically."""

from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from model_store.atomic_write import atomic_path


def write_table(path: Path, table: pa.Table) -> None:
    """Write a file atomically, so that a stopped run leaves no partial file."""
    with atomic_path(path) as partial:
        parquet.write_table(table, partial, compression="zstd")
