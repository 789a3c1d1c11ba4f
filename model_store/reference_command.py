"""``python -m model_store reference``: measure what a service compares its texts with."""

from collections.abc import Iterator
from pathlib import Path

import click

from model_store import bundle as bundles
from model_store.drift import measure_reference
from model_store.model import SentimentModel
from model_store.progress import track
from model_store.scoring.sources import Source, open_source

EXAMPLES = """\b
Example:
  python -m model_store reference my-model last-month.csv --text_column body
"""


@click.command(epilog=EXAMPLES)
@click.argument("bundle")
@click.argument("source", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text_column", default="text", show_default=True, help="Column or key of the text.")
@click.option("--encoding", default="utf-8", show_default=True, help="Of text files, such as cp1252.")
def reference(*, bundle: str, source: Path, text_column: str, encoding: str) -> None:
    """Keep in a bundle what the model makes of the texts of FILE: the kind of texts that a service is to expect.

    A service then shows in its metrics how far the texts it is sent are from these (sentiment_drift_...). Without this
    command they are compared with the bundle's validation texts. FILE needs no labels, and may be CSV, JSON Lines,
    Parquet or text. The model's identity does not change.
    """
    content = bundles.read(bundles.resolve(bundle))
    opened = open_source(source, text_column=text_column, encoding=encoding, output="jsonl", vectors="none")
    texts = track(_texts(opened), f"Reading {source.name}")
    measured = measure_reference(SentimentModel(content), texts, data=source.name)
    bundles.rewrite(content, evaluation=content.evaluation.replace(reference=measured))
    click.echo(f"Wrote {content.path}: drift is measured against {measured.rows:,} texts of {source.name}.")


def _texts(source: Source) -> Iterator[object]:
    return (row.text for part in source.parts() for row in part.rows)
