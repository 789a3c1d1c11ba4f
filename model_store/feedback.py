"""What people say of answers: the right labels, in one SQLite file that the service appends to and training reads."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

BUSY_SECONDS = 5.0
"""How long a worker waits for another one that writes."""

DROPPED_SHARE = 0.1
"""Of the entries, the oldest, when the file is full."""

TABLE = """\
CREATE TABLE IF NOT EXISTS feedback (
  id INTEGER PRIMARY KEY,
  time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  request_id TEXT NOT NULL,
  text_index INTEGER NOT NULL,
  model TEXT NOT NULL,
  labels TEXT NOT NULL,
  text TEXT
)"""


@dataclass(frozen=True, slots=True)
class Feedback:
    """The right labels of one text.

    Attributes:
        request_id: of the request in which the text was answered.
        index: the text's position there.
        model: what answered, name:version.
        labels: the right ones; one, but for a multi-label model.
        text: None if texts are not kept.
    """

    request_id: str
    index: int
    model: str
    labels: tuple[str, ...]
    text: str | None = None


class FeedbackStore:
    """Appends to the file. Several processes may; each call is written whole or not at all.

    Args:
        path: the file, which is made if it is missing.
        max_bytes: beyond this size the oldest entries make room.

    Raises:
        OSError: the file cannot be opened or is something else.
    """

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        with closing(self._open()) as connection, connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(TABLE)

    def append(self, entries: Sequence[Feedback]) -> None:
        """Write entries; raises ``OSError`` if they cannot be, such as on a full disk."""
        rows = [(entry.request_id, entry.index, entry.model, json.dumps(entry.labels), entry.text) for entry in entries]
        try:
            with closing(self._open()) as connection, connection:
                self._make_room(connection)
                connection.executemany(
                    "INSERT INTO feedback (request_id, text_index, model, labels, text) VALUES (?, ?, ?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            message = f"{self._path}: {error}"
            raise OSError(message) from error

    def _open(self) -> sqlite3.Connection:
        try:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS)
            connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            message = f"{self._path}: {error}"
            raise OSError(message) from error
        return connection

    def _make_room(self, connection: sqlite3.Connection) -> None:
        (used,) = connection.execute(
            "SELECT (page_count - freelist_count) * page_size "
            "FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
        ).fetchone()
        if used > self._max_bytes:
            connection.execute(
                "DELETE FROM feedback WHERE id <= (SELECT min(id) + (max(id) - min(id)) * ? FROM feedback)",
                (DROPPED_SHARE,),
            )


def read_feedback(path: Path) -> Iterator[Feedback]:
    """The entries of a file in their order; of several about one text, the last.

    Raises:
        OSError: it is missing, or no such file.
    """
    if not path.is_file():
        message = f"{path}: there is no such file"
        raise OSError(message)
    query = (
        "SELECT request_id, text_index, model, labels, text FROM feedback "
        "WHERE id IN (SELECT max(id) FROM feedback GROUP BY request_id, text_index) ORDER BY id"
    )
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as connection:
            for request_id, index, model, labels, text in connection.execute(query):
                yield Feedback(request_id, index, model, tuple(json.loads(labels)), text)
    except sqlite3.Error as error:
        message = f"{path}: {error}"
        raise OSError(message) from error
