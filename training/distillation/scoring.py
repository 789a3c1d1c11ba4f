"""Scoring of texts by a teacher into a Parquet file for training; in parts, so that a stopped run resumes."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from model_store.atomic_write import atomic_path
from model_store.progress import Progress
from training.data.readers.parquet import TEACHER
from training.distillation.scorers import LogProbabilities, TeacherScorer
from training.distillation.tables import write_table
from training.distillation.texts import Text

TEXTS_A_PART = 16_384
"""Texts per part: the most that is lost when scoring is stopped."""

_SETTINGS = "settings.json"


class ScoringError(ValueError):
    """Scores that cannot be written to their path; the message says why, and what to do."""


def score_texts(
    texts: Sequence[Text],
    scorer: TeacherScorer,
    *,
    to: Path,
    teachers: str,
    settings: Mapping[str, object] | None = None,
) -> None:
    """Write text, label and log-probabilities of every text to a Parquet file, whole or not at all.

    Until it is complete, finished parts are in a folder next to it, from which a stopped run resumes.

    Args:
        texts: what to score.
        scorer: who scores.
        to: the file.
        teachers: who scores, in words, for the file's own record.
        settings: whatever else decides the result, for that record too.

    Raises:
        ScoringError: the parts in that folder are of other texts, another scorer or other settings.
    """
    folder = to.with_name(f"{to.name}.parts")
    _begin(folder, {"scorer": scorer.identity, "texts": hash_texts(texts), **(settings or {})}, to=to)
    chunks = [texts[start : start + TEXTS_A_PART] for start in range(0, len(texts), TEXTS_A_PART)]
    present = sum(len(chunk) for index, chunk in enumerate(chunks) if (folder / f"{index:06}.parquet").is_file())
    with Progress("Scoring", total=len(texts), done=present) as progress:
        for index, chunk in enumerate(chunks):
            part = folder / f"{index:06}.parquet"
            if not part.is_file():
                write_table(part, _table(chunk, scorer.score([text.text for text in chunk]), scorer.labels))
                progress.advance(len(chunk))
    description = json.dumps({"teachers": teachers, **(settings or {})})
    _join([folder / f"{index:06}.parquet" for index in range(len(chunks))], to=to, description=description)
    shutil.rmtree(folder)


def agreement(path: Path) -> tuple[int, int]:
    """Of a file of scores, the texts whose label its teacher finds the likeliest, and those with a label it has.

    A teacher that was trained on these texts agrees more than it would on others.
    """
    labels, scores = read_scores(path)
    given = parquet.read_table(path, columns=["label"]).column("label").to_pylist()
    likeliest = [labels[number] for number in scores.argmax(axis=1)]
    pairs = [pair for pair in zip(given, likeliest, strict=True) if pair[0] in labels]
    return sum(label == said for label, said in pairs), len(pairs)


def read_scores(path: Path) -> tuple[list[str], LogProbabilities]:
    """The labels of a file of scores and its (texts, labels) log-probabilities, without the texts, most of the file."""
    columns = [name for name in parquet.read_schema(path).names if name.startswith(TEACHER)]
    table = parquet.read_table(path, columns=columns)
    scores = np.stack([table.column(name).to_numpy() for name in columns], axis=1)
    return [name.removeprefix(TEACHER) for name in columns], scores


def _begin(folder: Path, settings: Mapping[str, object], *, to: Path) -> None:
    """Make the folder of parts, or check that an existing one belongs to the same work."""
    path = folder / _SETTINGS
    expected = json.dumps(dict(settings), sort_keys=True, default=str)
    if path.is_file() and path.read_text(encoding="utf-8") != expected:
        message = (
            f"{folder}: contains parts of an earlier scoring with other texts, another teacher or other options.\n"
            f"Delete that folder to start again, or choose another file than {to}."
        )
        raise ScoringError(message)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(expected, encoding="utf-8")


def write_scores(
    texts: Sequence[Text], scores: LogProbabilities, labels: Sequence[str], *, to: Path, teachers: str
) -> None:
    """Write a file like that of ``score_texts`` from given (texts, labels) scores."""
    description = json.dumps({"teachers": teachers})
    write_table(to, _table(texts, scores, labels).replace_schema_metadata({"distillation": description}))


def hash_texts(texts: Sequence[Text]) -> str:
    """SHA-256 of texts, labels and groups in their order."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(json.dumps([text.text, text.label, text.group]).encode())
    return digest.hexdigest()


def _table(texts: Sequence[Text], scores: LogProbabilities, labels: Sequence[str]) -> pa.Table:
    shared = shared_scores(scores, texts)  # (texts, labels)
    return pa.table(
        {
            "text": pa.array([text.text for text in texts], pa.string()),
            "label": pa.array([text.label for text in texts], pa.string()),
            **{f"{TEACHER}{label}": shared[:, index] for index, label in enumerate(labels)},
        }
    )


def shared_scores(scores: LogProbabilities, texts: Sequence[Text]) -> LogProbabilities:
    """(texts, labels) scores in which every group of texts has the mean of its probabilities."""
    shared = scores.copy()
    rows = enumerate(texts)
    for group, members in groupby(rows, key=lambda row: row[1].group):
        if group is not None:
            indices = [index for index, _ in members]
            shared[indices] = np.log(np.exp(scores[indices].astype(np.float64)).mean(axis=0))
    return shared


def _join(parts: Sequence[Path], *, to: Path, description: str) -> None:
    schema = parquet.read_schema(parts[0]).with_metadata({"distillation": description})
    with atomic_path(to) as partial, parquet.ParquetWriter(partial, schema, compression="zstd") as writer:
        for part in parts:
            writer.write_table(parquet.read_table(part).replace_schema_metadata(schema.metadata))
