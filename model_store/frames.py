"""Columns added to a data frame of whatever library; none of them is imported here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

Frame = TypeVar("Frame")

TAKEN = "the frame already has the columns {names}; pass prefix=... to name the new ones otherwise"


def add_columns(
    frame: Frame,
    answer: Callable[[Sequence[object]], Mapping[str, list[Any]]],
    *,
    column: str,
    types: Mapping[str, type],
) -> Frame:
    """A copy of the frame with the columns that ``answer`` makes of one of its columns.

    pandas and libraries like it have ``assign``, polars has ``hstack``, an Arrow table ``append_column``.

    Args:
        frame: is not changed.
        answer: from the texts to the new columns.
        column: the column of texts.
        types: the new columns' names and the types of their values.

    Raises:
        ValueError: the frame lacks the column, or already has one of the new ones.
        TypeError: the object is not such a frame.
    """
    library: Any = frame
    names = list(getattr(library, "column_names", getattr(library, "columns", [])))  # Arrow names them differently
    kind = next((name for name in ("hstack", "assign", "append_column") if hasattr(library, name)), None)
    if kind is None:
        message = (
            f"a frame of type {type(frame).__name__} cannot be scored; pass one of pandas or polars, or an Arrow "
            "table (of a lazy frame: what collect() returns)"
        )
        raise TypeError(message)
    if column not in names:
        message = f"the frame has no column {column!r} (columns found: {', '.join(map(str, names))})"
        raise ValueError(message)
    values = library[column]
    if taken := [name for name in types if name in names]:
        raise ValueError(TAKEN.format(names=", ".join(taken)))
    new = answer(values.to_pylist() if kind == "append_column" else values.to_list())
    joined: Frame = _joined(library, new, kind, types)
    return joined


def _joined(library: Any, new: Mapping[str, list[Any]], kind: str, types: Mapping[str, type]) -> Any:  # noqa: ANN401 - any library's frame
    if kind == "hstack":
        return library.hstack(type(library)(new, schema=types))
    if kind == "assign":
        return library.assign(**new)
    for name, values in new.items():
        library = library.append_column(name, [values])
    return library
