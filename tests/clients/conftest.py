"""The server that the clients ask."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server, StartServer


@pytest.fixture(scope="package")
def server(tiny_bundle: Path, start_server: StartServer) -> Iterator[Server]:
    with start_server(model=tiny_bundle, threads=1, adapters="tei,huggingface,vllm,openai") as server:
        yield server
