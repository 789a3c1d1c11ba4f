"""SIGTERM: the service first reports that it is not ready, then accepts no connections, then finishes its requests.

1. For the drain, everything is answered, with ``Connection: close``, so that clients and load balancers turn away.
2. The kernel is told to ignore attempts to connect. Connections that it has completed are accepted and answered.
3. The listening socket is closed, and attempts to connect are refused. Requests under way have the grace to end.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import Any

from service.errors import RequestError
from service.server.connections import connections
from service.server.internals import close_after_answers, listening_sockets
from service.server.listening import ignore_new_connections

LAST_SECONDS = 0.5
"""For connections that are complete but not accepted. Shorter than the second after which a client's kernel tries again
to connect, and is then refused."""

FIRST_REQUEST_SECONDS = 2.0
"""How long the first request of such a connection is waited for."""


class GracefulShutdown:
    """Delays the server's own handler of SIGTERM, which stops listening and ends idle connections at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.has_begun = False

    def check_ready(self) -> None:
        """Raise ``RequestError`` once the service is stopping."""
        if self.has_begun:
            raise RequestError("not_ready")

    def listen(self) -> None:
        """Install the handler. Call it in the event loop of the running server, after its own handler is installed."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread receives signals; a server in another thread is stopped by other means
        loop = asyncio.get_running_loop()
        handler_of_server = signal.getsignal(signal.SIGTERM)

        def stop(signal_number: int, frame: FrameType | None) -> None:
            if not self.has_begun and callable(handler_of_server):
                end = partial(handler_of_server, signal_number, frame)
                turn_away = partial(_turn_away, loop, listening_sockets(handler_of_server), end)
                loop.call_soon_threadsafe(close_after_answers)
                loop.call_soon_threadsafe(loop.call_later, self._seconds, turn_away)
            self.has_begun = True

        signal.signal(signal.SIGTERM, stop)


def _turn_away(loop: asyncio.AbstractEventLoop, listeners: Iterable[Any], end: Callable[[], object]) -> None:
    for listener in listeners:
        ignore_new_connections(listener)
    loop.call_later(LAST_SECONDS, _end_after_first_requests, loop, end, loop.time() + FIRST_REQUEST_SECONDS)


def _end_after_first_requests(loop: asyncio.AbstractEventLoop, end: Callable[[], object], latest: float) -> None:
    if loop.time() < latest and any(connection.cycle is None for connection in connections.open):
        loop.call_later(0.1, _end_after_first_requests, loop, end, latest)
    else:
        end()
