"""The application with adapters, in this process, over the tiny bundle."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from model_store import SentimentModel
from service.routes import create_app, serve
from service.settings import Settings
from tests.support.served import served_models

MAX_TEXTS = 40

Start = Callable[..., AbstractContextManager[TestClient]]


@pytest.fixture(scope="package")
def model(tiny_bundle: Path) -> SentimentModel:
    """The same bundle without HTTP, for expected answers."""
    return SentimentModel.load(tiny_bundle)


@pytest.fixture(scope="package")
def start(tiny_bundle: Path) -> Start:
    """``with start(adapters="tei", ...) as client``."""

    @contextmanager
    def started(**options: object) -> Iterator[TestClient]:
        settings = Settings(threads=1, max_texts=MAX_TEXTS, **options)
        app = create_app(settings)
        app.state.served = serve(served_models(tiny_bundle, settings=settings), settings)
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client
        app.state.served.executor.close()

    return started


@pytest.fixture(scope="package")
def client(start: Start) -> Iterator[TestClient]:
    """All adapters but infinity's, which has a path of vLLM's."""
    with start(adapters="tei,huggingface,vllm,openai") as client:
        yield client
