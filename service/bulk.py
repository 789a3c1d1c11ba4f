"""POST /v1/bulk: any number of texts, one JSON object a line, answered in order while they are still arriving.

Memory holds at most the lines that arrived together and the answers to one group of them. Reading stops while an answer
is written, so a client that does not read its answers delays only itself; after a while its connection is closed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import count

from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from model_store import BundleError, TokenizedText
from model_store.scoring.groups import answer_group, token_groups
from service.errors import ERRORS, RequestError
from service.executor import InferenceExecutor
from service.middleware.request_context import current_request
from service.middleware.turns import Turn
from service.monitoring import metrics
from service.predictor import Predictor, UnansweredTextError
from service.request_body import BYTE_ORDER_MARK, parse_json, parse_query
from service.schemas import BulkLine, LineErrorCode, PredictOptions, UnansweredLine

NDJSON = "application/x-ndjson"

HEADERS = [
    (b"content-type", NDJSON.encode()),
    (b"x-accel-buffering", b"no"),  # nginx would otherwise collect answers before it sends them on
]

logger = logging.getLogger(__name__)


class OversizedLine:
    """A line that was longer than allowed; its content was dropped."""


OVERSIZED = OversizedLine()


class LineSplitter:
    """Splits a body into lines. It holds at most one line, up to the maximum length."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._line = bytearray()
        self._is_oversized = False

    def feed(self, piece: bytes) -> Iterator[bytes | OversizedLine]:
        """The lines that end in this piece, without line breaks. Blank lines are skipped."""
        *ends, begin = piece.split(b"\n")
        for end in ends:
            self._append(end)
            yield from self.flush()
        self._append(begin)

    def flush(self) -> Iterator[bytes | OversizedLine]:
        """The line that has begun, unless it is blank; the last line of a body needs no line break."""
        line = OVERSIZED if self._is_oversized else bytes(self._line)
        self._line.clear()
        self._is_oversized = False
        if isinstance(line, OversizedLine) or line.removeprefix(BYTE_ORDER_MARK).strip():
            yield line

    def _append(self, part: bytes) -> None:
        if self._is_oversized or len(self._line) + len(part) > self._max_length:
            self._is_oversized = True
            self._line.clear()
        else:
            self._line += part


class SilentStreamError(Exception):
    """The client has sent no line for too long."""


async def iter_lines(
    receive: Receive, *, max_length: int, idle_seconds: float
) -> AsyncIterator[list[bytes | OversizedLine]]:
    """The lines of a body, in lists of those that arrived together.

    Raises:
        ClientDisconnect: the client disconnected before the body was complete.
        SilentStreamError: no line was completed for so many seconds; single bytes and blank lines do not count.
    """
    loop = asyncio.get_running_loop()
    splitter = LineSplitter(max_length)
    until = loop.time() + idle_seconds
    more = True
    while more:
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise SilentStreamError from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        complete = list(splitter.feed(message.get("body", b"")))
        yield complete if more else [*complete, *splitter.flush()]
        if complete:
            until = loop.time() + idle_seconds  # from the moment the answers were sent


class LineAnswers:
    """Answers the lines of one stream.

    Args:
        predictor: the model, to the end of the stream, also if it is exchanged meanwhile.
        options: those of the stream.
        max_line_bytes: maximum length of a line, for its message.
    """

    def __init__(self, predictor: Predictor, options: PredictOptions, *, max_line_bytes: int) -> None:
        self._predictor = predictor
        self._options = options
        self._max_line_bytes = max_line_bytes

    def answer_group(self, waiting: deque[bytes | OversizedLine], first: int) -> bytes:
        """Take a group of waiting lines, the first of which has this index, and answer it."""
        group = next(token_groups(self._tokenized(waiting, first)))
        texts = {index: text for index, text in enumerate(group, start=first) if isinstance(text, TokenizedText)}
        results = self._results(texts)
        answers = answer_group(group, lambda _: [results[index] for index in texts])
        metrics.unanswered(answer.code for answer in answers if isinstance(answer, UnansweredLine))
        return b"".join(answer.model_dump_json().encode() + b"\n" for answer in answers)

    def _tokenized(self, waiting: deque[bytes | OversizedLine], first: int) -> Iterator[TokenizedText | UnansweredLine]:
        for index in count(first):
            if not waiting:
                return
            yield self._tokenize(waiting.popleft(), index)

    def _tokenize(self, line: bytes | OversizedLine, index: int) -> TokenizedText | UnansweredLine:
        if isinstance(line, OversizedLine):
            message = f"The line is longer than {self._max_line_bytes:,} bytes."
            return UnansweredLine(index=index, code="line_too_long", message=message)
        try:
            return self._predictor.tokenize(parse_json(BulkLine, line).text, self._options.truncate)
        except UnansweredTextError as error:
            return UnansweredLine(index=index, code=error.code, message=error.message)
        except RequestError as problem:
            message = f"{problem.param}: {problem.message}" if problem.param else problem.message
            code: LineErrorCode = "invalid_json" if problem.code == "invalid_json" else "invalid_request"
            return UnansweredLine(index=index, code=code, message=message)
        except BundleError:  # the tokenizer failed on this text; the next lines are answered
            logger.exception("a line of a stream failed")
            return UnansweredLine(index=index, code="internal_error", message=ERRORS["internal_error"].message)

    def _results(self, texts: Mapping[int, TokenizedText]) -> dict[int, BaseModel]:
        try:
            return {result.index: result for result in self._predictor.results(texts, self._options)}
        except Exception:  # whatever it is, the next lines are answered
            logger.exception("%d lines of a stream failed", len(texts))
            message = ERRORS["internal_error"].message
            return {index: UnansweredLine(index=index, code="internal_error", message=message) for index in texts}


class BulkHandler:
    """The handler, as an ASGI application.

    Args:
        predictor_of: the model of a name, the default one for None; raises ``RequestError`` if there is none.
        executor: computes groups of lines, in turns with everybody's requests.
        max_line_bytes: maximum length of a line.
        stall_seconds: how long a client may take to read a group's answers.
        idle_seconds: how long a stream may bring no line.
    """

    def __init__(
        self,
        predictor_of: Callable[[str | None], Predictor],
        executor: InferenceExecutor,
        *,
        max_line_bytes: int,
        stall_seconds: float,
        idle_seconds: float,
    ) -> None:
        self._predictor_of = predictor_of
        self._executor = executor
        self._max_line_bytes = max_line_bytes
        self._stall_seconds = stall_seconds
        self._idle_seconds = idle_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request (ASGI)."""
        try:
            options = _options(scope)
            predictor = self._predictor_of(options.model)
        except RequestError as error:
            await error.response()(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        answers = LineAnswers(predictor, options, max_line_bytes=self._max_line_bytes)
        with suppress(ClientDisconnect, TimeoutError):
            last = await self._answer_all(answers, receive, send)
            await send({"type": "http.response.body", "body": last})

    async def _answer_all(self, answers: LineAnswers, receive: Receive, send: Send) -> bytes:
        """Answer line after line, and return what is to be written at the end."""
        context, turn = current_request(), Turn(self._executor.turns)
        index = 0
        try:
            async for lines in iter_lines(receive, max_length=self._max_line_bytes, idle_seconds=self._idle_seconds):
                waiting = deque(lines)
                while waiting:
                    before = len(waiting)
                    answer = partial(answers.answer_group, waiting, index)
                    body = await self._executor.run_part(answer, context, turn)
                    index += before - len(waiting)
                    async with asyncio.timeout(self._stall_seconds):
                        await send({"type": "http.response.body", "body": body, "more_body": True})
        except SilentStreamError:
            message = f"No line came for {self._idle_seconds:g} seconds, so the stream ends here."
            return UnansweredLine(index=index, code="stream_idle", message=message).model_dump_json().encode() + b"\n"
        return b""


def _options(scope: Scope) -> PredictOptions:
    """The options in the request's address.

    Raises:
        RequestError: an unknown option or value, or a body of another kind.
    """
    headers = Headers(scope=scope)
    media_type = headers.get("content-type", NDJSON).partition(";")[0].strip().lower()
    if media_type != NDJSON or headers.get("content-encoding", "identity") != "identity":
        raise RequestError("unsupported_media_type", f"Send the body as {NDJSON}, not compressed.")
    return parse_query(PredictOptions, scope["query_string"])
