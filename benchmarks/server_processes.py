"""Servers as processes: started as their users start them, asked until they answer, ended with their children."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from benchmarks.load import Load, request_bytes, run

PROJECT = Path(__file__).resolve().parents[1]
TEXT = (
    "The movie was terribly exciting from the first scene to the last, and I would gladly see it again "
    "with all of my friends."
)
EMPTY = "bentoml"
PEERS = ("fastapi", "fastapi-distilbert", "litserve", "litserve-distilbert")
"""Those that ``benchmarks.servers`` runs."""

MLSERVER = "mlserver"
MLSERVER_PROGRAM = PROJECT / "build" / "mlserver" / "bin" / "mlserver"
MLSERVER_PATH = "/v2/models/sentiment/infer"
READY_SECONDS = 90.0  # on a busy machine; otherwise about 10
FIRST_ANSWER_SECONDS = 10.0
POLL_SECONDS = 0.05
END_SECONDS = 10.0
HIDE = 'import sys\nsys.modules["uvloop"] = None\n'


WORKER = "_bentoml_impl.worker.service"
"""In the command line of a worker of the service."""

MEBIBYTE = 2**20
ONE_OF_EACH = {"SENTIMENT_WORKERS": "1", "SENTIMENT_THREADS": "1"}
"""Settings of the service: one worker, one thread."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers.

    Attributes:
        url: where it predicts.
        process: the one that all its others come from.
        log: what it prints.
        start_seconds: until it answered.
    """

    url: str
    process: psutil.Process
    log: Path
    start_seconds: float

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.url).port or 0

    @property
    def processes(self) -> list[psutil.Process]:
        """All its processes."""
        return [self.process, *self.process.children(recursive=True)]

    @property
    def workers(self) -> list[psutil.Process]:
        """The service's workers, in the order of their ids; the supervisor if it serves itself."""
        found = []
        for child in self.process.children(recursive=True):
            with suppress(psutil.Error):  # it has ended
                if WORKER in " ".join(child.cmdline()):
                    found.append(child)
        return sorted(found, key=lambda worker: worker.pid) or [self.process]

    def processor_seconds(self) -> float:
        """The processor time of its processes so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    def mebibytes(self) -> float:
        """The resident memory of its processes, with pages that they share counted once."""
        return sum(process.memory_full_info().pss for process in self.processes) / MEBIBYTE


@contextmanager
def running(
    name: str,
    folder: Path,
    *,
    uvloop: bool,
    project: Path = PROJECT,
    settings: Mapping[str, str] = ONE_OF_EACH,
) -> Iterator[Server]:
    """Run a server for the block, which begins when it answers. Its processes end with the block.

    Args:
        name: ``service``, ``bentoml``, ``mlserver``, or one of ``benchmarks.servers``.
        folder: where its log and its files go.
        uvloop: whether it may use uvloop.
        project: the checkout whose code it runs.
        settings: all SENTIMENT_* variables.

    Raises:
        TimeoutError: it does not answer; with its log.
    """
    port = str(free_port())
    environment = _environment(name, folder, uvloop=uvloop, project=project) | dict(settings)
    bento = [sys.executable, "-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", port]
    command = {
        "service": [*bento, "."],
        EMPTY: [*bento, "benchmarks.servers:EmptyService"],
        MLSERVER: [str(MLSERVER_PROGRAM), "start", str(folder / MLSERVER)],
    }.get(name, [sys.executable, "-m", "benchmarks.servers", name, port])
    if name == MLSERVER:
        configure_mlserver(folder / MLSERVER, int(port))
    log = folder / f"{name}.log"
    started = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=project, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            url = f"http://127.0.0.1:{port}{MLSERVER_PATH if name == MLSERVER else '/v1/predict'}"
            wait_until_ready(url, log=log)
            yield Server(url, psutil.Process(process.pid), log, time.perf_counter() - started)
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            kill_group(process.pid)


def _environment(name: str, folder: Path, *, uvloop: bool, project: Path) -> dict[str, str]:
    """The environment of a server, without SENTIMENT_* variables."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SENTIMENT_")}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    paths = [str(project)]
    if not uvloop and not name.startswith(("litserve", MLSERVER)):
        hidden = folder / "hidden"
        hidden.mkdir(exist_ok=True)
        (hidden / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
        paths.insert(0, str(hidden))
    return environment | {
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(folder / name),  # servers with one home would clear each other's metrics
        "PYTHONPATH": os.pathsep.join(paths),
    }


def configure_mlserver(folder: Path, port: int) -> None:
    """Write MLServer's settings: its defaults, with one process for the model as they have it."""
    folder.mkdir(exist_ok=True)
    ports = {"http_port": port, "grpc_port": free_port(), "metrics_port": free_port()}
    settings = {"host": "127.0.0.1", "parallel_workers": 1, **ports}
    model = {"name": "sentiment", "implementation": "benchmarks.mlserver_runtime.SentimentRuntime"}
    (folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def kill_group(leader: int) -> None:
    """End what is left of a server's processes, by their process group."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


def wait_until_ready(url: str, *, log: Path) -> None:
    """Wait for the first response; the error has the log if there is none."""
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if is_ready(url):
            return
        time.sleep(POLL_SECONDS)
    message = f"{log.stem} does not answer after {READY_SECONDS:.0f} s:\n{log.read_text(errors='replace')}"
    raise TimeoutError(message)


def is_ready(url: str) -> bool:
    """Whether the address answers a request with status 200."""
    load = Load(until=time.perf_counter() + READY_SECONDS, requests=1)
    try:
        asyncio.run(asyncio.wait_for(run(url, request_bytes(url, body(1, url), []), load, 1), FIRST_ANSWER_SECONDS))
    except TimeoutError:
        return False
    return load.statuses["200"] == 1


def body(texts: int, url: str) -> bytes:
    """The JSON of a request to the address."""
    if url.endswith(MLSERVER_PATH):
        tensor = {"name": "text", "shape": [texts, 1], "datatype": "BYTES", "data": [TEXT] * texts}
        return json.dumps({"inputs": [tensor]}).encode()
    return json.dumps({"texts": [TEXT] * texts}).encode()
