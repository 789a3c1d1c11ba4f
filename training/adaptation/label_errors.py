"""Training texts whose label is probably wrong, by confident learning (Northcutt et al. 2021).

A text is scored by a head that was not fitted to it: the texts are cut into folds, and each fold is scored by a head
fitted to the others over the source's encoder, which stays as it is.
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model_store.progress import track
from training.data.examples import Example
from training.data.near_duplicates import group_near_duplicates
from training.data.tokenized import TokenizedExamples
from training.evaluation.label_sets import NO_LABEL
from training.fit.head_start import fit_linear, pooled_texts
from training.fit.task import SentimentTask

FOLDS = 5
MOST_TEXTS = 5_000
"""Evenly spaced; more texts take longer and make the same list."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A text whose label is doubted.

    Attributes:
        example: as it is in the file.
        suggested: the label with the highest score; if texts have any number, all labels with one of them changed.
        score: of that label, or of that change.
        given_score: of the label in the file, or of no change.
    """

    example: Example
    suggested: str
    score: float
    given_score: float


def likely_label_errors(
    task: SentimentTask, examples: Sequence[Example], texts: TokenizedExamples, *, most: int = 20
) -> list[Suspicion]:
    """The texts with the largest doubt about their label, at most ``most``.

    A label is doubted if another one's score is above what texts of that label have on average, and above its own. If
    texts have any number of labels, each label is a question of its own, answered yes or no.

    Args:
        task: with the labels of the examples; its encoder makes the features, and its head is where every fit begins.
        examples: labeled texts.
        texts: the same, tokenized.
        most: length of the list.
    """
    rows = torch.arange(len(texts))[:: math.ceil(len(texts) / MOST_TEXTS)]
    labels = texts.labels[rows]
    chosen = [examples[row] for row in rows.tolist()]
    folds = torch.tensor(group_near_duplicates([example.text for example in chosen])) % FOLDS
    scores = _held_out_scores(task, pooled_texts(task, texts, rows), labels, folds)
    find = _suspected if labels.ndim == 1 else _suspected_sets
    return find(chosen, scores, labels, task.labels)[:most]


def _suspected(examples: Sequence[Example], scores: Tensor, labels: Tensor, names: Sequence[str]) -> list[Suspicion]:
    """The doubted texts of one label each, the largest doubt first."""
    doubt, predicted = _doubt(scores, labels)
    return [
        Suspicion(examples[row], names[int(predicted[row])], float(scores[row].max()), float(scores[row, labels[row]]))
        for row in _largest_first(doubt)
    ]


def _suspected_sets(
    examples: Sequence[Example], scores: Tensor, labels: Tensor, names: Sequence[str]
) -> list[Suspicion]:
    """The doubted texts of any number of labels, each with the label that is doubted most."""
    yes_or_no = torch.stack([1 - scores, scores], dim=2)  # (texts, labels, 2)
    doubts = [_doubt(yes_or_no[:, label], labels[:, label].long())[0] for label in range(len(names))]
    doubt, changed = torch.stack(doubts, dim=1).max(dim=1)  # (texts,)
    found = []
    for row in _largest_first(doubt):
        suggested = set(examples[row].label_names) ^ {names[int(changed[row])]}
        score = float(yes_or_no[row, changed[row]].max())
        found.append(Suspicion(examples[row], ", ".join(sorted(suggested)) or NO_LABEL, score, 1 - score))
    return found


def _doubt(scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """(texts,) how much higher the best score is than that of the own label, 0 if it is not doubted; and which it is.

    Args:
        scores: (texts, labels).
        labels: (texts,) label indices.
    """
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    mean = torch.stack(
        [
            own[labels == index].mean() if (labels == index).any() else torch.tensor(1.0)
            for index in range(scores.shape[1])
        ]
    )
    best, predicted = scores.max(dim=1)
    doubted = (predicted != labels) & (best > mean[predicted])
    return torch.where(doubted, best - own, torch.zeros_like(best)), predicted


def _largest_first(doubt: Tensor) -> list[int]:
    rows: list[int] = doubt.argsort(descending=True, stable=True)[: int((doubt > 0).sum())].tolist()
    return rows


def _held_out_scores(task: SentimentTask, pooled: Tensor, labels: Tensor, folds: Tensor) -> Tensor:
    """(texts, labels) probabilities of heads that were not fitted to the text."""
    scores = torch.full((len(labels), len(task.labels)), 1 / len(task.labels))
    for fold in track(range(FOLDS), "Looking for wrong labels", unit="folds"):
        held_out = folds == fold
        if held_out.all() or not held_out.any():
            continue
        head = copy.deepcopy(task.network.head)
        fit_linear(head, pooled[~held_out], labels[~held_out], objective=task.objective, label_weights=None)
        with torch.no_grad():
            scores[held_out] = task.objective.scores(head(pooled[held_out]))
    return scores
