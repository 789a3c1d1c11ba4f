"""``python -m model_store``: show, check and run bundles, and the commands of ``registry_commands``."""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import click
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from model_store import bundle as bundles
from model_store import manifest_file
from model_store.card import model_card, summary
from model_store.drift import TooFewTextsError
from model_store.errors import BundleError, ModelError, TextError
from model_store.model import SentimentModel
from model_store.plain_console import plain_console
from model_store.reference_command import reference
from model_store.registry_commands import COMMANDS
from model_store.results import Prediction
from model_store.score_command import score
from model_store.scoring.records import ScoreError
from model_store.tags import TagError
from model_store.version import __version__

EXAMPLES = """\b
Examples:
  python -m model_store predict default "The movie was terribly exciting!"
  python -m model_store predict default --explain "Not bad at all."
  cat reviews.txt | python -m model_store predict my-model --json
  python -m model_store score reviews.csv --to scored.csv

  python -m model_store add my-model

BUNDLE is a bundle's folder, the tag of a stored one (name:version), "production" for the one promoted to it, or
"default" for the one that ships with the project.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


@click.group(epilog=EXAMPLES)
@click.version_option(__version__, message="%(version)s", help="Print the version of the software.")
def commands() -> None:
    """Look at a model bundle, verify it, upgrade it, store it, and label texts and files with it."""


for command in COMMANDS:
    commands.add_command(command)


@commands.command()
@click.argument("bundle")
@click.option("--card", "whole_card", is_flag=True, help="Print the whole model card instead.")
@as_json_option
def show(*, bundle: str, whole_card: bool, as_json: bool) -> None:
    """Print what a model is and how good it is: the most important lines of its card."""
    content = bundles.read(bundles.resolve(bundle))
    console = plain_console()
    if as_json:
        evaluation = content.evaluation.model_dump(mode="json")
        console.print_json(data={**json.loads(manifest_file.pack(content.manifest)), "evaluation": evaluation})
    elif whole_card:
        console.print(Markdown(model_card(content.manifest, content.evaluation)))
    else:
        size = sum(path.stat().st_size for path in content.path.iterdir() if path.is_file())
        console.print(Markdown(summary(content.manifest, content.evaluation, size=size)))
        console.print(
            f"Everything else: python -m model_store show {shlex.quote(bundle)} --card", style="dim", highlight=False
        )


@commands.command()
@click.argument("bundle")
@as_json_option
def verify(*, bundle: str, as_json: bool) -> None:
    """Check every file's hash and load the model."""
    model = SentimentModel.load(bundle)
    if as_json:
        sys.stdout.write(json.dumps({"sha256": model.sha256, "files": model.manifest.files}) + "\n")
        return
    table = Table("file", "SHA-256 in the manifest")
    for name, sha256 in model.manifest.files.items():
        table.add_row(name, sha256)
    console = plain_console()
    console.print(table)
    console.print(f"{model.manifest.name} {model.manifest.version} is whole and loads.")


@commands.command()
@click.argument("bundle")
@click.option(
    "--max_unknown_share",
    type=click.FloatRange(0, 1),
    help="Also set the share of unknown tokens, from 0 to 1, above which an answer is not confident.",
)
def upgrade(*, bundle: str, max_unknown_share: float | None) -> None:
    """Rewrite a bundle of format 1 or 2 in format 3.

    Graph and tokenizer stay byte for byte the same. If the bundle has an older format, its manifest changes, and with
    it the hash that identifies the model in answers (model.sha256).
    """
    content = bundles.read(bundles.resolve(bundle))
    calibration = content.manifest.calibration
    if max_unknown_share is not None:
        calibration = calibration.replace(max_unknown_share=max_unknown_share)
    bundles.rewrite(content, manifest=content.manifest.replace(calibration=calibration))
    written = bundles.read(content.path)
    version = written.manifest.format_version
    sys.stdout.write(f"Wrote {content.path} in format {version}; the model's SHA-256 is {written.sha256}.\n")


@commands.command()
@click.argument("bundle")
@click.argument("texts", nargs=-1)
@click.option("--explain", is_flag=True, help="Show what every token adds to every label.")
@as_json_option
def predict(*, bundle: str, texts: tuple[str, ...], explain: bool, as_json: bool) -> None:
    """Label TEXTS, or each line of standard input if there are none.

    Lines are UTF-8 and are answered one by one as they come. A line that cannot be answered, such as an empty one, gets
    an error in its place.
    """
    model = SentimentModel.load(bundle)
    if not texts:
        for answer in _answer_lines(model, sys.stdin.buffer, explain=explain, as_json=as_json):
            click.echo(answer)
        return
    predictions = model.predict(texts, explain=explain)
    if as_json:
        for text, prediction in zip(texts, predictions, strict=True):
            click.echo(_json_line(text, prediction))
        return
    console = plain_console()
    console.print(_table(texts, predictions, model.manifest.label_names))
    if explain:
        for prediction in predictions:
            console.print(_explanation(prediction))


commands.add_command(score)
commands.add_command(reference)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit code: 0, 1 with a plain message, or 2 for an invalid command line."""
    try:
        exit_code = commands.main(args=arguments, prog_name="python -m model_store", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (BundleError, ModelError, ScoreError, TagError, TextError, TooFewTextsError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return exit_code if isinstance(exit_code, int) else 0  # a command that was stopped gives its own


def _answer_lines(model: SentimentModel, stream: BinaryIO, *, explain: bool, as_json: bool) -> Iterator[str]:
    """The answer to each line, as soon as the line is there."""
    for line_number, line in enumerate(stream, start=1):
        content = line.removeprefix(BYTE_ORDER_MARK) if line_number == 1 else line
        text = None
        try:
            text = _decode(content.rstrip(b"\r\n"))
            (prediction,) = model.predict_tokenized([model.tokenize(text)], explain=explain)
        except TextError as error:
            problem = {"line": line_number, "text": text, "error": {"code": error.code, "message": error.message}}
            yield json.dumps(problem) if as_json else f"line {line_number}: {error.message}"
            continue
        if as_json:
            yield _json_line(text, prediction)
            continue
        yield _plain_line(text, prediction)
        if explain:
            with (console := plain_console()).capture() as capture:
                console.print(_explanation(prediction))
            yield capture.get()


def _decode(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        message = f"the line is not valid UTF-8 at byte {error.start + 1}"
        raise TextError("invalid_text", message) from None


def _table(texts: Sequence[str], predictions: Sequence[Prediction], labels: Sequence[str]) -> Table:
    table = Table("text", "label", *labels, "polarity")
    for text, prediction in zip(texts, predictions, strict=True):
        scores = [f"{score:.1%}" for score in prediction.scores.values()]
        table.add_row(Text(text), Text(_label(prediction)), *scores, _polarity(prediction))
    return table


def _plain_line(text: str, prediction: Prediction) -> str:
    scores = "  ".join(f"{label} {score:6.1%}" for label, score in prediction.scores.items())
    return f"{_label(prediction)}  {scores}  polarity {_polarity(prediction)}  {text}"


def _label(prediction: Prediction) -> str:
    """The labels, and if the answer is not confident, why."""
    labels = ", ".join(prediction.labels) or "none"
    if prediction.confident is not False:
        return labels
    return f"{labels}, not sure ({', '.join(prediction.reasons).replace('_', ' ')})"


def _polarity(prediction: Prediction) -> str:
    return "-" if prediction.polarity is None else f"{prediction.polarity:+.2f}"


def _explanation(prediction: Prediction) -> Table:
    table = Table("token", *prediction.scores, title="What each token adds to each logit")
    for token, row in zip(prediction.tokens, _contributions(prediction), strict=True):
        table.add_row(Text(token.text, style="" if token.known else "dim"), *(f"{value:+.3f}" for value in row))
    return table


def _contributions(prediction: Prediction) -> Iterator[list[float]]:
    if prediction.contributions is not None:
        yield from prediction.contributions.tolist()


def _json_line(text: str, prediction: Prediction) -> str:
    result: dict[str, Any] = {
        "text": text,
        **prediction.answer(),
        "token_count": prediction.token_count,
        "unknown_count": prediction.unknown_count,
        "truncated": prediction.truncated,
    }
    if prediction.contributions is not None:
        result["tokens"] = [
            {**token._asdict(), "contributions": dict(zip(prediction.scores, row, strict=True))}
            for token, row in zip(prediction.tokens, _contributions(prediction), strict=True)
        ]
    return json.dumps(result)
