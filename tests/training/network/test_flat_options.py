"""Options in groups inside, one by one outside."""

import inspect
from dataclasses import dataclass

import pytest

from training.network.flat_options import flat_options


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A shape.

    Args:
        width: of it,
            in millimeters.
        height: of it.
    """

    width: int = 1
    height: int = 2


DEFAULT = Shape(height=5)


@flat_options()
class Box:
    """A box.

    Args:
        name: what it is called.
        shape: its shape.
        full: whether it is full.
    """

    def __init__(self, name: str, *, shape: Shape = DEFAULT, full: bool = False) -> None:
        self.name, self.shape, self.full = name, shape, full


def test_fields_are_keywords_over_the_defaults_of_the_group():
    box = Box("a", width=7, full=True)
    assert (box.name, box.shape, box.full) == ("a", Shape(width=7, height=5), True)


def test_a_group_may_be_given_whole():
    assert Box("a", shape=Shape(width=3)).shape == Shape(width=3, height=2)


def test_an_option_of_no_group_is_an_error():
    with pytest.raises(TypeError, match="depth"):
        Box("a", depth=1)


def test_signature_and_docstring_show_every_field():
    parameters = inspect.signature(Box).parameters
    assert {name: entry.default for name, entry in parameters.items() if name != "name"} == {
        "width": 1,
        "height": 5,
        "full": False,
    }
    assert (
        "        name: what it is called.\n        width: of it,\n            in millimeters.\n        height: of it.\n"
        "        full: whether it is full.\n"
    ) in Box.__doc__
