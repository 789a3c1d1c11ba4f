"""Training runs with and without clipping over many learning rates: which diverge, and which learn the task."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from training.lecture.symbols import ANSWERS, RECALL_SYMBOLS, SymbolReader, recall_loss, recall_texts, take_step

GUESSING = math.log(ANSWERS)
"""The loss of giving every answer the same probability."""

LEARNED = 0.5 * GUESSING
DIVERGED = 1.5 * GUESSING

LAST = 20  # steps whose losses are averaged


@dataclass(frozen=True, slots=True)
class Course:
    """One training run.

    Attributes:
        threshold: the norm it is clipped at; None for no clipping.
        losses: of every step; not finite once training has broken down.
        largest_norm: of any step's gradient, before clipping.
    """

    learning_rate: float
    threshold: float | None
    seed: int
    losses: list[float]
    largest_norm: float

    @property
    def final(self) -> float:
        """Mean loss of the last steps; infinite if it is not finite."""
        mean = sum(self.losses[-LAST:]) / len(self.losses[-LAST:])
        return mean if math.isfinite(mean) else math.inf

    @property
    def learned(self) -> bool:
        """Whether the loss has fallen to less than half that of guessing."""
        return self.final < LEARNED

    @property
    def diverged(self) -> bool:
        """Whether the loss has risen to more than one and a half times that of guessing."""
        return self.final > DIVERGED


def train(*, learning_rate: float, threshold: float | None, seed: int, distance: int, steps: int, units: int) -> Course:
    """Train an rnn of our encoder on recall with plain gradient descent."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    reader = SymbolReader("rnn", symbols=RECALL_SYMBOLS, hidden_size=units, classes=ANSWERS)
    parameters = list(reader.parameters())
    optimizer = torch.optim.SGD(parameters, lr=learning_rate)
    losses, norms = [], []
    for _ in range(steps):
        loss, _ = recall_loss(reader, recall_texts(32, distance=distance, generator=generator))
        losses.append(float(loss.detach()))
        norms.append(take_step(optimizer, loss, parameters, clip=threshold))
    return Course(learning_rate, threshold, seed, losses, max(norms))


def largest_learned(courses: Sequence[Course], threshold: float | None) -> float | None:
    """The largest learning rate at which every seed learned the task; None if there is none."""
    of_threshold = [course for course in courses if course.threshold == threshold]
    rates = sorted({course.learning_rate for course in of_threshold})
    whole = [rate for rate in rates if all(course.learned for course in of_threshold if course.learning_rate == rate)]
    return max(whole, default=None)


def rescued(courses: Sequence[Course]) -> list[tuple[float, float]]:
    """Learning rate and threshold of all pairs with which all seeds diverge without clipping and all learn with it."""
    rates = sorted({course.learning_rate for course in courses})
    thresholds = sorted({course.threshold for course in courses if course.threshold is not None})

    def seeds(rate: float, threshold: float | None) -> list[Course]:
        return [course for course in courses if course.learning_rate == rate and course.threshold == threshold]

    return [
        (rate, threshold)
        for rate in rates
        for threshold in thresholds
        if all(course.diverged for course in seeds(rate, None))
        and all(course.learned for course in seeds(rate, threshold))
    ]
