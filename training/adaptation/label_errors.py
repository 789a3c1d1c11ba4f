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
        suggested: the label with the highest score.
        score: of that label.
        given_score: of the label in the file.
    """

    example: Example
    suggested: str
    score: float
    given_score: float


def likely_label_errors(
    task: SentimentTask, examples: Sequence[Example], texts: TokenizedExamples, *, most: int = 20
) -> list[Suspicion]:
    """The texts with the largest doubt about their label, at most ``most``.

    A label is doubted if another one's score is above what texts of that label have on average, and above its own.

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
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    mean = torch.stack(
        [
            own[labels == index].mean() if (labels == index).any() else torch.tensor(1.0)
            for index in range(scores.shape[1])
        ]
    )
    best, predicted = scores.max(dim=1)
    doubtful = ((predicted != labels) & (best > mean[predicted])).nonzero().squeeze(1)
    doubtful = doubtful[(best - own)[doubtful].argsort(descending=True, stable=True)][:most]
    return [
        Suspicion(chosen[row], task.labels[int(predicted[row])], float(best[row]), float(own[row]))
        for row in doubtful.tolist()
    ]


def _held_out_scores(task: SentimentTask, pooled: Tensor, labels: Tensor, folds: Tensor) -> Tensor:
    """(texts, labels) probabilities of heads that were not fitted to the text."""
    scores = torch.full((len(labels), len(task.labels)), 1 / len(task.labels))
    for fold in track(range(FOLDS), "Looking for wrong labels", unit="folds"):
        held_out = folds == fold
        if held_out.all() or not held_out.any():
            continue
        head = copy.deepcopy(task.network.head)
        fit_linear(head, pooled[~held_out], labels[~held_out], label_weights=None)
        with torch.no_grad():
            scores[held_out] = head(pooled[held_out]).softmax(dim=1)
    return scores
