"""A request's body, line by line, while it is still arriving."""

from collections.abc import AsyncIterator, Iterator

from starlette.requests import ClientDisconnect
from starlette.types import Receive


class TooLong:
    """What is left of a line that was longer than allowed: nothing of its content was kept."""


TOO_LONG = TooLong()


class Lines:
    """Cuts pieces of a body into lines, of which it holds at most one, and no more of that than is allowed."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._begun = bytearray()
        self._too_long = False

    def feed(self, piece: bytes) -> Iterator[bytes | TooLong]:
        """The lines that end in this piece, without their ends. Lines without any text are passed over."""
        *ended, begun = piece.split(b"\n")
        for part in ended:
            self._append(part)
            yield from self.rest()
        self._append(begun)

    def rest(self) -> Iterator[bytes | TooLong]:
        """The line that has begun, if there is one; the body's last line needs no end."""
        line = TOO_LONG if self._too_long else bytes(self._begun)
        self._begun.clear()
        self._too_long = False
        if isinstance(line, TooLong) or line.strip():
            yield line

    def _append(self, part: bytes) -> None:
        if self._too_long or len(self._begun) + len(part) > self._longest:
            self._too_long = True
            self._begun.clear()
        else:
            self._begun += part


async def arriving(receive: Receive, *, longest: int) -> AsyncIterator[list[bytes | TooLong]]:
    """The lines of a body, as many at a time as have arrived together.

    Raises:
        ClientDisconnect: the client went away before the body was complete.
    """
    lines = Lines(longest)
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        complete = list(lines.feed(message.get("body", b"")))
        yield complete if more else [*complete, *lines.rest()]
