"""Memory and open descriptors of the workers, as Linux counts them. Elsewhere these metrics are absent."""

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

FILE_OF_WORKER = re.compile(r"gauge_livemax_(\d+)\.db")
"""The file in which a worker that has loaded its model keeps ``sentiment_model_info``."""

GAUGES = {
    "process_resident_memory_bytes": ("sentiment_resident_memory_bytes", "Resident memory of all workers."),
    "process_open_fds": ("sentiment_open_descriptors", "Open file descriptors of all workers."),
    "process_max_fds": ("sentiment_max_descriptors", "File descriptors that all workers may open."),
}
"""Names of prometheus_client, and name and description of the sum over workers."""


class WorkerProcesses(Collector):
    """Looks at all workers when it is asked, whichever of them answers."""

    def describe(self) -> Iterator[Metric]:
        """The metrics without values, so that registering them reads nothing."""
        yield GaugeMetricFamily("sentiment_workers", "Workers that have loaded the model.")
        for name, description in GAUGES.values():
            yield GaugeMetricFamily(name, description)

    def collect(self) -> Iterator[Metric]:
        """The metrics now."""
        found = [values for process in _workers() if (values := _values(process))]
        yield GaugeMetricFamily("sentiment_workers", "Workers that have loaded the model.", value=len(found))
        for key, (name, description) in GAUGES.items():
            yield GaugeMetricFamily(name, description, value=sum(values.get(key, 0.0) for values in found))


def _workers() -> list[int]:
    """Process ids of workers, some of which may have ended."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder is None:
        return [os.getpid()]
    return [int(match[1]) for path in Path(folder).iterdir() if (match := FILE_OF_WORKER.fullmatch(path.name))]


@lru_cache(maxsize=64)  # as many as there can be workers; making one reads the times of all processors
def _collector(process: int) -> ProcessCollector:
    return ProcessCollector(pid=lambda: process, registry=None)


def _values(process: int) -> dict[str, float]:
    """One process's values; empty if it has ended or the system does not say."""
    metrics = _collector(process).collect()
    return {sample.name: sample.value for metric in metrics for sample in metric.samples}
