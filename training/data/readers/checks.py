"""Checks of rows: a usable row has a text that is not empty and a known label; any other is an error that says why."""

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from model_store.listing import listed
from model_store.table import LABEL_SEPARATOR
from training.data.examples import DataError, Example, Unit
from training.data.readers.html import read_html
from training.data.readers.penn_treebank import join_tokens
from training.data.readers.rows import Row, row_error

_LABELS_REMEMBERED = 12  # for the message about a label that is missing
_WHOLE_NUMBER = re.compile(r"([+-]?\d+)\.0+")


@dataclass(kw_only=True)
class RowChecker:
    """Turns the rows of one file into examples.

    Attributes:
        label_from: the place of the label in the file, for messages.
        ptb_tokens: whether texts are Penn Treebank tokens, to be joined.
        html: whether texts hold HTML, to be read as what it stands for.
        label_separator: between the labels of a text that may have any number; None if each text has one.
        found: the first few different labels of the file, unmapped.
    """

    path: Path
    label_from: str
    unit: Unit
    ptb_tokens: bool
    html: bool
    label_separator: str | None = None
    label_map: Mapping[str, str | None] | None
    allowed_labels: Collection[str] | None
    found: set[str] = field(default_factory=set)

    def example(self, row: Row) -> Example | None:
        """The row's example, or None if the label map leaves its label out.

        Raises:
            DataError: the row cannot be used.
        """
        if self.label_separator is not None:
            return self._with_labels(row, self.label_separator)
        if row.label is None and self.allowed_labels is None and _is_taught(row):
            return Example(text=self._text(row), label="", line=row.line, teacher=self._taught(row))
        label = self._known(row)
        if label is None:
            return None
        return Example(text=self._text(row), label=label, line=row.line, teacher=self._taught(row))

    def _with_labels(self, row: Row, separator: str) -> Example:
        """The example of a row with any number of labels: a list, or one field with separators."""
        if row.teacher is not None:
            raise self._error(
                row.line, problem="a teacher's scores are of one label a text.", fix="Leave --multi_label out."
            )
        written = row.label if isinstance(row.label, list | tuple) else [row.label]
        each = [part for label in written for part in (label.split(separator) if isinstance(label, str) else [label])]
        known = [self._known(replace(row, label=part)) for part in each if not _is_blank(part)]
        labels = tuple(sorted({label for label in known if label is not None}))
        return Example(text=self._text(row), label=LABEL_SEPARATOR.join(labels), line=row.line, labels=labels)

    def _known(self, row: Row) -> str | None:
        """The row's label under its name in the map; None if the map leaves it out."""
        label = self._mapped(self._label(row), row.line)
        if label is not None and self.allowed_labels is not None and label not in self.allowed_labels:
            raise self._error(
                row.line,
                problem=f'the label "{label}" was not in the training data.',
                fix=f"Known labels: {listed(sorted(self.allowed_labels))}.",
            )
        return label

    def _label(self, row: Row) -> str:
        match row.label:
            case None:
                raise self._no_label(row.line, "the label is missing.")
            case bool(value):
                label = str(value).lower()  # as JSON writes it
            case float(value) if math.isnan(value):  # how pandas writes a missing label
                raise self._no_label(row.line, "the label is missing.")
            case str() | int() | float():
                label = str(row.label).strip()
            case list() | tuple():
                raise self._no_label(row.line, "the label is a list; if a text has any number, pass --multi_label.")
            case other:
                raise self._no_label(row.line, f"the label is neither text nor a number but {type(other).__name__}.")
        if not label:
            raise self._no_label(row.line, "the label is empty.")
        if len(self.found) < _LABELS_REMEMBERED:
            self.found.add(label)
        return label

    def _mapped(self, label: str, line: int) -> str | None:
        label = self._as_whole_number(label)
        if self.label_map is None:
            return label
        if label not in self.label_map:
            if label in self.label_map.values() or label in (self.allowed_labels or ()):
                return label  # it needs no other name: files that label otherwise share one map
            raise self._error(
                line,
                problem=f'the label "{label}" is not in the label map.',
                fix=f"The map knows: {listed(sorted(self.label_map))}. Add the label with --label_map.",
            )
        return self.label_map[label]

    def _as_whole_number(self, label: str) -> str:
        """The label 4.0 as 4, which is how a table with a missing label writes whole numbers; but not a known 4.0."""
        number = _WHOLE_NUMBER.fullmatch(label)
        is_known = label in (self.label_map or ()) or label in (self.allowed_labels or ())
        return number[1] if number and not is_known else label

    def _taught(self, row: Row) -> dict[str, float] | None:
        """The teacher's scores by mapped label: where labels become one their probabilities add up."""
        if row.teacher is None:
            return None
        merged: dict[str, float] = {}
        for label, score in row.teacher.items():
            mapped = label if self.label_map is None else self.label_map.get(label, label)
            if mapped is not None:
                merged[mapped] = float(np.logaddexp(merged[mapped], score)) if mapped in merged else score
        return merged

    def _text(self, row: Row) -> str:
        if row.text is None:
            raise self._error(row.line, problem="the text is missing.", fix="Every row needs a text.")
        if not isinstance(row.text, str):
            found = type(row.text).__name__
            raise self._error(row.line, problem=f"the text is not a string but {found}.", fix="Write texts as strings.")
        if not row.text.strip():
            raise self._error(row.line, problem="the text is empty.", fix="Every row needs a text.")
        try:
            row.text.encode()
        except UnicodeEncodeError as error:
            raise self._error(
                row.line,
                problem=f"character {error.start + 1:,} of the text is half of a surrogate pair.",
                fix="Write such characters whole.",
            ) from error
        text = read_html(row.text) if self.html else row.text
        if not text.strip():
            raise self._error(row.line, problem="the text is empty but for HTML.", fix="Every row needs a text.")
        return join_tokens(text.split()) if self.ptb_tokens else text

    def _no_label(self, line: int, problem: str) -> DataError:
        found = f" (found so far: {listed(sorted(self.found))})" if self.found else ""
        return self._error(line, problem=problem, fix=f"Every row needs a label {self.label_from}{found}.")

    def _error(self, line: int, *, problem: str, fix: str) -> DataError:
        return row_error(self.path, line, problem=problem, fix=fix, unit=self.unit)


def _is_blank(label: object) -> bool:
    return label is None or label != label or (isinstance(label, str) and not label.strip())  # noqa: PLR0124 - NaN


def _is_taught(row: Row) -> bool:
    return row.teacher is not None and not any(math.isnan(score) for score in row.teacher.values())
