"""Processor time of the middleware around a request, without sockets and HTTP parsing.

    python -m benchmarks.overhead [--rounds 25] [--requests 60]

One request is sent to the same service through different middleware, all in one process: the service's own, the same
without the access log, and BentoML's around an API of BentoML, with one layer fewer in each row. The stacks take turns,
and the figure of each is its fastest round, which other load affects least. Processor time is that of all threads. The
first row is the model alone; the difference to it is the cost of serving.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

# Set before the import of prometheus_client: metrics are kept in files, as under `bentoml serve`.
os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="overhead-")
os.environ |= {"BENTOML_DO_NOT_TRACK": "true", "SENTIMENT_THREADS": "1"}
import bentoml
from rich.console import Console
from rich.table import Table
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message

from model_store import SentimentModel
from service import routes
from service.models.exchange import load_pinned
from service.models.loaded import ModelLoader
from service.models.pins import pinned
from service.models.references import read_all, references
from service.schemas import PredictRequest, PredictResponse
from service.settings import Settings

TEXT = "fine"
BODY = json.dumps({"texts": [TEXT]}).encode()
HEADERS = [
    (b"host", b"127.0.0.1"),
    (b"content-type", b"application/json"),
    (b"content-length", str(len(BODY)).encode()),
]
BENTOML = "BentoML's layers"
OURS = {"as it is": Settings(), "as it is, without the access log": Settings(access_log=False)}
# Removed one after the other, in this order. The metrics come first: a process can register them once.
STRIPPED = ("RunnerTrafficMetricsMiddleware", "OpenTelemetryMiddleware", "AccessLogMiddleware", "TimeoutMiddleware")


@dataclass
class Contestant:
    """A middleware stack, and the processor time per request of its fastest round, in seconds."""

    name: str
    ask: Callable[[], object]
    least: float = float("inf")


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25, help="rounds in which all stacks take turns")
    parser.add_argument("--requests", type=int, default=60, help="requests of each stack in a round")
    options = parser.parse_args()
    with discarded_output():
        contestants = asyncio.run(measure(options.rounds, options.requests))
    table = Table("stack", "ms of processor time", title=f"One request with the text “{TEXT}”, in the process")
    for contestant in contestants:
        table.add_row(contestant.name, f"{1000 * contestant.least:.3f}")
    Console().print(table)


@contextmanager
def discarded_output() -> Iterator[None]:
    """Write standard output and standard error to the null device, so that logging costs what it costs in a server."""
    null_device = os.open(os.devnull, os.O_WRONLY)
    terminals = {number: os.dup(number) for number in (1, 2)}
    for number in terminals:
        os.dup2(null_device, number)
    try:
        yield
    finally:
        for number, terminal in terminals.items():
            os.dup2(terminal, number)


async def measure(rounds: int, requests: int) -> list[Contestant]:
    """Measure all stacks in turn, after an uncounted round."""
    model = SentimentModel.load()
    models = load_pinned(pinned(read_all(references(Settings()))), ModelLoader(Settings()), routes.ENDPOINTS)
    served = routes.serve(models, Settings())

    @bentoml.service(name="api")
    class Api:
        """The same answers as an API of BentoML."""

        @bentoml.api(route="/v1/predict")
        async def predict(self, request: PredictRequest, /) -> PredictResponse:
            """The sentiment of each text."""
            answer = models.get().predictor.predict(request)
            return PredictResponse(model=answer.model, results=list(answer.results), errors=list(answer.errors))

    app: Starlette = cast("Any", Api).to_asgi()  # the decorator makes a service of the class
    async with app.router.lifespan_context(app):
        contestants = [
            Contestant("the model alone", lambda: model.predict([TEXT])),
            *(Contestant(name, asker(built(app, stack))) for name, stack in stacks(app.user_middleware).items()),
            *(Contestant(name, asker(ours(served, settings))) for name, settings in OURS.items()),
        ]
        for round_index in range(rounds + 1):
            for contestant in contestants:
                started = time.process_time()
                for _ in range(requests):
                    answer = contestant.ask()
                    if asyncio.iscoroutine(answer):
                        await answer
                if round_index > 0:
                    contestant.least = min(contestant.least, (time.process_time() - started) / requests)
    return contestants


def stacks(bentomls: Sequence[Middleware]) -> dict[str, list[Middleware]]:
    """BentoML's layers by name, with fewer of them in each entry."""
    stacks_by_name = {BENTOML: list(bentomls)}
    for name in STRIPPED:
        _, last = list(stacks_by_name.items())[-1]
        stacks_by_name[f"  and without {name}"] = [
            layer for layer in last if getattr(layer.cls, "__name__", "") != name
        ]
    return stacks_by_name


def ours(served: routes.Served, settings: Settings) -> ASGIApp:
    """The service's own application."""
    app = routes.create_app(settings)
    app.state.served = served
    return app


def built(app: Starlette, stack: list[Middleware]) -> ASGIApp:
    """The application within these layers."""
    app.user_middleware = stack
    return app.build_middleware_stack()


def asker(app: ASGIApp) -> Callable[[], object]:
    """A function that sends one request and fails unless the status is 200."""

    async def ask() -> None:
        arriving: list[Message] = [{"type": "http.request", "body": BODY, "more_body": False}]

        async def receive() -> Message:
            if arriving:
                return arriving.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            assert message.get("status", 200) == 200, message  # noqa: PLR2004

        scope = {
            "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/v1/predict",
            "raw_path": b"/v1/predict", "query_string": b"", "root_path": "", "headers": list(HEADERS),
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3000), "state": {},
        }  # fmt: skip
        await app(scope, receive, send)

    return ask


if __name__ == "__main__":
    main()
