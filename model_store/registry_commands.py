"""``python -m model_store add | list | promote | rollback | export | import``: bundles in BentoML's model store."""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Column, Table
from rich.text import Text

from model_store import bundle as bundles
from model_store import registry
from model_store.listing import listed
from model_store.plain_console import plain_console
from model_store.stages import STAGES, current
from model_store.tags import Tag, find

SHOWN_LABELS = 6
"""Labels of a model in the table; ``show`` has all."""

tag_option = click.option("--tag", help="name:version to store it under; by default the bundle's own.")
stage_option = click.option(
    "--stage", type=click.Choice(STAGES), default="production", show_default=True, help="Which stage."
)
path_argument = click.argument("path", type=click.Path(path_type=Path))


@click.command()
@click.argument("bundle")
@tag_option
def add(*, bundle: str, tag: str | None) -> None:
    """Copy a bundle into BentoML's model store ($BENTOML_HOME/models, by default ~/bentoml/models).

    It is there as a whole or not at all, also if the command is killed or the disk is full. To add the same bundle
    twice changes nothing.
    """
    _print_stored(registry.add(bundles.resolve(bundle), tag=None if tag is None else Tag.parse(tag)))


@click.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def list_models(*, as_json: bool) -> None:
    """List the stored bundles, with their stages and one measured figure of each."""
    models = registry.stored_models()
    if as_json:
        click.echo(json.dumps([_as_json(model) for model in models], indent=2))
        return
    table = Table(Column("tag", no_wrap=True), "stage", "labels", "measured", Column("created", no_wrap=True))
    for model in models:
        table.add_row(str(model.tag), ", ".join(model.stages), *_cells(model))
    console = plain_console()
    console.print(table)
    if not models:
        console.print("Add one with: python -m model_store add BUNDLE")


@click.command()
@click.argument("tag")
@stage_option
def promote(*, tag: str, stage: str) -> None:
    """Give the stored model TAG (name:version, or a stage) a stage.

    What is served or asked for as "production" is this model from then on. A running service keeps its model until it
    starts again.
    """
    model = current(tag) if tag in STAGES else find(Tag.parse(tag))
    registry.promote(model, stage)
    click.echo(f"{model} is in {stage}.")


@click.command()
@stage_option
def rollback(*, stage: str) -> None:
    """Give a stage back to the model that had it before."""
    click.echo(f"{registry.roll_back(stage)} is in {stage} again.")


@click.command()
@click.argument("tag")
@path_argument
def export(*, tag: str, path: Path) -> None:
    """Write the stored model TAG to one file, PATH; into a folder under its own name.

    "import" reads the file, and so does "bentoml models import".
    """
    model = current(tag) if tag in STAGES else find(Tag.parse(tag))
    click.echo(f"Wrote {registry.export_file(model, path)}.")


@click.command(name="import")
@path_argument
@tag_option
def import_model(*, path: Path, tag: str | None) -> None:
    """Add the model in the file PATH, which "export" wrote, to the store."""
    _print_stored(registry.import_file(path, tag=None if tag is None else Tag.parse(tag)))


COMMANDS = (add, list_models, promote, rollback, export, import_model)


def _print_stored(tag: Tag) -> None:
    name = shlex.quote(str(tag))
    click.echo(f"Stored {tag}; next: python -m model_store promote {name} --stage production")


def _cells(model: registry.StoredModel) -> Iterator[str | Text]:
    """Labels, a figure and the date; what is wrong with it if the model is damaged."""
    if model.bundle is None:
        yield from ("", Text(f"damaged: {model.problem}", style="red"), "")
        return
    manifest = model.bundle.manifest
    yield listed(manifest.label_names, most=SHOWN_LABELS)
    headline = "accuracy" if manifest.multi_label is None else "macro_f1"
    figures = [metric for metric in model.bundle.evaluation.metrics if metric.metric == headline]
    yield f"{headline.replace('_', ' ')} {figures[0].value:.2%} on {figures[0].data}" if figures else "-"
    yield manifest.created.strftime("%Y-%m-%d")


def _as_json(model: registry.StoredModel) -> dict[str, object]:
    if model.bundle is None:
        return {"tag": str(model.tag), "stages": list(model.stages), "problem": model.problem}
    return {
        "tag": str(model.tag),
        "stages": list(model.stages),
        "sha256": model.bundle.sha256,
        "labels": list(model.bundle.manifest.label_names),
        "folder": str(model.bundle.path),
        "metrics": [metric.model_dump(mode="json") for metric in model.bundle.evaluation.metrics],
    }
