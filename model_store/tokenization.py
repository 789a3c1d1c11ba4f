"""From a text to token ids with their offsets in it."""

from dataclasses import dataclass
from typing import Literal
from unicodedata import category

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from model_store.errors import TextError

Truncation = Literal["end", "start", "never"]
"""The end at which a text that is too long is cut; never: it is an error."""

SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")


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
        return float((~self.known).mean())


class TextTokenizer:
    """A bundle's tokenizer: a ``tokenizers`` pipeline with the vocabulary's unknown token.

    Attributes:
        unknown_id: id of the unknown token.
    """

    def __init__(self, pipeline: Tokenizer, *, unknown_token: str, max_tokens: int) -> None:
        unknown_id = pipeline.token_to_id(unknown_token)
        if unknown_id is None:
            message = f"the tokenizer has no unknown token {unknown_token!r} in its vocabulary"
            raise ValueError(message)
        self._pipeline = pipeline
        self.unknown_id = unknown_id
        self._max_tokens = max_tokens

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """Split a text into tokens of the vocabulary.

        Raises:
            TextError: ``empty_text`` (the text has no tokens), ``invalid_text`` (a lone surrogate, which no UTF-8
                text can hold), ``too_many_tokens`` (with ``truncate="never"``).
        """
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise TextError(
                "invalid_text", f"the character at offset {error.start} is a lone surrogate, which is not valid Unicode"
            ) from None
        encoding = self._pipeline.encode(text, add_special_tokens=False)
        ids = np.array(encoding.ids, dtype=np.int64)
        if not len(ids):
            raise TextError("empty_text", "the text has no tokens; send at least one word")
        excess = len(ids) - self._max_tokens
        if excess > 0 and truncate == "never":
            raise TextError(
                "too_many_tokens",
                f"the text has {len(ids)} tokens and the limit is {self._max_tokens}; shorten it, "
                'or let it be cut with truncate "end" or "start"',
            )
        offsets = np.array(encoding.offsets, dtype=np.int64)
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
