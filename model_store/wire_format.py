"""One level of a Protocol Buffers message, read strictly: only expected fields, each in its own encoding.

The encoding: https://protobuf.dev/programming-guides/encoding. What two readers might understand differently, such as a
field with another wire type, a single field that comes twice or a group, is refused and not skipped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types; 3 and 4 are groups, which ONNX does not use."""

MAX_VARINT_BYTES = 10
MAX_TAG_BYTES = 5


class WireError(ValueError):
    """Bytes that are not the expected message.

    Attributes:
        number: of the field that was not expected; None if the bytes are not a message at all.
    """

    def __init__(self, message: str, *, number: int | None = None) -> None:
        super().__init__(message)
        self.number = number


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a message may have.

    Attributes:
        kind: of its value. Repeated numbers may also be packed into bytes.
        repeated: whether it may come more than once.
    """

    kind: Literal["integer", "float", "double", "bytes"]
    repeated: bool = False

    @property
    def wire_types(self) -> tuple[int, ...]:
        """The wire types that its value may have."""
        one = {"integer": VARINT, "float": FIXED32, "double": FIXED64, "bytes": BYTES}[self.kind]
        return (one, BYTES) if self.repeated else (one,)


@dataclass(frozen=True, slots=True)
class Message:
    """The values of a message by field number.

    Attributes:
        integers: of the fields that are one integer each.
        contents: the bytes of all others, among them nested messages.
    """

    integers: dict[int, list[int]] = field(default_factory=dict)
    contents: dict[int, list[memoryview]] = field(default_factory=dict)


class MessageReader:
    """Reads messages up to a number of fields, so that the time for a file of many small fields is bounded."""

    def __init__(self, max_fields: int) -> None:
        self._max_fields = max_fields
        self._fields_read = 0

    def read(self, content: memoryview, expected: Mapping[int, Field]) -> Message:
        """The fields of a message; nested messages stay bytes.

        Raises:
            WireError: it is cut short, has a field that is not expected, or there are too many fields in all.
        """
        message = Message()
        seen: set[int] = set()
        for number, wire_type, value in _fields(content):
            self._fields_read += 1
            if self._fields_read > self._max_fields:
                raise WireError(f"it has more than {self._max_fields:,} fields")
            allowed = expected.get(number)
            if allowed is None or wire_type not in allowed.wire_types or (number in seen and not allowed.repeated):
                raise WireError(f"field {number}, which is not expected there or not in this form", number=number)
            seen.add(number)
            if isinstance(value, int):
                message.integers.setdefault(number, []).append(value)
            else:
                message.contents.setdefault(number, []).append(value)
        return message


def _fields(content: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Number, wire type and value of each field."""
    position = 0
    while position < len(content):
        tag, position = _varint(content, position, max_bytes=MAX_TAG_BYTES)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == VARINT:
            integer, position = _varint(content, position, max_bytes=MAX_VARINT_BYTES)
            yield number, wire_type, integer
            continue
        if wire_type == BYTES:
            length, position = _varint(content, position, max_bytes=MAX_TAG_BYTES)
        elif wire_type in (FIXED32, FIXED64):
            length = 4 if wire_type == FIXED32 else 8
        else:
            raise WireError(f"field {number} has the wire type {wire_type}", number=number)
        end = position + length
        if end > len(content):
            raise WireError("it is cut short")
        yield number, wire_type, content[position:end]
        position = end


def _varint(content: memoryview, position: int, *, max_bytes: int) -> tuple[int, int]:
    """An integer and the position after it."""
    value = 0
    for index, byte in enumerate(content[position : position + max_bytes]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:  # noqa: PLR2004 - the last byte has no highest bit
            return value, position + index + 1
    raise WireError("it is cut short, or a number in it is too long")
