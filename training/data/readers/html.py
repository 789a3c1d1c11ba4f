"""Entities and line breaks of HTML as the characters that they stand for."""

import html
import re

_BREAKS = re.compile(r"\s*<br\s*/?>\s*(?:<br\s*/?>\s*)*", re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")  # "R&B" and "AT&T" are none


def read_html(text: str) -> str:
    """The text with breaks as line ends, several as one, and with entities as characters.

    Entities are read after breaks, so a break that is itself escaped ("&lt;br&gt;") stays as the text shows it.
    """
    return _ENTITY.sub(lambda entity: html.unescape(entity[0]), _BREAKS.sub("\n", text)).strip()


def holds_html(text: str) -> bool:
    """Whether ``read_html`` would change more than the ends of the text."""
    return _BREAKS.search(text) is not None or _ENTITY.search(text) is not None
