"""The whole service over the tiny bundle, with limits that tests can reach."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from model_store import SentimentModel
from tests.support.server import Server, StartServer

MAX_BODY_BYTES = 65_536
MAX_TEXTS = 8
MAX_CHARACTERS = 4_000

BENTO_HOME = Path(os.environ["BENTO_HOME"]) if "BENTO_HOME" in os.environ else None
"""The BENTOML_HOME of a built bento. If set, the tests here send their requests to that bento (``make test-bento``)."""


@pytest.fixture(scope="session")
def client(tiny_bundle: Path, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    """An HTTP client of the service: in this process, or of the bento in ``BENTO_HOME``."""
    settings = {
        "model": tiny_bundle,
        "max_body_bytes": MAX_BODY_BYTES,
        "max_texts": MAX_TEXTS,
        "max_characters": MAX_CHARACTERS,
        "threads": 2,
    }
    if BENTO_HOME is not None:
        start_server: StartServer = request.getfixturevalue("start_server")
        with (
            start_server(bento_home=BENTO_HOME, **settings) as server,
            httpx.Client(base_url=server.url, timeout=30) as client,
        ):
            yield client
        return
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(f"SENTIMENT_{name.upper()}", str(value))
        app = importlib.import_module("service.app")  # it reads the settings, and only now
    with TestClient(app.SentimentService.to_asgi(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def inside(client: httpx.Client) -> None:
    """Skip a test that patches the service where the service runs in another process."""
    if not isinstance(client, TestClient):
        pytest.skip("the bento serves in its own process")


@pytest.fixture(scope="session")
def model(tiny_bundle: Path) -> SentimentModel:
    """The same bundle without HTTP, for expected answers."""
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="session")
def server(tiny_bundle: Path, start_server: StartServer) -> Iterator[Server]:
    """A real server over the same bundle, with the default limits."""
    with start_server(model=tiny_bundle, threads=1) as server:
        yield server
