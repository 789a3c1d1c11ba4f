"""The whole service over the tiny bundle, with limits small enough to reach."""

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from model_store import SentimentModel
from tests.support.real_server import Server, running

MAX_BODY_BYTES = 65_536
MAX_TEXTS = 8
MAX_CHARACTERS = 4_000


BENTO_HOME = Path(os.environ["BENTO_HOME"]) if "BENTO_HOME" in os.environ else None
"""Where a built bento lies: with it, every test here asks that bento over a real connection (``make test-bento``)."""


@pytest.fixture(scope="session")
def client(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = {
        "model": tiny_bundle,
        "max_body_bytes": MAX_BODY_BYTES,
        "max_texts": MAX_TEXTS,
        "max_characters": MAX_CHARACTERS,
        "threads": 2,
    }
    if BENTO_HOME is not None:
        log = tmp_path_factory.mktemp("bento") / "log"
        with (
            running(log, bento_home=BENTO_HOME, **settings) as server,
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
    """For tests that reach into the serving process, which a built bento's lets nobody do."""
    if not isinstance(client, TestClient):
        pytest.skip("the bento serves in a process of its own")


@pytest.fixture(scope="session")
def model(tiny_bundle: Path) -> SentimentModel:
    """The same bundle without HTTP: what every answer is compared with."""
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="session")
def server(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real server over the same bundle, with the limits it has by default."""
    with running(tmp_path_factory.mktemp("server") / "log", model=tiny_bundle, threads=1) as server:
        yield server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One real server is enough where tests run in several processes."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("server"))
