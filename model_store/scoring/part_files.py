"""The folder beside an output in which finished parts wait until all are there, and how they become the output."""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from model_store.atomic_write import atomic_path, write_json
from model_store.scoring.records import ScoreError

JOB = "job.json"
LOCK = "lock"


@dataclass(frozen=True)
class PartFiles:
    """Names of the files of an output and of its parts.

    Attributes:
        output: the file that is written at the end.
    """

    output: Path

    @property
    def folder(self) -> Path:
        """Where finished parts are."""
        return self.output.with_name(f"{self.output.name}.parts")

    @property
    def all_bad(self) -> Path:
        """The side file with the rows that have no answer."""
        return self.output.with_name(f"{self.output.name}.bad.jsonl")

    @property
    def all_vectors(self) -> Path:
        """The NumPy file of vectors."""
        return self.output.with_name(f"{self.output.name}.npy")

    def rows(self, number: int) -> Path:
        """A part's answers; there once the part is finished."""
        return self.folder / f"{number:06}{self.output.suffix}"

    def bad(self, number: int) -> Path:
        """A part's rows without an answer; absent if all have one."""
        return self.folder / f"{number:06}.bad"

    def vectors(self, number: int) -> Path:
        """A part's vectors: float16, little-endian, row by row."""
        return self.folder / f"{number:06}.vectors"


@contextmanager
def part_folder(files: PartFiles, job: Mapping[str, object], *, overwrite: bool) -> Iterator[None]:
    """Hold the folder of parts for one job, new or begun before.

    Raises:
        ScoreError: the output is there already, the parts belong to another job, or another process writes them.
    """
    if not overwrite and files.output.exists() and not (files.folder / JOB).exists():
        message = f"{files.output} is there already. Pass --overwrite to write it anew, or give another name with --to."
        raise ScoreError(message)
    files.folder.mkdir(parents=True, exist_ok=True)
    with (files.folder / LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = (
                f"{files.output} is being written by another process. Wait for it, or give another name with --to."
            )
            raise ScoreError(message) from None
        if overwrite:
            _remove_parts(files)
        _check_job(files, job)
        write_json(files.folder / JOB, job)
        try:
            yield
        except BaseException:
            if not any(files.folder.glob(f"[0-9]*{files.output.suffix}")):  # nothing is lost
                shutil.rmtree(files.folder)
            raise
        _remove_parts(files)
        shutil.rmtree(files.folder)


def _check_job(files: PartFiles, job: Mapping[str, object]) -> None:
    path = files.folder / JOB
    if not path.exists():
        return
    try:
        begun = json.loads(path.read_bytes())
    except ValueError:
        begun = {}
    if different := [name for name in job if begun.get(name) != job[name]]:
        message = (
            f"{files.folder} holds parts of another job, which differs in: {', '.join(different)}. "
            "Run that job again to finish it, or pass --overwrite to drop its parts."
        )
        raise ScoreError(message)


def join_text(files: PartFiles, count: int, *, header: bytes) -> None:
    """Make the output of a header and the parts' lines."""
    with atomic_path(files.output) as path, path.open("wb") as output:
        output.write(header)
        _append(output, (files.rows(number) for number in range(count)))


def join_bad(files: PartFiles, count: int) -> int:
    """Make the side file, or remove an older one if every row has an answer; the number of rows in it."""
    paths = [path for number in range(count) if (path := files.bad(number)).exists()]
    if not paths:
        files.all_bad.unlink(missing_ok=True)
        return 0
    with atomic_path(files.all_bad) as path, path.open("wb") as output:
        _append(output, iter(paths))
    with files.all_bad.open("rb") as lines:
        return sum(1 for _ in lines)


def join_vectors(files: PartFiles, count: int, *, width: int) -> None:
    """Make the NumPy file: float16, (vectors, width)."""
    paths = [files.vectors(number) for number in range(count)]
    dtype = np.dtype("<f2")
    size = sum(path.stat().st_size for path in paths)
    header = {"descr": "<f2", "fortran_order": False, "shape": (size // (dtype.itemsize * width), width)}
    with atomic_path(files.all_vectors) as path, path.open("wb") as output:
        np.lib.format.write_array_header_1_0(output, header)
        _append(output, iter(paths))


def _remove_parts(files: PartFiles) -> None:
    """Remove the parts; what names the job goes last, so that a run that is killed here can be repeated."""
    for path in files.folder.iterdir():
        if path.name not in {JOB, LOCK}:
            path.unlink()
    (files.folder / JOB).unlink(missing_ok=True)


def _append(output: BinaryIO, paths: Iterator[Path]) -> None:
    for path in paths:
        with path.open("rb") as part:
            shutil.copyfileobj(part, output)
