"""Scorers: a trained model, checkpoint or bundle, as a function from texts to probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch.nn.utils.rnn import pack_sequence

from model_store import SentimentModel
from model_store.decision import decision_of
from model_store.hashing import file_sha256
from model_store.progress import Progress
from training.data import tokenization
from training.evaluation.label_sets import LabelSets, Thresholds, Truth, outcomes_of
from training.evaluation.label_thresholds import DEFAULT_THRESHOLD
from training.evaluation.metrics import Outcomes, Scores
from training.evaluation.polarity import default_polarities
from training.evaluation.predictions import bundle_logits
from training.fit.checkpoint import Checkpoint, load_checkpoint
from training.fit.task import SentimentTask

BATCH_SIZE = 64


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model to measure.

    Attributes:
        labels: in the order of the scores.
        polarities: each label's polarity, or None.
        score: texts to scores.
        thresholds: of the labels if it gives a text any number of them, else None.
        identity: description of the model for reports, in plain JSON types.
        reading: how its training run read labeled files, by option; empty for a bundle.
    """

    labels: list[str]
    polarities: list[float | None]
    score: Callable[[Sequence[str]], Scores]
    thresholds: Thresholds | None
    identity: dict[str, Any]
    reading: dict[str, Any]

    def outcomes(self, scores: Scores, true: Truth) -> Outcomes | LabelSets:
        """What the model makes of its scores, beside the true labels."""
        return outcomes_of(scores, true, thresholds=self.thresholds, polarities=self.polarities)


def load_scorer(name: str) -> Scorer:
    """Load a checkpoint if ``name`` is a file, otherwise a bundle; ``default`` is the bundle that ships.

    Raises:
        CheckpointError: the file is not a checkpoint of this project.
        BundleError: the folder is missing, damaged or not a bundle.
    """
    path = Path(name)
    if path.is_file() or path.suffix == ".ckpt":
        return _of_checkpoint(path, load_checkpoint(path))
    return _of_bundle(name, SentimentModel.load(name, threads=torch.get_num_threads()))


def checkpoint_scores(task: SentimentTask, texts: Sequence[str], *, max_tokens: int) -> Scores:
    """The torch network's probabilities, before any calibration."""
    pipeline = Tokenizer.from_str(task.tokenizer_json)
    encoded = list(tokenization.encode_all(pipeline, texts, max_tokens=max_tokens))
    scores = np.full((len(texts), len(task.labels)), np.nan)
    by_length = sorted((row for row, ids in enumerate(encoded) if ids), key=lambda row: len(encoded[row]))
    batches = [by_length[start : start + BATCH_SIZE] for start in range(0, len(by_length), BATCH_SIZE)]
    with torch.inference_mode(), Progress("Measuring", total=len(by_length)) as progress:
        for rows in batches:
            packed = pack_sequence([torch.tensor(encoded[row]) for row in rows], enforce_sorted=False)
            scores[rows] = task.objective.scores(task(packed).double()).numpy()
            progress.advance(len(rows))
    return scores


def bundle_scores(model: SentimentModel, texts: Sequence[str]) -> Scores:
    """The bundle's own calibrated answers."""
    logits = bundle_logits(model.runner, texts, labels=len(model.manifest.labels))
    return decision_of(model.manifest).scores(logits)


def _of_checkpoint(path: Path, loaded: Checkpoint) -> Scorer:
    options = loaded.data_options
    return Scorer(
        labels=list(loaded.task.labels),
        polarities=list(default_polarities(loaded.task.labels).values()),
        score=lambda texts: checkpoint_scores(loaded.task, texts, max_tokens=options["max_tokens"]),
        thresholds=np.full(len(loaded.task.labels), DEFAULT_THRESHOLD) if loaded.task.multi_label else None,
        identity={"kind": "checkpoint", "path": str(path), "sha256": file_sha256(path), "temperature": None},
        reading=options,
    )


def _of_bundle(name: str, model: SentimentModel) -> Scorer:
    manifest = model.manifest
    return Scorer(
        labels=list(manifest.label_names),
        polarities=[label.polarity for label in manifest.labels],
        score=lambda texts: bundle_scores(model, texts),
        thresholds=decision_of(manifest).thresholds,
        identity={
            "kind": "bundle",
            "path": name,
            "name": manifest.name,
            "version": manifest.version,
            "sha256": model.sha256,
            "temperature": manifest.calibration.temperature,
        },
        reading={},
    )
