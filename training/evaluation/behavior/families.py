"""Template families: read from ``templates/`` and checked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from training.evaluation.behavior.changes import CHANGES
from training.evaluation.behavior.expectations import EXPECTATIONS, Expectation

FOLDER = Path(__file__).parent / "templates"
WORDS = "words.yaml"

Kind = Literal["MFT", "INV", "DIR"]
KINDS: Mapping[Kind, str] = {
    "MFT": "minimum functionality: the answer is known",
    "INV": "invariance: a change that must not matter",
    "DIR": "directional: a change that may move the polarity one way only",
}
"""CheckList's kinds of test (Ribeiro et al. 2020, "Beyond Accuracy", section 2.2)."""

_TEXTS_OF_KIND = {"MFT": 1, "INV": 2, "DIR": 2}


class TemplateError(ValueError):
    """A template file cannot be used; the message names the file, the family and the problem."""


@dataclass(frozen=True, slots=True)
class Family:
    """Templates that test the same behavior.

    Attributes:
        templates: each a text, or a text and what it is changed to, with slots such as ``{good}``.
        change: key of ``CHANGES``; it makes the second text if the templates have only one.
        words: what fills the slots.
    """

    name: str
    kind: Kind
    capability: str
    expect: str
    templates: tuple[tuple[str, ...], ...]
    change: str | None
    words: Mapping[str, Sequence[str]]

    @property
    def expectation(self) -> Expectation:
        """The expectation that ``expect`` names."""
        return EXPECTATIONS[self.expect]


def read_families(folder: Path = FOLDER) -> list[Family]:
    """Every family of a folder, file by file in the order of their names.

    Raises:
        TemplateError: a file cannot be used, or two families share a name.
    """
    common = _read(folder / WORDS)
    paths = [path for path in sorted(folder.glob("*.yaml")) if path.name != WORDS]
    families = [family for path in paths for family in _families(path, common)]
    names = [family.name for family in families]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        message = f"{folder}: two families are called {twice[0]!r}; a report could not tell them apart"
        raise TemplateError(message)
    return families


def _families(path: Path, common: Mapping[str, Sequence[str]]) -> Iterator[Family]:
    content = _read(path)
    words = {**common, **content.get("words", {})}
    for entry in content["families"]:
        try:
            yield _family(entry, capability=content["capability"], words=words)
        except (KeyError, ValueError) as error:
            message = f"{path.name}, family {entry.get('name')!r}: {error}"
            raise TemplateError(message) from error


def _family(entry: Mapping[str, Any], *, capability: str, words: Mapping[str, Sequence[str]]) -> Family:
    change = entry.get("change")
    family = Family(
        name=entry["name"],
        kind=_known(entry["kind"], KINDS),
        capability=capability,
        expect=_known(entry["expect"], EXPECTATIONS),
        templates=tuple(tuple(pair) for pair in entry["pairs"])
        if "pairs" in entry
        else tuple((text,) for text in entry["texts"]),
        change=None if change is None else _known(change, CHANGES),
        words=words,
    )
    made = {len(template) + (family.change is not None) for template in family.templates}
    if made != {family.expectation.texts} or made != {_TEXTS_OF_KIND[family.kind]}:
        message = f"{family.kind} with {family.expect!r} is not about {sorted(made)} text(s) a case"
        raise ValueError(message)
    return family


def _known(name: str, known: Mapping[Any, object]) -> Any:  # noqa: ANN401 - one of the keys
    if name not in known:
        message = f"{name!r} is none of: {', '.join(known)}"
        raise ValueError(message)
    return name


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content
