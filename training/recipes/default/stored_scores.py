"""The teachers' scores as they come with the source: one byte per label, so that students can be trained without them.

The first teacher takes minutes on a GPU and days on a CPU. All scores are 5 MB. They belong to exact texts in an exact
order, which a hash identifies: other texts are scored by a teacher again.
"""

import json
import lzma
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model_store.atomic_write import atomic_write, write_json
from training.distillation.scorers import LogProbabilities
from training.distillation.scoring import hash_texts, write_scores
from training.distillation.texts import Text

FOLDER = Path(__file__).parent / "scores"

LOWEST = -7.0
"""Log-probability of the largest code: a little below the lowest that a teacher's scores have."""

CODES = 254
"""Steps between 0 and ``LOWEST``: half of one is 0.014, far below what the scores of two teachers differ by."""


def encode(scores: LogProbabilities) -> bytes:
    """(texts, labels) log-probabilities as compressed bytes, one per number."""
    codes = np.round(scores / LOWEST * CODES).clip(0, CODES).astype(np.uint8)
    return lzma.compress(codes.tobytes())


def decode(content: bytes, *, labels: int) -> LogProbabilities:
    """(texts, labels) log-probabilities from ``encode``'s bytes."""
    codes = np.frombuffer(lzma.decompress(content), dtype=np.uint8).reshape(-1, labels)
    return (codes * np.float32(LOWEST / CODES)).astype(np.float32)


def store(
    texts: Sequence[Text], scores: LogProbabilities, labels: Sequence[str], *, teacher: str, name: str, folder: Path
) -> None:
    """Write the scores that a teacher gave a file of texts, and its entry in the index."""
    index = read_index(folder)
    index[name] = {"texts": hash_texts(texts), "labels": list(labels), "teacher": teacher}
    atomic_write(folder / f"{name}.u8.xz", encode(scores))
    write_json(folder / "index.json", index)


def read_index(folder: Path) -> dict[str, dict[str, object]]:
    """Hash of the texts, labels and teacher of every stored file; empty if nothing is stored."""
    path = folder / "index.json"
    index: dict[str, dict[str, object]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return index


def restore(texts: Sequence[Text], *, name: str, to: Path, folder: Path = FOLDER) -> bool:
    """Write the stored scores of these texts to ``to``; return whether there are scores of exactly these texts."""
    entry = read_index(folder).get(name)
    if entry is None or entry["texts"] != hash_texts(texts):
        return False
    labels = [str(label) for label in entry["labels"]]  # type: ignore[attr-defined]
    scores = decode((folder / f"{name}.u8.xz").read_bytes(), labels=len(labels))
    to.parent.mkdir(parents=True, exist_ok=True)
    write_scores(texts, scores, labels, to=to, teachers=f"{entry['teacher']}; scores stored in 8 bits")
    return True
