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
from contextlib import contextmanager
from pathlib import Path

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
END_SECONDS = 10.0
HIDE = 'import sys\nsys.modules["uvloop"] = None\n'


@contextmanager
def running(
    name: str, folder: Path, *, uvloop: bool, project: Path = PROJECT, settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Run a server for the block, and give its address. Its processes end with the block.

    Args:
        name: ``service``, ``bentoml``, ``mlserver``, or one of ``benchmarks.servers``.
        folder: where its log and its files go.
        uvloop: whether it may use uvloop.
        project: the checkout whose code it runs.
        settings: SENTIMENT_* variables, in addition to one worker and one thread.
    """
    port = str(free_port())
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SENTIMENT_")}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    environment |= {"SENTIMENT_WORKERS": "1", "SENTIMENT_THREADS": "1", "BENTOML_DO_NOT_TRACK": "true"}
    environment |= settings or {}
    environment["BENTOML_HOME"] = str(folder / name)  # servers with one home would clear each other's metrics
    paths = [str(project)]
    if not uvloop and not name.startswith(("litserve", MLSERVER)):
        hidden = folder / "hidden"
        hidden.mkdir(exist_ok=True)
        (hidden / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
        paths.insert(0, str(hidden))
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    bento = [sys.executable, "-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", port]
    command = {
        "service": [*bento, "."],
        EMPTY: [*bento, "benchmarks.servers:EmptyService"],
        MLSERVER: [str(MLSERVER_PROGRAM), "start", str(folder / MLSERVER)],
    }.get(name, [sys.executable, "-m", "benchmarks.servers", name, port])
    if name == MLSERVER:
        configure_mlserver(folder / MLSERVER, int(port))
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=project, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield f"http://127.0.0.1:{port}{MLSERVER_PATH if name == MLSERVER else '/v1/predict'}"
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            kill_group(process.pid)


def configure_mlserver(folder: Path, port: int) -> None:
    """Write MLServer's settings: its defaults, with one process for the model as they have it."""
    folder.mkdir()
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
        time.sleep(0.2)
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
