"""What the supervisor counts. It is apart from the workers' metrics, which need what runs a model."""

import os
from pathlib import Path
from typing import Literal

from prometheus_client.values import MultiProcessValue

Exchange = Literal["exchanged", "refused", "failed"]
"""A worker serves the new bundle; it cannot be verified, so that no worker loads it; a worker cannot load it."""

EXCHANGES_HELP = "Bundles that were to take the place of a served one, by what came of it."
WORKER_DEATHS_HELP = "Workers that ended without being told to."


class SupervisorMetrics:
    """Counts, in a file among those of the workers: the other metrics of its process are in none.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        self._value = MultiProcessValue()  # type: ignore[no-untyped-call]
        self._deaths = self._value(
            "counter", "sentiment_worker_deaths", "sentiment_worker_deaths_total", [], [], WORKER_DEATHS_HELP
        )

    def worker_died(self) -> None:
        """Count a death."""
        self._deaths.inc(1)

    def exchanged(self, model: str, outcome: Exchange) -> None:
        """Count an attempt to exchange a model."""
        name = "sentiment_model_exchanges"
        labels = ["model", "outcome"]
        self._value("counter", name, f"{name}_total", labels, [model, outcome], EXCHANGES_HELP).inc(1)
