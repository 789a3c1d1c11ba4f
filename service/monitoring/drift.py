"""How far the last texts are from those that the bundle was validated on, as gauges. Only counts are kept, no text."""

import threading
import time
from collections import deque
from collections.abc import Sequence

from model_store import Prediction
from model_store.drift import Binning, jensen_shannon, observe, stability_index
from model_store.evaluation import Reference
from service.monitoring import metrics

PUBLISHED_SECONDS = 1.0
"""How often the gauges change at most."""


class DriftWindow:
    """Looks at the answers of one worker to whole texts. The gauges are NaN until the window is full.

    Args:
        reference: of the bundle.
        model: the name under which it is served.
        size: texts of the window.
    """

    def __init__(self, reference: Reference, *, model: str, size: int) -> None:
        self._binning = Binning(reference)
        self._model = model
        self._size = size
        self._counts = {name: counts * 0 for name, counts in self._binning.reference.items()}
        self._window: deque[tuple[int, ...]] = deque()
        self._lock = threading.Lock()
        self._published = float("-inf")

    def offer(self, predictions: Sequence[Prediction]) -> None:
        """Add these answers to the window, in place of its oldest."""
        with self._lock:
            for prediction in predictions:
                if len(self._window) == self._size:
                    self._count(self._window.popleft(), -1)
                bins = self._binning.bins(observe(prediction))
                self._count(bins, 1)
                self._window.append(bins)
            now = time.monotonic()
            if len(self._window) == self._size and now >= self._published + PUBLISHED_SECONDS:
                self._published = now
                self._publish()

    def _count(self, bins: tuple[int, ...], change: int) -> None:
        for counts, index in zip(self._counts.values(), bins, strict=True):
            counts[index] += change

    def _publish(self) -> None:
        for name, expected in self._binning.reference.items():
            actual = self._counts[name]
            metrics.drifted(self._model, name, stability_index(expected, actual), jensen_shannon(expected, actual))
