"""The process that starts the workers: BentoML's supervisor, circus, in a private folder and with a record of deaths.

BentoML lets it listen at two TCP ports of this machine, where any user may give it orders, keeps the metrics of all
services of a user in one folder that each start empties, looks for dead workers every 10 seconds, and never says that
one died. It holds the listening socket until the last worker has ended, so that the kernel goes on to accept
connections that nothing will answer.
"""

import atexit
import logging
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import bentoml.serving
from bentoml._internal.utils import circus as bentoml_circus
from circus.exc import ConflictError  # type: ignore[import-untyped]
from circus.watcher import Watcher  # type: ignore[import-untyped]
from prometheus_client.multiprocess import mark_process_dead

from service.monitoring.supervisor_metrics import SupervisorMetrics

LOOK_SECONDS = 1.0
"""How often the supervisor looks for dead workers."""

STAGES_SECONDS = 2.0
"""How often it looks whether a stage has another model."""

MAX_FAILURES = 5
"""Failures of each worker within ``FAILURES_SECONDS`` after which the service ends instead of starting others."""

FAILURES_SECONDS = 300.0
"""Long enough for that many starts of a worker that cannot load its model."""

logger = logging.getLogger("bentoml.supervisor")  # under "bentoml", whose lines BentoML writes out


def install_supervisor(
    *,
    drain_seconds: float,
    grace_seconds: float,
    renewal: "Callable[[SupervisorMetrics], Renewal]",
) -> None:
    """Make ``bentoml serve`` in this process use ``Supervisor``; without effect in other processes.

    Args:
        drain_seconds: time from the signal to a worker until it stops listening.
        grace_seconds: time after that for its requests to end. A worker that is not gone then is killed soon after.
        renewal: makes what finds the models again; what it is given counts for the metrics.
    """

    def create_arbiter(
        watchers: list[Watcher],
        *,
        threaded: bool = False,
        **options: Any,  # noqa: ANN401 - those of circus
    ) -> Supervisor:
        if threaded:
            message = "the service runs in the main thread of a process of its own, which `bentoml serve` starts"
            raise RuntimeError(message)
        folder = private_folder()
        counts = SupervisorMetrics(folder / "metrics")
        for watcher in watchers:
            watcher.args = [*watcher.args, "--timeout-graceful-shutdown", str(max(1, round(grace_seconds)))]
            watcher.graceful_timeout = drain_seconds + grace_seconds + 10
            watcher.respawn = True  # BentoML leaves it out in containers, where one of several workers would be missed
            watcher.hooks["after_reap"] = DeathRecord(folder / "metrics", counts)
        endpoints = {name: f"ipc://{folder / name}" for name in ("endpoint", "pubsub_endpoint")}
        supervisor = Supervisor(watchers, check_delay=LOOK_SECONDS, **endpoints, **options)
        supervisor.renewal = RenewalThread(renewal(counts))
        supervisor.renewal.start()
        return supervisor

    bentoml_circus.create_standalone_arbiter = create_arbiter
    bentoml.serving.ensure_prometheus_dir = _metrics_folder


class Renewal(Protocol):
    """Finds the models again that the workers serve."""

    def renew(self) -> None:
        """Find all of them again."""

    def renew_stages(self) -> None:
        """Find those again whose stage has another model than the one that is served."""


class RenewalThread(threading.Thread):
    """Renews the models when it is asked to, and looks at the stages in between."""

    def __init__(self, renewal: Renewal) -> None:
        super().__init__(name="renewal", daemon=True)
        self._renewal = renewal
        self._asked = threading.Event()

    def ask(self) -> None:
        """Renew all models soon."""
        self._asked.set()

    def run(self) -> None:
        """Go on until the process ends."""
        while True:
            is_asked = self._asked.wait(STAGES_SECONDS)
            self._asked.clear()
            try:
                self._renewal.renew() if is_asked else self._renewal.renew_stages()
            except Exception:  # whatever it is, the next attempt may succeed, and what is served stays
                logger.exception("the models cannot be renewed")


class Supervisor(bentoml_circus.Arbiter):
    """BentoML's supervisor, which says in one message why it cannot go on, and holds no socket while it stops."""

    renewal: RenewalThread

    def reload(self, graceful: bool = True, sequential: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - of circus
        """Renew the models at SIGHUP, where circus would start other workers."""
        self.renewal.ask()

    def start(self, cb: Callable[[Any], Any] | None = None) -> None:
        """Serve until the end."""
        self._has_given_up = False
        try:
            super().start(cb)
        except OSError as error:
            self.exit_stack.close()
            places = ", ".join(socket.location for socket in self.sockets.values())
            message = f"The service cannot listen at {places}: {error.strerror}. Choose another with --host and --port."
            raise SystemExit(message) from None
        if self._has_given_up:
            raise SystemExit(1)

    def give_up(self) -> None:
        """Stop, and end with status 1."""
        self._has_given_up = True
        self.stop()

    def stop(self) -> Any:  # noqa: ANN401 - what circus waits for
        """Stop listening in this process, and wait for the workers, which stop listening after their drain."""
        try:
            stopped: Any = super().stop()  # BentoML declares None
        except ConflictError:  # it is starting a worker right now
            self.loop.call_later(0.1, self.stop)
            return None
        self.sockets.close_all()
        return stopped


class DeathRecord:
    """Called when a worker has ended. One that was not told to is logged and counted; its gauges go."""

    def __init__(self, folder: Path, counts: SupervisorMetrics) -> None:
        self._folder = folder
        self._counts = counts
        self._failures: deque[float] = deque()

    def __call__(
        self, *, watcher: Watcher, arbiter: Supervisor, process_pid: int, exit_code: int | None, **_: object
    ) -> None:
        """Record one end (a hook of circus)."""
        mark_process_dead(process_pid, str(self._folder))  # type: ignore[no-untyped-call]
        if watcher.is_stopping() or watcher.is_stopped():
            return
        self._counts.worker_died()
        logger.error("worker %d died (%s); another one is started", process_pid, _reason(exit_code))
        if exit_code is not None and exit_code > 0:  # it ended by itself; one that was killed could serve
            self._failed(watcher, arbiter)

    def _failed(self, watcher: Watcher, arbiter: Supervisor) -> None:
        now = time.monotonic()
        self._failures.append(now)
        while now - self._failures[0] > FAILURES_SECONDS:
            self._failures.popleft()
        if len(self._failures) >= MAX_FAILURES * watcher.numprocesses:
            logger.critical("workers failed %d times in %d s: the service ends", len(self._failures), FAILURES_SECONDS)
            arbiter.loop.add_callback(arbiter.give_up)


def _reason(exit_code: int | None) -> str:
    if exit_code is None:
        return "exit status unknown"
    if exit_code < 0:
        return f"killed by {signal.Signals(-exit_code).name}"
    return f"exit status {exit_code}"


_folders: list[Path] = []


def private_folder() -> Path:
    """This process's folder, which no other user can enter; it is removed when the process ends."""
    if not _folders:
        folder = Path(tempfile.mkdtemp(prefix="sentiment-serve-"))
        _folders.append(folder)
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return _folders[0]


def _metrics_folder(*_: object, **__: object) -> str:
    folder = private_folder() / "metrics"
    folder.mkdir(exist_ok=True)
    return str(folder)
