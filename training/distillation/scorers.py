"""Scorers for distillation: a transformer, n-grams, a model of this project, or an ensemble of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store.hashing import file_sha256
from model_store.softmax import softmax
from training.distillation import ngrams
from training.distillation.teacher import TeacherError, load_teacher
from training.evaluation.scorer import load_scorer

LogProbabilities = NDArray[np.float32]
"""(texts, labels), each row the logarithm of probabilities that sum to 1."""

SMALLEST = 1e-3
"""Lower bound of probabilities: the distance between logits would otherwise be decided by how sure a teacher is of
the obvious."""


@dataclass(frozen=True, slots=True)
class TeacherScorer:
    """A teacher as a function from texts to log-probabilities.

    Attributes:
        labels: in the order of the scores.
        identity: changes whenever the scores would.
        score: texts to log-probabilities.
    """

    labels: list[str]
    identity: str
    score: Callable[[Sequence[str]], LogProbabilities]


@dataclass(frozen=True, slots=True, kw_only=True)
class InferenceOptions:
    """Options of a Hugging Face teacher: ``max_tokens`` a text, ``tokens_per_batch`` at once, in bfloat16 or not."""

    max_tokens: int
    tokens_per_batch: int
    bfloat16: bool


def load_teacher_scorer(name: str, inference: InferenceOptions) -> TeacherScorer:
    """Load a bundle, checkpoint or n-gram classifier by that name, otherwise a Hugging Face classifier.

    Raises:
        TeacherError: it is none of these.
        BundleError: the bundle is damaged.
        CheckpointError: the checkpoint is damaged.
    """
    path = Path(name)
    if name == "default" or path.suffix == ".ckpt" or (path / "manifest.json").is_file():
        scorer = load_scorer(name)
        if scorer.thresholds is not None:
            message = f"{name} gives a text any number of labels, so it cannot be a teacher"
            raise TeacherError(message)
        return TeacherScorer(scorer.labels, scorer.identity["sha256"], lambda texts: logarithm(scorer.score(texts)))
    if path.suffix == ngrams.SUFFIX:
        classifier = ngrams.load_ngrams(path)
        return TeacherScorer(
            classifier.labels, file_sha256(path), lambda texts: logarithm(classifier.probabilities(texts))
        )
    teacher = load_teacher(name, max_tokens=inference.max_tokens)
    weights = path / "model.safetensors"
    identity = file_sha256(weights) if weights.is_file() else name
    return TeacherScorer(
        teacher.labels,
        f"{identity} {inference}",
        lambda texts: logarithm(
            softmax(teacher.logits(texts, tokens_per_batch=inference.tokens_per_batch, bfloat16=inference.bfloat16))
        ),
    )


def merge_labels(scorer: TeacherScorer, merge: Mapping[str, str]) -> TeacherScorer:
    """The scorer with some labels' probabilities added up, such as "very negative" and "negative" to "negative".

    Args:
        scorer: whose labels are merged.
        merge: from its labels to new ones; a label that is not named stays.

    Raises:
        TeacherError: ``merge`` names a label that the scorer does not have.
    """
    unknown = sorted(set(merge) - set(scorer.labels))
    if unknown:
        message = f"--merge names {', '.join(unknown)}, but the teacher's labels are {', '.join(scorer.labels)}"
        raise TeacherError(message)
    labels = list(dict.fromkeys(merge.get(label, label) for label in scorer.labels))
    identity = f"{scorer.identity} {dict(merge)}"

    def score(texts: Sequence[str]) -> LogProbabilities:
        return logarithm(merged(scorer.score(texts), scorer.labels, merge, into=labels))

    return TeacherScorer(labels, identity, score)


def merged(
    scores: LogProbabilities, labels: Sequence[str], merge: Mapping[str, str], *, into: Sequence[str]
) -> NDArray[np.float64]:
    """(texts, labels) probabilities of the labels ``into``, each the sum over the labels that become it."""
    sums = np.array([[merge.get(old, old) == new for new in into] for old in labels], dtype=np.float64)
    probabilities: NDArray[np.float64] = np.exp(scores) @ sums
    return probabilities


def ensemble(scorers: Sequence[TeacherScorer]) -> TeacherScorer:
    """The mean of several scorers' probabilities.

    Raises:
        TeacherError: their labels differ.
    """
    first = scorers[0]
    for other in scorers[1:]:
        if sorted(other.labels) != sorted(first.labels):
            message = (
                f"The teachers' labels differ: {', '.join(first.labels)}; {', '.join(other.labels)}.\n"
                'Make them one with --merge, such as {"very negative": negative}, or score with each separately.'
            )
            raise TeacherError(message)
    if len(scorers) == 1:
        return first

    def score(texts: Sequence[str]) -> LogProbabilities:
        probabilities = [
            np.exp(scorer.score(texts))[:, [scorer.labels.index(label) for label in first.labels]] for scorer in scorers
        ]
        return logarithm(np.mean(probabilities, axis=0))

    return TeacherScorer(first.labels, " + ".join(scorer.identity for scorer in scorers), score)


def logarithm(probabilities: NDArray[np.float64]) -> LogProbabilities:
    """Log-probabilities, none below that of ``SMALLEST``."""
    return np.log(np.maximum(probabilities, SMALLEST)).astype(np.float32)
