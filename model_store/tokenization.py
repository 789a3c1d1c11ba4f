"""From a text to token ids with their offsets in it."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unicodedata import category

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from model_store.errors import BundleError, TextError
from model_store.tokenizer_file import errors_of_tokenizers

Truncation = Literal["end", "start", "never"]
"""The end at which a text that is too long is cut; never: it is an error."""

PROBE = "Wasn't it TERRIBLY   exciting?! \u4f60\u597d, caf\u00e9 \U0001f600 zxqjkv 10/10 \u2019" + 30 * "a"
"""A text of several scripts with unknown words; a pipeline that fails on it is refused when it is loaded."""

MISSING_TYPES = frozenset({"NAType", "NaTType"})
"""Types of pandas.NA and pandas.NaT, which are neither None nor equal to anything."""

SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")

PIECE = 4096
"""Characters of a long text that are tokenized at once, and more up to the next cut: some 800 English tokens, 5 ms."""

CUT = re.compile(r"(?<=\S)[ \n](?=[0-9A-Za-z])")
"""Where a long text may be cut: before white space, so that no word, mark or expression reaches across."""

WHITE_SPACE_PROBE = " a b\nc "

SHORT = 256
"""Up to so many characters, tokenizing is over before another thread could use the interpreter."""


@dataclass(frozen=True, slots=True)
class TokenizedText:
    """One text's tokens after truncation.

    Attributes:
        ids: (tokens,) vocabulary ids.
        starts, ends: (tokens,) half-open code-point offsets into ``text``.
        known: (tokens,) whether the vocabulary has the token.
    """

    text: str
    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    known: NDArray[np.bool_]
    truncated: bool

    def __len__(self) -> int:
        """Number of tokens."""
        return len(self.ids)

    @property
    def unknown_share(self) -> float:
        """The share of tokens that the vocabulary lacks, from 0 to 1."""
        return (len(self) - np.count_nonzero(self.known)) / len(self)


def as_text(value: object) -> str:
    """A value of a list or a column as a text.

    Raises:
        TextError: ``empty_text`` if it is missing (None, NaN, or a missing value of pandas), ``invalid_text`` if it is
            of another type.
    """
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)) or type(value).__name__ in MISSING_TYPES:
        raise TextError("empty_text", "the text is missing; send at least one word")
    raise TextError("invalid_text", f"the text is of type {type(value).__name__}, not a string; convert it first")


class TextTokenizer:
    """A bundle's tokenizer: a ``tokenizers`` pipeline with the vocabulary's unknown token.

    Args:
        pipeline: as ``load_tokenizer`` gives it.
        unknown_token: the vocabulary's token for what it lacks.
        max_tokens: longer texts are cut.
        path: the pipeline's file, for error messages.

    Attributes:
        unknown_id: id of the unknown token.

    Raises:
        BundleError: the vocabulary does not have the unknown token, or the pipeline fails on ``PROBE``.
    """

    def __init__(self, pipeline: Tokenizer, *, unknown_token: str, max_tokens: int, path: Path) -> None:
        unknown_id = pipeline.token_to_id(unknown_token)
        if unknown_id is None:
            raise BundleError(path, f"has no token {unknown_token!r} in its vocabulary, the manifest's unknown token")
        self._pipeline = pipeline
        self._path = path
        self.unknown_id = unknown_id
        self._max_tokens = max_tokens
        self._is_cuttable = _separates_at_white_space(pipeline)
        self._encode_piece(PROBE)

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """Split a text into tokens of the vocabulary.

        Raises:
            TextError: ``empty_text`` (the text has no tokens), ``invalid_text`` (a lone surrogate, which no UTF-8
                text can hold), ``too_many_tokens`` (with ``truncate="never"``).
            BundleError: the pipeline failed on this text.
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TextError(
                "invalid_text", f"the character at offset {error.start} is a lone surrogate, which is not valid Unicode"
            ) from None
        ids, offsets = self._encode(text, truncate)
        if not len(ids):
            raise TextError("empty_text", "the text has no tokens; send at least one word")
        excess = len(ids) - self._max_tokens
        if excess > 0 and truncate == "never":
            raise TextError(
                "too_many_tokens",
                f"the text has {len(ids)} tokens and the limit is {self._max_tokens}; shorten it, "
                'or let it be cut with truncate "end" or "start"',
            )
        if not text.isascii():
            _include_marks(text, offsets)
        window = slice(excess, None) if excess > 0 and truncate == "start" else slice(0, self._max_tokens)
        if excess > 0:  # copies, so that the arrays of the whole text are not kept
            offsets = offsets[window].copy()
            ids = ids[window].copy()
        return TokenizedText(
            text=text,
            ids=ids,
            starts=offsets[:, 0],
            ends=offsets[:, 1],
            known=ids != self.unknown_id,
            truncated=excess > 0,
        )

    def _encode(self, text: str, truncate: Truncation) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The tokens' ids and their offsets (tokens, 2).

        Of a long text that may be truncated, only as many pieces are read as have more tokens than are kept.
        """
        if len(text) <= PIECE or not self._is_cuttable:
            encoding = self._encode_piece(text)
            return np.array(encoding.ids, dtype=np.int64), np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2)
        pieces = list(_pieces(text))
        if truncate == "start":
            pieces.reverse()
        ids: list[list[int]] = []
        offsets: list[NDArray[np.int64]] = []
        count = 0
        for begin, end in pieces:
            encoding = self._encode_piece(text[begin:end])
            if not encoding.ids:
                continue
            ids.append(encoding.ids)
            offsets.append(np.array(encoding.offsets, dtype=np.int64) + begin)
            count += len(ids[-1])
            if count > self._max_tokens and truncate != "never":
                break
        if truncate == "start":
            ids.reverse()
            offsets.reverse()
        together = np.array([number for piece in ids for number in piece], dtype=np.int64)
        return together, np.concatenate([*offsets, np.empty((0, 2), dtype=np.int64)])

    def _encode_piece(self, text: str) -> Encoding:
        with errors_of_tokenizers(self._path, "failed on a text", shown=False):
            if len(text) <= SHORT:
                return self._pipeline.encode(text, add_special_tokens=False)
            # Unlike encode, this releases the interpreter's lock while it works.
            (encoding,) = self._pipeline.encode_batch([text], add_special_tokens=False)
            return encoding


def _separates_at_white_space(pipeline: Tokenizer) -> bool:
    """Whether the tokens of a text are those of its parts between white space.

    All pipelines of this project are such. Others may count spaces as parts of words, or change a text's ends.
    """
    if pipeline.truncation or pipeline.padding or pipeline.pre_tokenizer is None:
        return False
    text = pipeline.normalizer.normalize_str(WHITE_SPACE_PROBE) if pipeline.normalizer else WHITE_SPACE_PROBE
    parts = [part for part, _ in pipeline.pre_tokenizer.pre_tokenize_str(text)]
    return text[0].isspace() and text[-1].isspace() and parts == WHITE_SPACE_PROBE.split()


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Begin and end of the pieces of a text, in order."""
    begin = 0
    while len(text) - begin > PIECE and (cut := CUT.search(text, begin + PIECE)):
        yield begin, cut.start()
        begin = cut.start()
    yield begin, len(text)


def _include_marks(text: str, offsets: NDArray[np.int64]) -> None:
    """Move each token's end past the marks on its last character, which a normalizer may have stripped.

    Such are combining accents, variation selectors and the skin tones of emoji.

    Args:
        text: the text as sent.
        offsets: (tokens, 2) half-open code-point offsets, changed in place.
    """
    limits = [*offsets[1:, 0].tolist(), len(text)]
    for row, limit in zip(offsets, limits, strict=True):
        while row[1] < limit and (category(text[row[1]])[0] == "M" or text[row[1]] in SKIN_TONES):
            row[1] += 1
