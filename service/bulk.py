"""POST /v1/bulk: any number of texts, one JSON object a line, answered in order while they are still arriving.

At any time there are at most the lines that arrived together and the answers to one group of them. Reading stops while
an answer is written, so a client that does not read its answers stops its own work, and nobody else's; after a while
it is given up.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import suppress

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from model_store import TokenizedText
from service.errors import ERRORS, RequestError, invalid
from service.predictor import Answers, UnreadableTextError
from service.schemas import BulkLine, BulkOptions, LineErrorCode, UnansweredLine

NDJSON = "application/x-ndjson"

GROUP_TOKENS = 4096
"""Lines are answered together up to this many tokens: enough for full batches, and under a second of one thread."""

GROUP_LINES = 512
"""The most lines answered together, for lines that have no tokens."""

HEADERS = [
    (b"content-type", NDJSON.encode()),
    (b"x-accel-buffering", b"no"),  # nginx would otherwise keep the answers until it has many
]

logger = logging.getLogger(__name__)


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


class Bulk:
    """The call, as an ASGI application."""

    def __init__(self, answers: Answers, executor: Executor, *, longest_line: int, stall_seconds: float) -> None:
        self._answers = answers
        self._executor = executor
        self._longest_line = longest_line
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, as ASGI has it."""
        try:
            options = _options(scope)
        except RequestError as error:
            await error.response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        with suppress(ClientDisconnect, TimeoutError):
            await self._answer_all(options, receive, send)
            await send({"type": "http.response.body", "body": b""})

    async def _answer_all(self, options: BulkOptions, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        number = 0
        async for lines in arriving(receive, longest=self._longest_line):
            waiting = deque(lines)
            while waiting:
                before = len(waiting)
                body = await loop.run_in_executor(self._executor, self._answer_some, waiting, number, options)
                number += before - len(waiting)
                async with asyncio.timeout(self._stall_seconds):
                    await send({"type": "http.response.body", "body": body, "more_body": True})

    def _answer_some(self, waiting: deque[bytes | TooLong], first: int, options: BulkOptions) -> bytes:
        """Takes a group of lines from those that wait and answers it."""
        answers: dict[int, BaseModel] = {}
        texts: dict[int, TokenizedText] = {}
        tokens = 0
        for index in range(first, first + min(len(waiting), GROUP_LINES)):
            read = self._read(waiting.popleft(), index, options)
            if isinstance(read, UnansweredLine):
                answers[index] = read
                continue
            texts[index] = read
            tokens += len(read)
            if tokens >= GROUP_TOKENS:
                break
        answers.update(self._results(texts, options))
        return b"".join(answers[index].model_dump_json().encode() + b"\n" for index in sorted(answers))

    def _read(self, line: bytes | TooLong, index: int, options: BulkOptions) -> TokenizedText | UnansweredLine:
        if isinstance(line, TooLong):
            message = f"The line is longer than {self._longest_line:,} bytes."
            return UnansweredLine(index=index, code="line_too_long", message=message)
        try:
            return self._answers.read(BulkLine.model_validate_json(line).text, options.truncate)
        except UnreadableTextError as error:
            return UnansweredLine(index=index, code=error.code, message=error.message)
        except ValidationError as error:
            wrong = invalid(error)
            message = f"{wrong.param}: {wrong.message}" if wrong.param else wrong.message
            code: LineErrorCode = "invalid_json" if wrong.code == "invalid_json" else "invalid_request"
            return UnansweredLine(index=index, code=code, message=message)

    def _results(self, texts: Mapping[int, TokenizedText], options: BulkOptions) -> dict[int, BaseModel]:
        explain, sentences = options.explain == "true", options.sentences == "true"
        try:
            results = self._answers.results(texts, explain=explain, sentences=sentences)
        except Exception:  # whatever it is, the lines behind these are answered
            logger.exception("%d lines of a stream failed", len(texts))
            message = ERRORS["internal_error"].message
            return {index: UnansweredLine(index=index, code="internal_error", message=message) for index in texts}
        return {result.index: result for result in results}


def _options(scope: Scope) -> BulkOptions:
    """What the request's address and headers say.

    Raises:
        RequestError: an option that does not exist or a body of another kind.
    """
    headers = Headers(scope=scope)
    media_type = headers.get("content-type", NDJSON).partition(";")[0].strip().lower()
    if media_type != NDJSON or headers.get("content-encoding", "identity") != "identity":
        raise RequestError("unsupported_media_type", f"Send the body as {NDJSON}, not compressed.")
    given = QueryParams(scope["query_string"]).multi_items()
    try:
        return BulkOptions.model_validate(dict(given))
    except ValidationError as error:
        raise invalid(error) from None
