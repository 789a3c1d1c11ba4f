"""A real server with limits that tests can reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server, StartServer

LIMITS = {
    "threads": 1,
    "max_in_flight": 4,
    "max_streams": 1,
    "deadline_seconds": 3,  # several times what a test needs
    "max_request_tokens": 50_000,
    "max_request_numbers": 1_500_000,
    "drain_seconds": 0.5,
}


@pytest.fixture(scope="session")
def serve(tiny_bundle: Path, start_server: StartServer) -> StartServer:
    """Start the service over the tiny bundle; settings replace this and ``LIMITS``."""
    return lambda **settings: start_server(**({"model": tiny_bundle} | LIMITS | settings))


@pytest.fixture(scope="module")
def server(serve: StartServer) -> Iterator[Server]:
    """One server for the tests of a module."""
    with serve() as running_server:
        yield running_server
