"""Parts scored by a Ray cluster: the same parts and the same scorer as on one machine.

``pip install 'sentiment-encoder[ray]'``. Inputs and outputs are in folders that every node has under the same name,
such as a network file system. The model comes from the process that starts the work, whatever a node has installed.
"""

import logging
import os
import pickle
import socket
from collections.abc import Generator, Iterator, Sequence
from typing import Any
from uuid import uuid4

from model_store.bundle import Bundle
from model_store.model import SentimentModel
from model_store.scoring.file_job import FileJob
from model_store.scoring.records import ScoreError
from model_store.scoring.worker import PartReport, Scorer
from model_store.version import __version__

try:
    import ray
    import ray.data
    from ray.exceptions import RayError
except ImportError as missing:
    message = "--ray needs Ray: pip install 'sentiment-encoder[ray]'"
    raise ScoreError(message) from missing

Record = dict[str, Any]
"""A row of a Ray data set: a part of a file, or its report."""


def score_on_ray(jobs: Sequence[FileJob], bundle: Bundle, workers: int | None) -> Generator[tuple[int, PartReport]]:
    """The reports of all parts as they are finished, each with its job's index.

    Uses the cluster of this process if it is connected to one; otherwise the one that the environment variable
    ``RAY_ADDRESS`` names, the one that this machine is a node of, or a new one of this machine alone. Ray starts the
    work of a node that is lost again on another one.

    Args:
        jobs: what is to be done, all at the same time.
        bundle: the model.
        workers: maximum number of actors; by default one a processor of the cluster.

    Raises:
        ScoreError: an input cannot be used, a node has another version of this software, or Ray gave up.
    """
    connects = not ray.is_initialized()
    if connects:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # an error line warns of what Ray Data itself does
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield from _score(jobs, bundle, workers or max(1, int(ray.cluster_resources().get("CPU", 1))))
    except RayError as error:
        raise _plain(error) from error
    finally:
        if connects:
            ray.shutdown()


def _score(jobs: Sequence[FileJob], bundle: Bundle, workers: int) -> Generator[tuple[int, PartReport]]:
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1  # a block a part, so that the parts of one file are spread over all actors
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors are raised, too
    inputs = [(job.input, job.finished()) for job in jobs]

    def read(record: Record) -> Iterator[Record]:
        """All parts of a file. Ray repeats this on another node if one is lost, and then needs the same records."""
        index = record["job"]
        source, finished = inputs[index]
        for part in source.parts():
            report = PartReport(part.number, size=part.size, is_kept=True)
            yield {"job": index, "content": pickle.dumps(report if part.number in finished else part)}

    records = ray.data.from_items([{"job": index} for index in range(len(jobs))], override_num_blocks=len(jobs))
    reports = records.flat_map(read, num_cpus=0).map(
        _Actor,
        fn_constructor_args=([job.make for job in jobs], ray.put(bundle), __version__),
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=workers),
        num_cpus=1,
    )
    for report in reports.iter_rows():
        yield report["job"], pickle.loads(report["content"])  # noqa: S301 - made by _Actor


class _Actor:
    """A scorer of every file, in a process of the cluster."""

    def __init__(self, makes: list[Record], bundle: "ray.ObjectRef[Bundle]", version: str) -> None:
        if version != __version__:
            message = (
                f"{socket.gethostname()} has version {__version__} of this software, and {version} started the work. "
                "Install the same version on every node."
            )
            raise ScoreError(message)
        self._model = SentimentModel(ray.get(bundle))
        self._makes = makes
        self._writer = uuid4().hex  # a node taken for lost may still write a part that another one writes again

    def __call__(self, record: Record) -> Record:
        content = pickle.loads(record["content"])  # noqa: S301 - made by `read`
        if not isinstance(content, PartReport):
            content = Scorer(self._model, **self._makes[record["job"]], writer=self._writer)(content)
        return {"job": record["job"], "content": pickle.dumps(content)}


def _plain(error: BaseException) -> ScoreError:
    """What went wrong, without the traces of the processes it went through."""
    cause: BaseException | None = error
    while cause is not None:
        original = getattr(cause, "cause", None)  # of Ray's error for an exception in one of its processes
        if isinstance(original, ScoreError | OSError):
            return ScoreError(str(original).partition("\n")[0])  # Ray Data adds lines of its own
        cause = cause.__cause__
    reason = str(error).strip().splitlines()[-1]
    return ScoreError(f"Ray: {reason}. The finished parts are kept: run the same command again to go on.")
