"""The open connections of a process: how many there may be, which gives way, and how each is closed."""

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.monitoring import metrics

if TYPE_CHECKING:
    from service.server.internals import BoundedProtocol

EXTRA_CONNECTIONS = 32
"""Connections above the maximum that are kept for as long as it takes to see whether they are probes."""

IDLE_SECONDS = 1.0
"""A connection that has been idle for this long gives way to a new one where the maximum is reached."""

WARNING_SECONDS = 10.0
"""The least time between two lines about too many connections."""

logger = logging.getLogger("bentoml.connections")  # under "bentoml", whose lines BentoML writes out


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """What every connection of this process keeps to.

    Attributes:
        access_log: whether a refusal leaves a line in the log.
        keep_alive_seconds: how long a connection may be idle.
        head_seconds: how long the head of a request may take to arrive.
        close_seconds: how long a closing connection may take to send the rest of its answer, or its client to send the
            rest of a refused body.
        max_connections: how many connections may be open.
    """

    access_log: bool = True
    keep_alive_seconds: float = 75.0
    head_seconds: float = 10.0
    close_seconds: float = 30.0
    max_connections: int = 1024


class Connections:
    """The open connections of this process."""

    def __init__(self) -> None:
        self.open: set[BoundedProtocol] = set()
        self.are_closed_after_answers = False
        self._idle: dict[BoundedProtocol, float] = {}  # since when, the longest first
        self._extra: dict[BoundedProtocol, None] = {}  # the oldest first
        self._warned = float("-inf")

    def add(self, connection: "BoundedProtocol") -> bool:
        """Add a new one; return whether it is above the maximum."""
        self.open.add(connection)
        metrics.OPEN_CONNECTIONS.set(len(self.open))
        now, maximum = connection.loop.time(), connection.options.max_connections
        if len(self.open) - len(self._extra) <= maximum:
            self._idle[connection] = now
            return False
        longest, since = next(iter(self._idle.items()), (None, now))
        if longest is not None and now - since >= IDLE_SECONDS:
            longest.cut_off("gave_way")
            self._idle[connection] = now
            return False
        if now - self._warned > WARNING_SECONDS:
            self._warned = now
            logger.warning(
                "%d connections are open, the maximum (SENTIMENT_MAX_CONNECTIONS): others get 429, except probes",
                maximum,
            )
        if len(self._extra) >= EXTRA_CONNECTIONS:
            next(iter(self._extra)).cut_off("too_many")
        self._extra[connection] = None
        return True

    def remove(self, connection: "BoundedProtocol") -> None:
        """Forget one that is closed, or about to be."""
        self.open.discard(connection)
        self._extra.pop(connection, None)
        self._idle.pop(connection, None)
        metrics.OPEN_CONNECTIONS.set(len(self.open))

    def idles(self, connection: "BoundedProtocol") -> None:
        """Note that one waits for its next request."""
        self._idle[connection] = connection.loop.time()

    def works(self, connection: "BoundedProtocol") -> None:
        """Note that one has received something."""
        self._idle.pop(connection, None)


connections = Connections()


class ClosingTransport:
    """A transport whose ``close`` lets a client that still sends read its answer, and that ends in any case."""

    def __init__(self, transport: asyncio.Transport, connection: "BoundedProtocol") -> None:
        self.write = transport.write
        self._transport = transport
        self._connection = connection
        self._end: asyncio.TimerHandle | None = None
        self.lingers = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether the connection is closed, or nothing more will be sent."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Close the connection once its answer is sent; read and drop what a client still sends of its request."""
        if self.is_closing():
            return
        if self._connection.reader_has_stopped():
            self._connection.cut_off("not_read")
            return
        if self._connection.still_receives() and self._transport.can_write_eof():
            self.lingers = True
            self._transport.write_eof()
            self._connection.flow.resume_reading()
        else:
            self._transport.close()
        self._start_timer()

    def close_at_once(self) -> None:
        """Close the connection once its answer is sent, whatever the client still sends."""
        self._transport.close()
        self._start_timer()

    def _start_timer(self) -> None:
        if self._end is None:
            connection = self._connection
            self._end = connection.loop.call_later(
                connection.options.close_seconds, connection.cut_off, "close_too_slow"
            )

    def closed(self) -> None:
        """Note that the connection is closed."""
        if self._end is not None:
            self._end.cancel()
