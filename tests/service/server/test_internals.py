"""What the service relies on inside BentoML and uvicorn. After an upgrade, a failure here says what has changed."""

import asyncio
import inspect
from unittest.mock import Mock

import httptools
import pytest
from uvicorn import Config, config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import Server, ServerState

from service.adapters.adapted_model import HEALTH
from service.endpoints import UNLISTED, EndpointTable
from service.routes import ENDPOINTS
from service.server import internals
from service.server.connections import ConnectionOptions
from service.server.internals import PROBES, BoundedProtocol, listening_sockets

OVERRIDDEN = (
    "connection_made",
    "connection_lost",
    "data_received",
    "on_message_begin",
    "on_headers_complete",
    "on_body",
    "on_message_complete",
    "on_response_complete",
    "send_400_response",
)


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_uvicorn_has_the_methods_that_are_overridden(name):
    ours, theirs = getattr(BoundedProtocol, name), getattr(HttpToolsProtocol, name)
    assert ours is not theirs
    assert list(inspect.signature(ours).parameters) == list(inspect.signature(theirs).parameters)


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


async def application(_scope, _receive, _send):
    raise NotImplementedError


def test_uvicorns_protocol_has_the_state_that_is_used(loop):
    protocol = HttpToolsProtocol(Config(application), ServerState(), {}, _loop=loop)
    used = {"parser", "timeout_keep_alive", "timeout_keep_alive_task", "transport", "cycle", "server_state", "headers"}
    used |= {"app", "flow", "loop", "pipeline"}
    assert used <= vars(protocol).keys()
    protocol.on_message_begin()
    assert protocol.url == b""
    parameters = inspect.signature(RequestResponseCycle).parameters
    assert "message_event" in parameters
    source = inspect.getsource(RequestResponseCycle.__init__)
    used = ("disconnected", "response_started", "response_complete", "keep_alive", "more_body")
    assert all(f"self.{name}" in source for name in used)
    assert protocol.flow is None
    protocol.connection_made(Mock())
    assert protocol.flow.write_paused is False


def test_uvicorn_takes_the_default_protocol_from_the_table(loop):
    previous = (config.HTTP_PROTOCOLS["auto"], BoundedProtocol.options)
    try:
        internals.install_protocol(ConnectionOptions(keep_alive_seconds=42.0))
        loaded = Config(application)  # as BentoML starts it: without a choice of protocol
        loaded.load()
        assert loaded.http_protocol_class is BoundedProtocol
        assert BoundedProtocol(loaded, ServerState(), {}, _loop=loop).timeout_keep_alive == 42.0
    finally:
        config.HTTP_PROTOCOLS["auto"], BoundedProtocol.options = previous


def test_the_sockets_of_a_server_are_found_through_its_handler_of_signals(loop):
    server = Server(Config(application))
    listener = loop.run_until_complete(loop.create_server(asyncio.Protocol, "127.0.0.1", 0))
    server.servers = [listener]
    (found,) = listening_sockets(server.handle_exit)
    assert found.fileno() == listener.sockets[0].fileno()
    assert list(listening_sockets(lambda *_: None)) == []
    listener.close()


def test_the_probes_are_endpoints():
    table = EndpointTable((*ENDPOINTS, HEALTH))
    assert all(table.at(path.decode()) is not UNLISTED for path in PROBES)


def test_httptools_says_where_the_head_of_an_upgrade_ends():
    class Callbacks:
        pass

    head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 4\r\n\r\n"
    parser = httptools.HttpRequestParser(Callbacks())
    with pytest.raises(httptools.HttpParserUpgrade) as upgrade:
        parser.feed_data(head + b"body")
    assert upgrade.value.args == (len(head),)
