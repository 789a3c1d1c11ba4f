"""Answers as a flat table: one row a text, one plain value a cell, for data frames, CSV files and SQL."""

from collections.abc import Iterable, Sequence
from typing import Final

from model_store.errors import TextError
from model_store.manifest import Manifest
from model_store.results import Prediction

Cell = str | float | int | bool | None

ONE_LABEL: Final[dict[str, type]] = {
    "label": str,
    "score": float,
    "scores": float,
    "confident": bool,
    "reasons": str,
    "polarity": float,
}
"""The columns of ``Prediction.answer``. Instead of ``scores`` there is a column ``score_LABEL`` for each label."""

SEVERAL_LABELS: Final[dict[str, type]] = {"labels": str, "scores": float}
"""The same for a multi-label model."""

OF_THE_TEXT: Final[dict[str, type]] = {"token_count": int, "unknown_count": int, "truncated": bool}

LABEL_SEPARATOR: Final = "|"
"""Between the labels of a text in one cell, here and in labeled files."""

SENTENCES: Final = "sentences"
"""The column, where it is asked for, with a list of the text's sentences: records of ``sentence_types``."""


ERROR: Final = "error"
"""The column with the reason why a text has no answer."""


def column_types(manifest: Manifest, *, prefix: str = "") -> dict[str, type]:
    """The columns of a model's answers, in order, and the type of their cells, any of which may be None."""
    return _column_types(manifest.label_names, prefix=prefix, multi_label=manifest.multi_label is not None)


def _column_types(labels: Sequence[str], *, prefix: str, multi_label: bool) -> dict[str, type]:
    types = {**(SEVERAL_LABELS if multi_label else ONE_LABEL), **OF_THE_TEXT}
    scores = [f"score_{label}" for label in labels]
    return {prefix + each: kind for name, kind in types.items() for each in (scores if name == "scores" else [name])}


def cells(prediction: Prediction) -> list[Cell]:
    """The cells of an answer, in the order of ``column_types``; labels are joined by ``|`` and reasons by commas."""
    answer = prediction.answer() | {
        "labels": LABEL_SEPARATOR.join(prediction.labels),
        "reasons": ",".join(prediction.reasons),
    }
    names = SEVERAL_LABELS if prediction.multi_label else ONE_LABEL
    shown = [list(answer[name].values()) if name == "scores" else [answer[name]] for name in names]
    counts = [prediction.token_count, prediction.unknown_count, prediction.truncated]
    return [cell for group in (*shown, counts) for cell in group]


def sentence_types(manifest: Manifest) -> dict[str, type]:
    """The fields of a sentence, in order: the text, its place in the whole text in characters, and its answer."""
    answer = {name: kind for name, kind in column_types(manifest).items() if name not in OF_THE_TEXT}
    return {"text": str, "start": int, "end": int, **answer}


def sentence_records(prediction: Prediction) -> list[dict[str, Cell]]:
    """The sentences of an answer, which were asked for, each with the fields of ``sentence_types``."""
    names = list(_column_types(list(prediction.scores), prefix="", multi_label=prediction.multi_label))
    records: list[dict[str, Cell]] = []
    for sentence in prediction.sentences or ():
        start, end = int(sentence.text.starts[0]), int(sentence.text.ends[-1])
        answer = zip(names, cells(sentence), strict=True)
        records.append(
            {
                "text": sentence.text.text[start:end],
                "start": start,
                "end": end,
                **{name: cell for name, cell in answer if name not in OF_THE_TEXT},
            }
        )
    return records


def rows(
    answers: Iterable[Prediction | TextError], manifest: Manifest | None = None, *, prefix: str = ""
) -> list[dict[str, Cell]]:
    """The answers as a list of dictionaries, such as ``pandas.DataFrame`` takes.

    The last column is ``error``: None, or why the text has no answer; its other cells are None then.

    Args:
        answers: from ``predict`` or ``stream``.
        manifest: the model's, ``model.manifest``; by default the first answer decides on the columns.
        prefix: put before the name of every column.
    """
    table = columns(answers, manifest, prefix=prefix)
    return [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]


def columns(
    answers: Iterable[Prediction | TextError], manifest: Manifest | None = None, *, prefix: str = ""
) -> dict[str, list[Cell]]:
    """The same as a dictionary of columns, such as ``polars.DataFrame`` and ``pyarrow.table`` take."""
    if manifest is None:
        answers = list(answers)
        first = next((answer for answer in answers if isinstance(answer, Prediction)), None)
        labels, multi_label = ([], False) if first is None else (list(first.scores), first.multi_label)
        types = _column_types(labels, prefix=prefix, multi_label=multi_label)
    else:
        types = column_types(manifest, prefix=prefix)
    table: dict[str, list[Cell]] = {name: [] for name in [*types, prefix + ERROR]}
    for answer in answers:
        for column, cell in zip(table.values(), _cells_or_error(answer, len(table)), strict=True):
            column.append(cell)
    return table


def _cells_or_error(answer: Prediction | TextError, size: int) -> list[Cell]:
    if isinstance(answer, Prediction):
        return [*cells(answer), None]
    return [*[None] * (size - 1), answer.message]
