"""The servers that ``serving`` compares, each started as its users start it, in its own process.

``python -m benchmarks.servers NAME PORT`` runs the server of FastAPI or of LitServe.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import bentoml
import litserve
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.load import Load, request_bytes, run
from model_store import SentimentModel
from service.predictor import Predictor
from service.schemas import PredictRequest, PredictResponse
from service.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
TEXT = (
    "The movie was terribly exciting from the first scene to the last, and I would gladly see it again "
    "with all of my friends."
)
EMPTY = "bentoml"
READY_SECONDS = 90.0  # on a busy machine; otherwise about 10
FIRST_ANSWER_SECONDS = 10.0
END_SECONDS = 10.0
HIDE = 'import sys\nsys.modules["uvloop"] = None\n'


class EmptyRequest(BaseModel):
    """The request body of the service."""

    texts: list[str]


class EmptyResponse(BaseModel):
    """A minimal response."""

    label: str


@bentoml.service(name="empty")
class EmptyService:
    """An endpoint of BentoML that computes nothing."""

    @bentoml.api(route="/v1/predict")
    async def predict(self, _request: EmptyRequest, /) -> EmptyResponse:
        """Return a constant."""
        return EmptyResponse(label="positive")


class SentimentAPI(litserve.LitAPI):
    """The model as an API of LitServe, which runs it in another process."""

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model."""
        self.predictor = make_predictor()

    def decode_request(self, request: PredictRequest) -> PredictRequest:
        """Declare the type of the body to LitServe."""
        return request

    def predict(self, x: PredictRequest) -> PredictResponse:
        """Answer one request."""
        return whole_answer(self.predictor, x)

    def encode_response(self, output: PredictResponse) -> PredictResponse:
        """Leave the JSON to LitServe."""
        return output


def make_predictor() -> Predictor:
    """The model behind the service's schemas, without a request's limits."""
    return Predictor(SentimentModel.load(), Settings())


def whole_answer(predictor: Predictor, request: PredictRequest) -> PredictResponse:
    """The answer as one object of its schema."""
    answer = predictor.predict(request)
    return PredictResponse(model=answer.model, results=list(answer.results), errors=list(answer.errors))


def serve(name: str, port: int) -> None:
    """Run the server of LitServe or of FastAPI until the process ends."""
    if name == "litserve":
        server = litserve.LitServer(SentimentAPI(api_path="/v1/predict"), accelerator="cpu", workers_per_device=1)
        server.run(host="127.0.0.1", port=port, num_api_servers=1, generate_client_file=False)
        return
    app, predictor, executor = FastAPI(), make_predictor(), ThreadPoolExecutor(1)

    @app.post("/v1/predict")
    async def predict(request: PredictRequest) -> PredictResponse:
        return await asyncio.get_running_loop().run_in_executor(executor, whole_answer, predictor, request)

    uvicorn.run(app, host="127.0.0.1", port=port)


@contextmanager
def running(name: str, folder: Path, *, uvloop: bool) -> Iterator[str]:
    """Run a server for the block, and give its address. Its processes end with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SENTIMENT_")}
    environment.pop("PROMETHEUS_MULTIPROC_DIR", None)
    environment |= {"SENTIMENT_WORKERS": "1", "SENTIMENT_THREADS": "1", "BENTOML_DO_NOT_TRACK": "true"}
    environment["BENTOML_HOME"] = str(folder / name)  # servers with one home would clear each other's metrics
    if not uvloop and name != "litserve":
        hidden = folder / "hidden"
        hidden.mkdir(exist_ok=True)
        (hidden / "sitecustomize.py").write_text(HIDE, encoding="utf-8")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(hidden), environment.get("PYTHONPATH")]))
    bento = [sys.executable, "-m", "bentoml", "serve", "--host", "127.0.0.1", "--port", port]
    command = {
        "service": [*bento, "."],
        EMPTY: [*bento, "benchmarks.servers:EmptyService"],
    }.get(name, [sys.executable, "-m", "benchmarks.servers", name, port])
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=PROJECT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield f"http://127.0.0.1:{port}/v1/predict"
        finally:
            process.terminate()
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            kill_group(process.pid)


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
        asyncio.run(asyncio.wait_for(run(url, request_bytes(url, body(1), []), load, 1), FIRST_ANSWER_SECONDS))
    except TimeoutError:
        return False
    return load.statuses["200"] == 1


def body(texts: int) -> bytes:
    """The JSON of a request."""
    return json.dumps({"texts": [TEXT] * texts}).encode()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
