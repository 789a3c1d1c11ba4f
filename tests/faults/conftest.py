"""A real `bentoml serve` on this machine, with limits small enough to reach."""

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.support.real_server import running

LIMITS = {
    "threads": 1,
    "max_in_flight": 4,
    "max_streams": 1,
    "deadline_seconds": 3,  # several times what any test asks for
    "max_request_tokens": 50_000,
    "max_request_numbers": 1_500_000,
    "drain_seconds": 0.5,
}


@dataclass(frozen=True)
class Server:
    """A running service and what it has written to its log."""

    url: str
    port: int
    process: psutil.Process
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    def workers(self) -> set[int]:
        """The process ids of the workers that are there."""
        found = set()
        for child in self.process.children():
            if child.status() != psutil.STATUS_ZOMBIE and "_bentoml_impl.worker.service" in child.cmdline():
                found.add(child.pid)
        return found

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)


Serve = Callable[..., AbstractContextManager[Server]]


@pytest.fixture(scope="session")
def serve(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    """Starts the service as an operator does; what is given replaces the limits above."""

    @contextmanager
    def start(**settings: object) -> Iterator[Server]:
        log = tmp_path_factory.mktemp("server") / "log"
        with running(log, model=tiny_bundle, **(LIMITS | settings)) as server:
            yield Server(server.url, server.port, server.process, log)

    return start


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Server]:
    """One server for a module's tests."""
    with serve() as running_server:
        yield running_server
