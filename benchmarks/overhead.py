"""What the layers around a request cost: processor time in the process, without sockets and HTTP parsing.

    python -m benchmarks.overhead [--rounds 25] [--requests 60]

One request is sent to the same service in different layers, all in one process: as it is, without the access log, and
as an API of BentoML with BentoML's layers, one of which goes with each row. They take turns, and each one's figure is
its least round, which a busy machine disturbs least. Processor time is that of all threads. Subtract the first row, the
model's own, to see what is left for serving.
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

# Before prometheus_client is imported: `bentoml serve` keeps metrics in files too, and that costs something.
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
# In this order each of these goes, on top of those before it. The metrics go first: a process can have them once.
STRIPPED = ("RunnerTrafficMetricsMiddleware", "OpenTelemetryMiddleware", "AccessLogMiddleware", "TimeoutMiddleware")


@dataclass
class Contestant:
    """One stack, and the seconds of processor that a request took in its least round."""

    name: str
    ask: Callable[[], object]
    least: float = float("inf")


def main() -> None:
    """Measures and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--requests", type=int, default=60, help="in each round, of each stack")
    options = parser.parse_args()
    with written_to_nowhere():
        contestants = asyncio.run(measure(options.rounds, options.requests))
    table = Table("stack", "ms of processor", title=f"One request with the text “{TEXT}”, in the process")
    for one in contestants:
        table.add_row(one.name, f"{1000 * one.least:.3f}")
    Console().print(table)


@contextmanager
def written_to_nowhere() -> Iterator[None]:
    """Lines of the log are written, as in a server, but not to this terminal."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    terminals = {number: os.dup(number) for number in (1, 2)}
    for number in terminals:
        os.dup2(nowhere, number)
    try:
        yield
    finally:
        for number, terminal in terminals.items():
            os.dup2(terminal, number)


async def measure(rounds: int, requests: int) -> list[Contestant]:
    """Lets all stacks take turns, after one round that is not counted."""
    model = SentimentModel.load()
    served = routes.serve(model, Settings())

    @bentoml.service(name="api")
    class Api:
        """The same answers as an API of BentoML."""

        @bentoml.api(route="/v1/predict")
        async def predict(self, request: PredictRequest, /) -> PredictResponse:
            """The sentiment of each text."""
            return served.predictor.predict(request)

    app: Starlette = Api.to_asgi()
    async with app.router.lifespan_context(app):
        contestants = [
            Contestant("the model alone", lambda: model.predict([TEXT])),
            *(Contestant(name, asker(built(app, stack))) for name, stack in stacks(app.user_middleware).items()),
            *(Contestant(name, asker(ours(served, settings))) for name, settings in OURS.items()),
        ]
        for number in range(rounds + 1):
            for one in contestants:
                started = time.process_time()
                for _ in range(requests):
                    answer = one.ask()
                    if asyncio.iscoroutine(answer):
                        await answer
                if number > 0:
                    one.least = min(one.least, (time.process_time() - started) / requests)
    return contestants


def stacks(bentomls: Sequence[Middleware]) -> dict[str, list[Middleware]]:
    """Every stack by its name."""
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
    """What sends one request and fails where the answer is not 200."""

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
