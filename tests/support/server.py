"""A real server for tests: ``bentoml serve`` in a process of its own, as an operator starts it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil

PROJECT = Path(__file__).parents[2]
READY_SECONDS = 90  # on a busy machine; otherwise about 10


class Server(NamedTuple):
    """Where it listens, and its processes."""

    url: str
    process: psutil.Process

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def memory(self) -> int:
        """Bytes that all its processes hold, shared pages counted once for each."""
        return sum(one.memory_info().rss for one in [self.process, *self.process.children(recursive=True)])


@contextmanager
def running(log: Path, *, bento_home: Path | None = None, **settings: object) -> Iterator[Server]:
    """Serves until the block ends.

    Args:
        log: where the server's output goes.
        bento_home: a BENTOML_HOME whose newest bento is served, from outside the project; None serves the checkout.
        settings: SENTIMENT_* variables without their prefix.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SENTIMENT_")}
    environment |= {f"SENTIMENT_{name.upper()}": str(value) for name, value in settings.items()}
    environment |= {"BENTOML_DO_NOT_TRACK": "true", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # A second server in the same home would empty the first's metrics.
    environment["BENTOML_HOME"] = str(bento_home or log.parent / "bentoml")
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    served, folder = (".", PROJECT) if bento_home is None else ("sentiment:latest", bento_home)
    command = [sys.executable, "-m", "bentoml", "serve", served, "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output) as process,  # noqa: S603
    ):
        server = Server(f"http://127.0.0.1:{port}", psutil.Process(process.pid))
        try:
            _wait(server, log)
            yield server
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()


def _wait(server: Server, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{server.url}/readyz").status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    message = f"the server is not ready after {READY_SECONDS} s:\n{log.read_text()}"
    raise TimeoutError(message)
