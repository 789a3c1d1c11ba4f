"""The whole service over the tiny bundle, with limits small enough to reach."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_server import Server, running
from starlette.testclient import TestClient

from model_store import SentimentModel

MAX_BODY_BYTES = 65_536
MAX_TEXTS = 8
MAX_CHARACTERS = 4_000


@pytest.fixture(scope="session")
def client(tiny_bundle: Path) -> Iterator[TestClient]:
    settings = {
        "SENTIMENT_MODEL": tiny_bundle,
        "SENTIMENT_MAX_BODY_BYTES": MAX_BODY_BYTES,
        "SENTIMENT_MAX_TEXTS": MAX_TEXTS,
        "SENTIMENT_MAX_CHARACTERS": MAX_CHARACTERS,
        "SENTIMENT_THREADS": 2,
        "BENTOML_DO_NOT_TRACK": "true",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in settings.items():
            environment.setenv(name, str(value))
        app = importlib.import_module("service.app")  # it reads the settings, and only now
    with TestClient(app.SentimentService.to_asgi(), raise_server_exceptions=False) as client:
        yield client


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
