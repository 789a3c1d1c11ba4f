"""A body becomes the same lines however it is cut into pieces, and a long line is never kept."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect

from service.bulk import OVERSIZED, LineSplitter, iter_lines

LONGEST = 8


def lines_of(*pieces):
    lines = LineSplitter(LONGEST)
    return [line for piece in pieces for line in lines.feed(piece)] + list(lines.flush())


LINES = st.binary(max_size=60).map(lambda raw: raw.replace(b"x", b"\n"))

BOM = b"\xef\xbb\xbf"
"""UTF-8's byte-order mark. A line that has nothing else is blank; the parser of a line takes it off."""


@given(body=st.builds(bytes.__add__, st.sampled_from([b"", BOM]), LINES), cuts=st.lists(st.integers(0, 60)))
def test_the_cuts_between_pieces_do_not_matter(body, cuts):
    edges = [0, *sorted(cuts), len(body)]
    pieces = [body[start:end] for start, end in pairwise(edges)]
    assert lines_of(*pieces) == [
        line if len(line) <= LONGEST else OVERSIZED
        for line in body.split(b"\n")
        if line.removeprefix(BOM).strip() or len(line) > LONGEST
    ]


def test_the_last_line_needs_no_end_and_empty_ones_are_passed_over():
    assert lines_of(b"\n\none\r\n \ntwo\n\nthr", b"ee") == [b"one\r", b"two", b"three"]


def test_of_a_line_that_is_too_long_nothing_is_kept():
    lines = LineSplitter(LONGEST)
    for _ in range(1000):
        assert list(lines.feed(b"12345678")) == []
        assert len(lines._line) <= LONGEST
    assert list(lines.feed(b"9\nnext\n")) == [OVERSIZED, b"next"]


def test_a_client_that_goes_away_ends_the_lines():
    messages = [{"type": "http.request", "body": b"one\ntw", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def collect(seen):
        async for lines in iter_lines(receive, max_length=LONGEST, idle_seconds=10):
            seen.extend(lines)

    seen = []
    with pytest.raises(ClientDisconnect):
        asyncio.run(collect(seen))
    assert seen == [b"one"]
