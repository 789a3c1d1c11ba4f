"""Training of the head alone, before everything is trained.

A new head over a trained encoder sends large, meaningless gradients down in the first steps and spoils what the encoder
knows; a head that already fits the labels does not (Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features").
With the encoder still, the head is a logistic regression: convex, so it is solved at once, without steps to tune.
"""

import math

import torch
from torch import Tensor

from model_store.progress import track
from training.data.tokenized import UNLABELED, TokenizedExamples
from training.fit.objective import ONE_LABEL, Objective
from training.fit.task import SentimentTask

PULL = 30.0
"""Weight of the squared distance from the weights that the head had, relative to one text's loss.

Chosen among 1, 10, 30, 100 and 300 on validation parts of airline tweets and product reviews."""

MOST_TEXTS = 20_000
"""The head is fitted to so many texts at most, evenly spaced; more do not change it much."""

ITERATIONS = 100
BATCH_SIZE = 128


def fit_head(task: SentimentTask, texts: TokenizedExamples, *, pull: float = PULL) -> None:
    """Fit the head to the labels of the texts, pulled towards the weights that it has, in place.

    Args:
        task: everything but its head stays as it is.
        texts: training texts; those without a label are left out.
        pull: see ``PULL``.
    """
    unlabeled = texts.labels == UNLABELED
    rows = (~unlabeled.view(len(texts), -1).any(dim=1)).nonzero().squeeze(1)
    rows = rows[:: math.ceil(len(rows) / MOST_TEXTS)]
    labels, weights = texts.labels[rows], task.weigh_labels(texts.labels)
    pooled = pooled_texts(task, texts, rows)
    fit_linear(task.network.head, pooled, labels, objective=task.objective, label_weights=weights, pull=pull)


def fit_linear(
    head: torch.nn.Linear,
    pooled: Tensor,
    labels: Tensor,
    *,
    objective: Objective = ONE_LABEL,
    label_weights: Tensor | None,
    pull: float = PULL,
) -> None:
    """Fit a linear layer to pooled texts by L-BFGS, pulled towards the weights that it has, in place.

    Args:
        head: (pooled size) to (labels).
        pooled: (texts, pooled size).
        labels: as those of a ``Batch``, every text labeled.
        objective: what labels mean.
        label_weights: (labels,) or None.
        pull: see ``PULL``; the bias is free.
    """
    start = head.weight.detach().clone()
    change = torch.zeros_like(start, requires_grad=True)
    bias = head.bias.detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS([change, bias], max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        fit = objective.losses(pooled @ (start + change).T + bias, labels, weights=label_weights).sum()
        value = (fit + pull / 2 * change.square().sum()) / len(labels)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        head.weight.copy_(start + change)
        head.bias.copy_(bias)


def pooled_texts(task: SentimentTask, texts: TokenizedExamples, rows: Tensor) -> Tensor:
    """(rows, pooled size): what the head reads of these rows."""
    training, _ = task.training, task.eval()
    pooled = torch.zeros(len(rows), task.network.head.in_features)
    with torch.no_grad():
        batches = torch.split(texts.lengths[rows].argsort(stable=True), BATCH_SIZE)
        for positions in track(batches, "Reading the training texts", unit="batches"):
            pooled[positions] = task.network.pooled(texts[rows[positions].tolist()].ids)
    task.train(training)
    return pooled
