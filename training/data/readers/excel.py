"""Rows of the first sheet of an Excel workbook, read as they come."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from training.data.examples import DataError, SkippedRows
from training.data.readers.files import open_seekable
from training.data.readers.rows import Row, require_columns


def read_excel(path: Path, *, text_column: str, label_column: str, bad_rows: SkippedRows) -> Iterator[Row]:  # noqa: ARG001
    """Rows with their numbers in the sheet; the first row that is not empty names the columns.

    A formula gives the value that the workbook was saved with. Dates and times are read as text. Empty rows are left
    out.

    Raises:
        DataError: openpyxl is not installed, the file is not such a workbook, or a column is missing.
    """
    with open_seekable(path) as file, _workbook(path, file) as workbook:
        rows = enumerate(workbook.worksheets[0].iter_rows(values_only=True), start=1)
        header = next((values for _, values in rows if any(value is not None for value in values)), ())
        names = ["" if value is None else str(value) for value in header]
        require_columns(path, names, text_column=text_column, label_column=label_column)
        text_position, label_position = names.index(text_column), names.index(label_column)
        for number, values in rows:
            if any(value is not None for value in values):
                cells = [str(value) if isinstance(value, date | time) else value for value in values]
                cells += [None] * (len(names) - len(cells))
                yield Row(line=number, text=cells[text_position], label=cells[label_position])


@contextmanager
def _workbook(path: Path, file: Any) -> Iterator[Any]:  # noqa: ANN401 - openpyxl has no types
    try:
        from openpyxl import load_workbook  # noqa: PLC0415 - an extra
        from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415
    except ImportError as error:
        raise DataError(
            path,
            None,
            problem="reading an Excel file needs openpyxl, which is not installed.",
            fix="Run: pip install 'sentiment-encoder[excel]', or save the sheet as CSV UTF-8.",
        ) from error
    workbook = None
    try:
        workbook = load_workbook(file, read_only=True, data_only=True)
        yield workbook
    except (BadZipFile, InvalidFileException, KeyError, ParseError, zlib.error) as error:
        raise DataError(
            path,
            None,
            problem=f"it cannot be read as an Excel workbook ({error}).",
            fix="Save it as .xlsx, or as CSV UTF-8.",
        ) from error
    finally:
        if workbook is not None:
            workbook.close()
