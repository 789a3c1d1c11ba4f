"""``python -m model_store show | verify | predict``: bundles for people, and as JSON for machines."""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from model_store import bundle as bundles
from model_store import summary
from model_store.card import model_card
from model_store.errors import BundleError, TextError
from model_store.model import SentimentModel
from model_store.results import Prediction
from model_store.version import __version__

EXAMPLES = """\b
Examples:
  python -m model_store predict default "The movie was terribly exciting!"
  python -m model_store predict default --explain "Not bad at all."
  cat reviews.txt | python -m model_store predict my-model --json

BUNDLE is a bundle's folder, or "default" for the one that ships with the project.
"""

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group(epilog=EXAMPLES)
@click.version_option(__version__, message="%(version)s", help="Print the version of the software.")
def commands() -> None:
    """Look at a model bundle, verify it, and ask it."""


@commands.command()
@click.argument("bundle")
@click.option("--card", "whole_card", is_flag=True, help="Print the whole model card instead.")
@as_json_option
def show(*, bundle: str, whole_card: bool, as_json: bool) -> None:
    """Print what a model is and how good it is, the most important of its card."""
    folder = bundles.resolve(bundle)
    manifest = bundles.read(folder).manifest
    console = Console()
    if as_json:
        sys.stdout.write(manifest.model_dump_json(indent=2) + "\n")
    elif whole_card:
        console.print(Markdown(model_card(manifest)))
    else:
        size = sum((folder / name).stat().st_size for name in (bundles.MANIFEST, *manifest.files))
        for table in summary.tables(manifest, size=size):
            console.print(table)
        console.print(f"Everything else: python -m model_store show {bundle} --card", style="dim", highlight=False)


@commands.command()
@click.argument("bundle")
@as_json_option
def verify(*, bundle: str, as_json: bool) -> None:
    """Check every file's hash and load the model."""
    content = bundles.read(bundles.resolve(bundle))
    SentimentModel(content)
    if as_json:
        sys.stdout.write(json.dumps({"sha256": content.sha256, "files": content.manifest.files}) + "\n")
        return
    table = Table("file", "SHA-256, as the manifest says")
    for name, sha256 in content.manifest.files.items():
        table.add_row(name, sha256)
    console = Console()
    console.print(table)
    console.print(f"{content.manifest.name} {content.manifest.version} is whole and loads.")


@commands.command()
@click.argument("bundle")
@click.argument("texts", nargs=-1)
@click.option("--explain", is_flag=True, help="Show what every token adds to every label.")
@as_json_option
def predict(*, bundle: str, texts: tuple[str, ...], explain: bool, as_json: bool) -> None:
    """Label TEXTS, or each line of standard input where there are none."""
    model = SentimentModel.load(bundle)
    wanted = list(texts) or [line.rstrip("\r\n") for line in sys.stdin]
    answers = model.predict(wanted, explain=explain)
    labels = model.manifest.label_names
    if as_json:
        for text, answer in zip(wanted, answers, strict=True):
            sys.stdout.write(json.dumps({"text": text, **_as_json(answer, labels)}) + "\n")
        return
    console = Console()
    console.print(_summary(wanted, answers, labels))
    if explain:
        for answer in answers:
            console.print(_explanation(answer, labels))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0, 1 with a plain message, or 2 where the command line is off."""
    try:
        commands.main(args=arguments, prog_name="python -m model_store", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (BundleError, TextError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _summary(texts: Sequence[str], answers: Sequence[Prediction], labels: Sequence[str]) -> Table:
    table = Table("text", "label", *labels, "polarity")
    for text, answer in zip(texts, answers, strict=True):
        scores = [f"{score:.1%}" for score in answer.scores.values()]
        polarity = "-" if answer.polarity is None else f"{answer.polarity:+.2f}"
        label = f"{answer.label}, not sure" if answer.confident is False else answer.label
        table.add_row(Text(text), label, *scores, polarity)
    return table


def _explanation(answer: Prediction, labels: Sequence[str]) -> Table:
    table = Table("token", *labels, title="What each token adds to each logit")
    for token, row in zip(answer.tokens, _contributions(answer), strict=True):
        table.add_row(Text(token.text, style="" if token.known else "dim"), *(f"{value:+.3f}" for value in row))
    return table


def _contributions(answer: Prediction) -> Iterator[list[float]]:
    if answer.contributions is not None:
        yield from answer.contributions.tolist()


def _as_json(answer: Prediction, labels: Sequence[str]) -> dict[str, Any]:
    result: dict[str, Any] = {
        "label": answer.label,
        "score": answer.score,
        "confident": answer.confident,
        "scores": answer.scores,
        "polarity": answer.polarity,
        "token_count": answer.token_count,
        "unknown_count": answer.unknown_count,
        "truncated": answer.truncated,
    }
    if answer.contributions is not None:
        result["tokens"] = [
            {**token._asdict(), "contributions": dict(zip(labels, row, strict=True))}
            for token, row in zip(answer.tokens, _contributions(answer), strict=True)
        ]
    return result
