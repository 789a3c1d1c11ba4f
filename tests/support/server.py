"""A real server: ``bentoml serve`` in its own process, as an operator starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from tests.support.paths import ROOT

READY_SECONDS = 90  # on a busy machine; otherwise about 10


@dataclass(frozen=True)
class Server:
    """A running service.

    Attributes:
        url: the address it listens at, without a path.
        process: the process that supervises the workers.
        log: the file with everything it has printed.
    """

    url: str
    process: psutil.Process
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for ``socket``."""
        return "127.0.0.1", self.port

    def memory(self) -> int:
        """Bytes that all its processes hold, shared pages counted once for each."""
        return sum(process.memory_info().rss for process in [self.process, *self.process.children(recursive=True)])

    def workers(self) -> set[int]:
        """The process ids of the workers that are alive."""
        return {
            child.pid
            for child in self.process.children()
            if child.status() != psutil.STATUS_ZOMBIE and "_bentoml_impl.worker.service" in child.cmdline()
        }

    def stop(self) -> None:
        """Ask it to end, without waiting."""
        self.process.send_signal(signal.SIGTERM)


StartServer = Callable[..., AbstractContextManager[Server]]
"""The type of the fixture ``start_server``."""


def free_port() -> int:
    """A TCP port of this machine that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    folder: Path, *, bento_home: Path | None = None, prefix: Sequence[str] = (), **settings: object
) -> Iterator[Server]:
    """Serve until the block ends.

    Args:
        folder: an empty folder for the log and for BentoML's files.
        bento_home: a BENTOML_HOME whose newest bento is served, from outside the project; None serves the checkout.
        prefix: a command that runs the one behind it, in surroundings of its own.
        settings: SENTIMENT_* variables without their prefix.

    Raises:
        TimeoutError: the server is not ready in time; the message holds its log.
    """
    log, url = folder / "log", f"http://127.0.0.1:{free_port()}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENTIMENT_")}
    environment |= {f"SENTIMENT_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {"BENTOML_DO_NOT_TRACK": "true", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # A second server in the same home would empty the first's metrics.
    environment["BENTOML_HOME"] = str(bento_home or folder / "bentoml")
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    target, working_folder = (".", ROOT) if bento_home is None else ("sentiment:latest", bento_home)
    port = url.rpartition(":")[2]
    command = [*prefix, sys.executable, "-m", "bentoml", "serve", target, "--host", "127.0.0.1", "--port", port]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=working_folder, env=environment, stdout=output, stderr=output) as process,  # noqa: S603
    ):
        server = Server(url, psutil.Process(process.pid), log)
        try:
            _wait_until_ready(server)
            yield server
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _wait_until_ready(server: Server) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    message = f"the server is not ready after {READY_SECONDS} s:\n{server.log.read_text()}"
    raise TimeoutError(message)
