"""The ways in which a bundle can store its weights."""

from typing import Literal

Storage = Literal["float32", "float16", "int8"]
