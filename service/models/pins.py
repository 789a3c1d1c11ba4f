"""Which bundle each worker serves under each name: one small file, which the supervisor and every worker may change.

A model may change while the service runs, and a worker that is started later must serve what the others serve.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from model_store.atomic_write import atomic_write
from service.models.references import VerifiedBundle

VARIABLE = "_SENTIMENT_PINS"
"""The environment variable in which the supervisor names the file to its workers."""


class Pin(BaseModel):
    """The bundle to serve under a name. Without a path the model is unloaded."""

    path: Path | None
    sha256: str


Pins = Mapping[str, Pin]
_PINS = TypeAdapter(dict[str, Pin])


def pinned(bundles: Mapping[str, VerifiedBundle]) -> Pins:
    """The pins of verified bundles."""
    return {name: Pin(path=verified.path, sha256=verified.sha256) for name, verified in bundles.items()}


class PinFile:
    """The file. It is replaced as a whole, by one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def in_folder(cls, folder: Path) -> "PinFile":
        """The file in a folder, which no other user can enter."""
        return cls(folder / "models.json")

    @classmethod
    def of_supervisor(cls) -> "PinFile | None":
        """The file that this worker's supervisor has made; None without a supervisor."""
        path = os.environ.get(VARIABLE)
        return cls(Path(path)) if path else None

    def announce(self) -> None:
        """Name the file to the workers that this process will start."""
        os.environ[VARIABLE] = str(self._path)

    def read(self) -> Pins:
        """The pins in force."""
        return _PINS.validate_json(self._path.read_bytes())

    def state(self) -> int:
        """A number that differs once the file has been replaced."""
        return self._path.stat().st_mtime_ns

    def write(self, pins: Pins) -> None:
        """Replace all pins."""
        atomic_write(self._path, _PINS.dump_json(dict(pins)))

    def pin(self, name: str, pin: Pin) -> None:
        """Replace one pin; other processes wait meanwhile."""
        with self._locked():
            self.write({**self.read(), name: pin})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
