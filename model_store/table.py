"""Answers as a flat table: one row a text, one plain value a cell, for data frames, CSV files and SQL."""

from collections.abc import Iterable, Sequence
from typing import Final

from model_store.errors import TextError
from model_store.results import Prediction

Cell = str | float | int | bool | None

COLUMN_TYPES: Final[dict[str, type]] = {
    "label": str,
    "score": float,
    "confident": bool,
    "reasons": str,
    "polarity": float,
    "token_count": int,
    "unknown_count": int,
    "truncated": bool,
}
"""The columns that do not depend on the model's labels. For each label there is a column ``score_LABEL`` besides."""

SENTENCES: Final = "sentences"
"""The column, where it is asked for, with a list of the text's sentences: records of ``sentence_types``."""

OF_WHOLE_TEXTS: Final = {"token_count", "unknown_count", "truncated"}
"""The columns that sentences do not have."""

ERROR: Final = "error"
"""The column with the reason why a text has no answer."""


def column_types(labels: Sequence[str], *, prefix: str = "") -> dict[str, type]:
    """The columns of an answer, in order, and the type of their cells, any of which may be None."""
    fixed = list(COLUMN_TYPES.items())
    scores = [(f"score_{label}", float) for label in labels]
    return {prefix + name: kind for name, kind in [*fixed[:2], *scores, *fixed[2:]]}


def cells(prediction: Prediction) -> list[Cell]:
    """The cells of an answer, in the order of ``column_types``; ``reasons`` are joined by commas."""
    return [
        prediction.label,
        prediction.score,
        *prediction.scores.values(),
        prediction.confident,
        ",".join(prediction.reasons),
        prediction.polarity,
        prediction.token_count,
        prediction.unknown_count,
        prediction.truncated,
    ]


def sentence_types(labels: Sequence[str]) -> dict[str, type]:
    """The fields of a sentence, in order: the text, its place in the whole text in characters, and its answer."""
    answer = {name: kind for name, kind in column_types(labels).items() if name not in OF_WHOLE_TEXTS}
    return {"text": str, "start": int, "end": int, **answer}


def sentence_records(prediction: Prediction) -> list[dict[str, Cell]]:
    """The sentences of an answer, which were asked for, each with the fields of ``sentence_types``."""
    names = list(column_types(list(prediction.scores)))
    records: list[dict[str, Cell]] = []
    for sentence in prediction.sentences or ():
        start, end = int(sentence.text.starts[0]), int(sentence.text.ends[-1])
        answer = zip(names, cells(sentence), strict=True)
        records.append(
            {
                "text": sentence.text.text[start:end],
                "start": start,
                "end": end,
                **{name: cell for name, cell in answer if name not in OF_WHOLE_TEXTS},
            }
        )
    return records


def rows(
    answers: Iterable[Prediction | TextError], labels: Sequence[str] | None = None, *, prefix: str = ""
) -> list[dict[str, Cell]]:
    """The answers as a list of dictionaries, such as ``pandas.DataFrame`` takes.

    The last column is ``error``: None, or why the text has no answer; its other cells are None then.

    Args:
        answers: from ``predict`` or ``stream``.
        labels: the model's labels, ``model.manifest.label_names``; by default those of the first answer.
        prefix: put before the name of every column.
    """
    table = columns(answers, labels, prefix=prefix)
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def columns(
    answers: Iterable[Prediction | TextError], labels: Sequence[str] | None = None, *, prefix: str = ""
) -> dict[str, list[Cell]]:
    """The same as a dictionary of columns, such as ``polars.DataFrame`` and ``pyarrow.table`` take."""
    if labels is None:
        answers = list(answers)
        labels = next((list(answer.scores) for answer in answers if isinstance(answer, Prediction)), [])
    table: dict[str, list[Cell]] = {name: [] for name in [*column_types(labels, prefix=prefix), prefix + ERROR]}
    for answer in answers:
        for column, cell in zip(table.values(), _cells_or_error(answer, len(table)), strict=True):
            column.append(cell)
    return table


def _cells_or_error(answer: Prediction | TextError, size: int) -> list[Cell]:
    if isinstance(answer, Prediction):
        return [*cells(answer), None]
    return [*[None] * (size - 1), answer.message]
