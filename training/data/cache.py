"""A cache of folders named by a fingerprint of their content's sources, safe for concurrent jobs."""

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from model_store.hashing import file_sha256
from training.data.examples import DataError

_Loaded = TypeVar("_Loaded")

_log = logging.getLogger(__name__)

_SEAL = "entry.json"  # written last, holds every other file's SHA-256
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


def default_folder() -> Path:
    """``sentiment-encoder`` in the user's cache folder of the XDG Base Directory Specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sentiment-encoder"


def cached(
    folder: Path | None,
    *,
    kind: str,
    fingerprint: Mapping[str, object],
    build: Callable[[Path], object],
    load: Callable[[Path], _Loaded],
) -> _Loaded:
    """Load a cache entry; build it first if it is missing or damaged.

    Entries appear by a rename, under a lock that the system releases when its holder dies. A killed job therefore
    leaves no half entry and blocks no other job. Of two jobs that start together one builds and both load.

    Args:
        folder: the cache; None stores nothing, but what ``load`` has mapped to memory stays readable.
        kind: begins the entry's name.
        fingerprint: everything that changes the result, in JSON types.
        build: fills an empty folder.
        load: reads a filled one, and leaves it as it is.

    Raises:
        DataError: the cache cannot be written.
    """
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="sentiment-encoder-") as temporary, _write_errors(Path(temporary)):
            build(Path(temporary))
            return load(Path(temporary))
    entry = folder / f"{kind}-{_hash_of(fingerprint)}"
    if not _is_whole(entry):
        with _write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with _locked(entry):
                _build_where_needed(entry, fingerprint, build)
    return load(entry)


@contextmanager
def _locked(entry: Path) -> Iterator[None]:
    lock = FileLock(entry.with_name(f"{entry.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("Another job is preparing the same data; waiting until it is done.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _build_where_needed(entry: Path, fingerprint: Mapping[str, object], build: Callable[[Path], object]) -> None:
    """Build the entry; the caller holds its lock."""
    if _is_whole(entry):  # by the job that had the lock before
        return
    partial = entry.with_name(f".{entry.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a job that was killed
    partial.mkdir()
    try:
        build(partial)
        files = {path.name: file_sha256(path) for path in sorted(partial.iterdir())}
        seal = {"fingerprint": fingerprint, "files": files}
        (partial / _SEAL).write_text(json.dumps(seal, indent=1, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)  # damaged, or it would have been used
        partial.rename(entry)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _is_whole(entry: Path) -> bool:
    """Whether all files are as they were written; a full disk or a power cut can damage them."""
    try:
        seal = json.loads((entry / _SEAL).read_text(encoding="utf-8"))
        return all(file_sha256(entry / name) == expected for name, expected in seal["files"].items())
    except (OSError, ValueError, TypeError, LookupError, AttributeError):  # missing, or damaged in any way
        return False


def _hash_of(fingerprint: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()[:32]


@contextmanager
def _write_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        elsewhere = error.filename is not None and not Path(error.filename).is_relative_to(folder)
        if error.errno not in _UNWRITABLE or elsewhere:
            raise
        raise DataError(
            folder,
            None,
            problem=f"prepared data cannot be written there ({error.strerror}).",
            fix="Make room, or name another folder: with --data.cache_folder, or with TMPDIR where --data.cache=false.",
        ) from error
