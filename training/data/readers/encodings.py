"""Encodings of data files: what a name means, which one a file shows, and which one it may have."""

import codecs
from pathlib import Path

from training.data.examples import DataError

AUTO = "auto"
"""UTF-8, or UTF-16 if the file shows it by a byte order mark or by zeros in every second byte."""

UTF_8 = "utf-8"

_CANDIDATES = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("gb18030", "shift_jis", "big5", "euc_kr", "euc_jp"),
)
"""Encodings that a guess may name, of equally likely ones the first: what office programs and older exports write."""

_LOOKED_AT = 512  # bytes; in UTF-16, ASCII has a zero in every second one, and text in UTF-8 has none
_FEWEST = 4  # characters; a shorter text may be anything


def encoding_of(path: Path, head: bytes, name: str = AUTO) -> str:
    """The encoding of a file by Python's name for it.

    Args:
        path: the file, for messages.
        head: its first bytes.
        name: as the user named it, or ``AUTO``.

    Raises:
        DataError: there is no such encoding.
    """
    if name == AUTO:
        return _utf16(head) or UTF_8
    try:
        found = codecs.lookup(name).name
        "".encode(found)  # fails for codecs from bytes to bytes, such as zip
    except LookupError as error:
        raise DataError(
            path,
            None,
            problem=f'there is no encoding "{name}".',
            fix="Name one that Python knows with --encoding, such as utf-8, cp1252 or utf-16.",
        ) from error
    return UTF_8 if found in {"utf-8-sig", "ascii"} else found


def _utf16(head: bytes) -> str | None:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name, zeros in (("utf-16-le", head[1:_LOOKED_AT:2]), ("utf-16-be", head[:_LOOKED_AT:2])):
        if len(zeros) >= _FEWEST and zeros.count(0) > len(zeros) / 2:
            return name
    return None


def guess_encoding(sample: bytes) -> str | None:
    """The likely encoding of text that is not UTF-8; None if none fits.

    Args:
        sample: lines that are not ASCII; the longer, the surer.
    """
    from charset_normalizer import from_bytes  # noqa: PLC0415 - takes 0.1 s, and most files are UTF-8

    matches = list(from_bytes(sample, cp_isolation=list(_CANDIDATES)))
    least = min((match.chaos for match in matches), default=0.0)
    likely = {name for match in matches if match.chaos == least for name in match.could_be_from_charset}
    return next((name for name in _CANDIDATES if name in likely), None)
