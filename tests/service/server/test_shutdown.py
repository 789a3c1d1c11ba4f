"""The last step of the end waits for connections that have not sent a request, but not for ever."""

from types import SimpleNamespace

import pytest

from service.server import shutdown


class Loop:
    """A loop whose time the test sets, and which remembers what is to be called."""

    def __init__(self):
        self.now = 100.0
        self.later = []

    def time(self):
        return self.now

    def call_later(self, _seconds, function, *arguments):
        self.later.append((function, arguments))


@pytest.fixture
def connection(monkeypatch):
    """The only open connection, which has not sent anything."""
    connection = SimpleNamespace(cycle=None)
    monkeypatch.setattr(shutdown.connections, "open", {id(connection): connection}.values())
    return connection


@pytest.mark.parametrize("what_happens", ["it asks", "time passes"])
def test_a_connection_without_a_request_is_waited_for(connection, what_happens):
    loop, ended = Loop(), []
    shutdown._turn_away(loop, [], lambda: ended.append(True))
    for _ in range(2):
        function, arguments = loop.later.pop()
        function(*arguments)
        assert not ended
    if what_happens == "it asks":
        connection.cycle = object()
    else:
        loop.now += shutdown.FIRST_REQUEST_SECONDS
    function, arguments = loop.later.pop()
    function(*arguments)
    assert ended
    assert not loop.later
