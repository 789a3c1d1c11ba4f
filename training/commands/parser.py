"""Options as they stand or not at all: an unknown one, in YAML or on the command line, meets the nearest known one."""

import argparse
import difflib
import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, NoReturn

from jsonargparse import DefaultHelpFormatter
from pytorch_lightning.cli import LightningArgumentParser

UNKNOWN_ON_COMMAND_LINE = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
UNKNOWN_IN_YAML = re.compile(r"does not accept option '([^']+)'")
UNKNOWN_IN_CLASS = re.compile(r"class_path '([^']+)':\s+Option '([^']+)' is not accepted")
UNKNOWN_CLASS = re.compile(r"class_path '[^']+':\s+module '([^']+)' has no attribute '([^']+)'")
"""How jsonargparse words its errors; where a later version words them otherwise, its own message is shown."""


class ExactParser(LightningArgumentParser):
    """Takes no abbreviation of an option, and says what is wrong without pages of usage."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - jsonargparse's signature
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Exits with 2; jsonargparse's inner parsers raise instead, for the outer one to tell."""
        if not self.exit_on_error:
            super().error(message, ex)
        parser = getattr(ex, "subcommand_parser", None) or self
        command = parser.prog.replace(" [options]", "")
        sys.stderr.write(f"{explained(message, known_keys(parser))}\nEvery option: {command} --help\n")
        raise SystemExit(2)


class Paragraphs(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Help with the options as jsonargparse shows them and the description as it is written."""


def explained(message: str, keys: Iterable[str]) -> str:
    """An error of the parser, in short and with the nearest known key where a key is unknown."""
    if found := UNKNOWN_IN_CLASS.search(message):
        path, option = found.groups()
        return f"{path} has no option {option!r}{_did_you_mean(option, _class_options(path))}"
    if found := UNKNOWN_CLASS.search(message):
        module, name = found.groups()
        return f"{module} has no {name!r}{_did_you_mean(name, dir(import_module(module)))}"
    if found := UNKNOWN_IN_YAML.search(message):
        return f"unknown option {found[1]!r}{_did_you_mean(found[1], keys)}"
    if found := UNKNOWN_ON_COMMAND_LINE.search(message):
        unknown = found[1].split(maxsplit=1)[0]
        if not unknown.startswith("-"):
            return f"nothing is expected at {found[1]!r}; options start with --"
        key = unknown.lstrip("-").partition("=")[0]
        return f"unknown option {unknown!r}{_did_you_mean(key, keys, dashes='--')}"
    return message


def known_keys(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every option of a parser and of its commands, such as model.hidden_size."""
    for action in parser._actions:  # noqa: SLF001 - argparse has no public list
        if action.option_strings:
            yield from (option.lstrip("-") for option in action.option_strings)
        if isinstance(action.choices, dict):
            for command in action.choices.values():
                yield from known_keys(command)


def nearest(key: str, known: Iterable[str]) -> str | None:
    """The known key that a person meant: the same in another group, or else the one spelt most like it."""
    every = sorted(set(known))
    elsewhere = [other for other in every if other.rpartition(".")[2] == key.rpartition(".")[2]]
    closest = difflib.get_close_matches(key, elsewhere or every, n=1, cutoff=0.0 if elsewhere else 0.6)
    return closest[0] if closest else None


def _did_you_mean(key: str, known: Iterable[str], *, dashes: str = "") -> str:
    meant = nearest(key, known)
    return "" if meant is None else f"; did you mean {dashes}{meant}?"


def _class_options(path: str) -> list[str]:
    module, _, name = path.rpartition(".")
    return list(inspect.signature(getattr(import_module(module), name)).parameters)
