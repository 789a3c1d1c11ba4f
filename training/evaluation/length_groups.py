"""Accuracy by the length of a text."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from model_store.evaluation import LengthGroup
from training.evaluation.metrics import Outcomes, wilson_interval

GROUPS = 4

LONG_TEXTS = 100
"""Median number of words from which on a file is grouped; sentences differ too little in length."""


def length_groups(outcomes: Outcomes, words: NDArray[np.int64], *, data: str) -> Iterator[LengthGroup]:
    """Four groups of equal size, from the shortest texts to the longest; none for a file of short texts.

    The metric is the polar accuracy, over the texts that are not neutral, if the labels have polarities; else the
    accuracy.

    Args:
        outcomes: of the file's texts.
        words: (texts,) the number of words of each.
        data: the file's name.
    """
    if np.median(words) < LONG_TEXTS:
        return
    correct, metric = outcomes.correct, "accuracy"
    if outcomes.polar is not None:
        counted = outcomes.polar >= 0
        correct, words, metric = outcomes.polar[counted] == 1, words[counted], "polar_accuracy"
    if len(words) < GROUPS:
        return
    for group in np.array_split(np.argsort(words, kind="stable"), GROUPS):
        right = int(correct[group].sum())
        low, high = wilson_interval(right, len(group))
        yield LengthGroup(
            data=data,
            shortest=int(words[group].min()),
            longest=int(words[group].max()),
            rows=len(group),
            metric=metric,
            value=right / len(group),
            low=low,
            high=high,
        )
