"""Sentence boundaries of a text.

The splitter is sentencex, Wikimedia's: rules and abbreviations, nothing to download. It knows punctuation. What
reviews use in its place is added here: line breaks, HTML line breaks, bullets and headings such as "Pros:".
"""

import logging
import re
from bisect import bisect
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import sentencex

from model_store import TokenizedText

LANGUAGE = "en"
"""Whose abbreviations do not end a sentence. Sentence marks of other scripts are known to every language."""

PLAIN_WHITESPACE = {code: " " for code in range(0x80, 0x3001) if chr(code).isspace()}
"""sentencex 1.0.32 panics at an initial after white space of several bytes, such as a no-break space and ``J.``

One character replaces one character, so offsets do not change. U+3000 is the last white space in Unicode.
"""

LINE_BREAK = re.compile(r"(?:<br\s*/?>|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029])(?:\s|<br\s*/?>)*", re.IGNORECASE)
"""Ends a sentence. Together with the white space and the line breaks that follow."""

ITEM = re.compile(r"(?<!\S)(?=[•‣◦▪●∙]\s)|(?<!\w)(?=(?:Pros?|PROS?|Cons?|CONS?)\s?:)")
"""Begins a sentence: a bullet, or the heading of a list of advantages or disadvantages."""

CONTEXT = 128
"""Characters before and after the tokens that the model reads, or after a window, that are looked at as well: an
abbreviation and the word that follows it."""

WINDOW = 4096
"""Characters looked at together, some 700 words. The time that sentencex takes is quadratic in unmatched quotation
marks, and it holds the interpreter's lock: 20 ms for a window of nothing else."""

logger = logging.getLogger(__name__)


def split(text: TokenizedText) -> Iterator[TokenizedText]:
    """The sentences of the tokens that the model reads, in order; every token is in exactly one.

    A sentence spans its first token to its last: ``text.text[sentence.starts[0] : sentence.ends[-1]]``. The part of a
    text that was truncated has no sentences.
    """
    begin = max(0, int(text.starts[0]) - CONTEXT)
    ends = np.array(_ends(text.text[begin : int(text.ends[-1]) + CONTEXT]), dtype=np.int64)
    sentence_of_token = np.searchsorted(ends, text.starts - begin, side="right")  # (tokens,)
    edges = [0, *(np.flatnonzero(np.diff(sentence_of_token)) + 1).tolist(), len(text)]
    for first, last in pairwise(edges):
        tokens = slice(first, last)
        yield TokenizedText(
            text=text.text,
            ids=text.ids[tokens],
            starts=text.starts[tokens],
            ends=text.ends[tokens],
            known=text.known[tokens],
            truncated=False,
        )


def _ends(text: str) -> list[int]:
    """The offset behind each sentence and the white space that follows it, in order."""
    begin = len(text) - len(text.lstrip())
    breaks = [match.span() for match in LINE_BREAK.finditer(text) if match.start() > begin]
    starts = [start for start, _ in breaks]
    ends = {end for _, end in breaks} | {match.start() for match in ITEM.finditer(text)}
    for end in _punctuation_ends(text):
        index = bisect(starts, end) - 1
        ends.add(max(end, breaks[index][1]) if index >= 0 else end)  # "Good.<br />" is one sentence, not two
    return sorted(ends)


def _punctuation_ends(text: str) -> Iterator[int]:
    """The offset behind each sentence, found window by window; each window begins with a sentence."""
    begin = 0
    while len(text) - begin > WINDOW:
        complete = [end for end in _boundaries(text[begin : begin + WINDOW]) if 0 < end <= WINDOW - CONTEXT]
        yield from (begin + end for end in complete)
        begin += complete[-1] if complete else WINDOW - CONTEXT
    yield from (begin + end for end in _boundaries(text[begin:]))


def _boundaries(text: str) -> list[int]:
    try:
        boundaries = sentencex.get_sentence_boundaries(LANGUAGE, text.translate(PLAIN_WHITESPACE))
    except BaseException as panic:  # a panic in Rust is not an Exception, and would end more than this request
        if type(panic).__name__ != "PanicException":
            raise
        logger.warning("a text could not be split at punctuation; this is a defect of sentencex")
        return []
    return [boundary["end_index"] for boundary in boundaries]
