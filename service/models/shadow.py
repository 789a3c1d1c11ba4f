"""A second model reads what the first one has answered, and the differences are counted: how it would do in its place.

It never delays an answer: texts wait in a bounded line for a thread of their own, which takes a twentieth of a
processor's time. What finds the line full is counted and dropped, and what fails is counted and logged once. Texts are
kept only until they are read.
"""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from model_store import Prediction, SentimentModel
from service.monitoring import metrics

DUTY = 0.05
"""The share of a processor's time: so few requests meet the shadow that the median does not show it."""

MAX_CHARACTERS = 2_000_000
"""Of all texts in the line: some 10,000 sentences, and at most 8 MB."""

logger = logging.getLogger("bentoml.shadow")  # under "bentoml", whose lines BentoML writes out


class Answered(NamedTuple):
    """What the first model has said of a text."""

    text: str
    labels: tuple[str, ...]
    polarity: float | None


class Shadow:
    """Reads a share of the texts that the first model has answered.

    Args:
        model: the second model.
        share: of the texts that it reads, above 0 and at most 1, drawn at random.
    """

    def __init__(self, model: SentimentModel, *, share: float) -> None:
        self._model = model
        self._share = share
        self._line: deque[Answered] = deque()
        self._characters = 0
        self._changed = threading.Condition()
        self._has_failed = False
        threading.Thread(target=self._read_all, name="shadow", daemon=True).start()

    def offer(self, predictions: Sequence[Prediction]) -> None:
        """Let the shadow read these texts some time; returns at once."""
        chosen = [
            Answered(answer.text.text, answer.labels, answer.polarity)
            for answer in predictions
            if self._share >= 1 or random.random() < self._share  # noqa: S311 - not for cryptography
        ]
        with self._changed:
            for answered in chosen:
                if self._characters + len(answered.text) > MAX_CHARACTERS:
                    metrics.shadowed("dropped")
                    continue
                self._characters += len(answered.text)
                self._line.append(answered)
            self._changed.notify()

    def wait(self, seconds: float) -> bool:
        """Wait until the line is empty; whether it is after so long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._characters, seconds)

    def _read_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._line)
                answered = self._line.popleft()
            begin = time.thread_time()
            self._read(answered)
            spent = time.thread_time() - begin
            with self._changed:
                self._characters -= len(answered.text)
                self._changed.notify_all()
            time.sleep(spent * (1 / DUTY - 1))

    def _read(self, answered: Answered) -> None:
        try:
            (answer,) = self._model.predict([answered.text])
        except Exception:  # whatever it is, it is the shadow's own
            metrics.shadowed("failed")
            if not self._has_failed:
                logger.exception("the shadow cannot read a text; further failures are counted, not logged")
            self._has_failed = True
            return
        if answer.labels == answered.labels:
            metrics.shadowed("agreed")
        else:
            metrics.shadowed("differed")
            metrics.flipped(answered.labels, answer.labels)
        if answer.polarity is not None and answered.polarity is not None:
            metrics.SHADOW_DISTANCE.observe(abs(answer.polarity - answered.polarity))
