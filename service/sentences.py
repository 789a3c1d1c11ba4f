"""Where a text's sentences begin and end.

The splitter is sentencex, Wikimedia's: rules and abbreviations, nothing to download, linear in the length of the text.
"""

import logging
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import sentencex

from model_store import TokenizedText

LANGUAGE = "en"
"""Whose abbreviations do not end a sentence. Sentence marks of other scripts are known to every language."""

PLAIN_WHITESPACE = {code: " " for code in range(0x80, 0x3001) if chr(code).isspace()}
"""sentencex 1.0.32 panics at an initial behind white space of several bytes, such as a no-break space and ``J.``

One character stands for one character, so offsets stay what they are. U+3000 is the last white space in Unicode.
"""

logger = logging.getLogger(__name__)


def split(text: TokenizedText) -> Iterator[TokenizedText]:
    """The sentences of what the model reads, in order; together they have every token of the text, once.

    A sentence goes from its first token to its last, so ``text.text[sentence.starts[0] : sentence.ends[-1]]`` is what
    it looks like, and what was left out of a text that is too long is in none.
    """
    numbers = np.searchsorted(_ends(text.text), text.starts, side="right")  # (tokens,) each token's sentence
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(text)]
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
    """The offsets just behind each sentence and the white space that follows it."""
    try:
        found = sentencex.get_sentence_boundaries(LANGUAGE, text.translate(PLAIN_WHITESPACE))
    except BaseException as panic:  # a panic in Rust is no Exception, and would end more than this request
        if type(panic).__name__ != "PanicException":
            raise
        logger.warning("a text could not be split and counts as one sentence; this is a defect of sentencex")
        return []
    return [sentence["end_index"] for sentence in found]
