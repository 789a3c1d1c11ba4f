"""The parser of every command: options from a function's signature, checked strictly, with short errors."""

import argparse
import dataclasses
import difflib
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any, NoReturn, get_args, get_origin, get_type_hints

import docstring_parser
from jsonargparse import ActionYesNo, ArgumentParser, DefaultHelpFormatter

from training.data.examples import DataError

UNKNOWN_ON_COMMAND_LINE = re.compile(r"unrecognized arguments: (.*)", re.DOTALL)
UNKNOWN_IN_YAML = re.compile(r"does not accept option '([^']+)'")
UNKNOWN_IN_CLASS = re.compile(r"class_path '([^']+)':\s+Option '([^']+)' is not accepted")
UNKNOWN_CLASS = re.compile(r"class_path '[^']+':\s+module '([^']+)' has no attribute '([^']+)'")
"""Patterns of jsonargparse's errors; an error that matches none is shown as it is."""

TRUTH = {"true": True, "yes": True, "false": False, "no": False}
"""Values that a flag may still be given."""


class UsageError(Exception):
    """An argument that cannot be used; the message names it and says what to pass.

    Args:
        message: what is wrong.
        keys: every option that the command has, to suggest one.
    """

    def __init__(self, message: str, keys: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.keys = tuple(keys)


class StrictParser(ArgumentParser):
    """A parser that takes no abbreviation of an option and raises ``UsageError``."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - jsonargparse's signature
        super().__init__(*args, **{"allow_abbrev": False, **options})

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise ``UsageError``, or jsonargparse's own error in the parser of a subcommand."""
        if not self.exit_on_error:
            super().error(message, ex)
        parser = getattr(ex, "subcommand_parser", None) or self
        raise UsageError(message, known_keys(parser)) from ex


class HelpFormatter(DefaultHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Help with options as jsonargparse shows them and the description as it is written."""


def run(
    function: Callable[..., None],
    arguments: Sequence[str],
    *,
    command: str,
    description: str,
    errors: tuple[type[Exception], ...] = (),
    renamed: Mapping[str, str | None] | None = None,
) -> None:
    """Call a function with the options of a command line; see ``parse`` and ``plain_errors``."""
    options = parse(function, arguments, command=command, description=description, renamed=renamed)
    with plain_errors(command, *errors):
        function(**options)


def parse(
    function: Callable[..., Any],
    arguments: Sequence[str],
    *,
    command: str,
    description: str,
    renamed: Mapping[str, str | None] | None = None,
) -> dict[str, Any]:
    """The keyword arguments for ``function`` that a command line asks for.

    Parameters before ``*`` are positional, the others options. A ``bool`` is a flag: ``--name`` and ``--no_name``. A
    parameter whose type is a dataclass is expanded to the dataclass's fields, each an option of its own. One annotated
    ``Annotated[dict[str, Any], SomeDataclass]`` gets only the fields that were given, by name.

    Args:
        function: documented in Google style; the arguments' descriptions become the help.
        arguments: the command line after the command's name.
        command: as on the command line, such as "distill score".
        description: shown by ``--help``, as it is written.
        renamed: old names of options to their new ones; None if an option is no longer needed.

    Raises:
        SystemExit: with 0 after ``--help``, with 2 for an argument that cannot be used.
    """
    with plain_errors(command):
        parser = make_parser(function, command=command, description=description)
        values = parser.parse_args(list(normalize(arguments, parser, renamed or {})), defaults=True).as_dict()
        return _arguments_of(function, values)


def split_arguments(arguments: Sequence[str], options: Callable[..., Any]) -> tuple[list[str], list[str]]:
    """A command line in two parts: the options that ``options`` has as parameters, and those to pass on."""
    names = {"help", *(parameter.name for parameter in _parameters(options))}
    own: list[str] = []
    others: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        key = argument.partition("=")[0].removeprefix("--").replace("-", "_").removeprefix("no_")
        if argument == "-h" or (argument.startswith("--") and key in names):
            own.append(argument)
            if "=" not in argument and rest and not rest[0].startswith("-"):
                own.append(rest.pop(0))
        else:
            others.append(argument)
    return own, others


def make_parser(function: Callable[..., Any], *, command: str, description: str) -> StrictParser:
    """A parser with an option for each parameter of a function; see ``parse``."""
    parser = StrictParser(prog=f"python -m training {command}", description=description, formatter_class=HelpFormatter)
    parameters = list(_parameters(function))
    if "config" not in {parameter.name for parameter in parameters}:
        parser.add_argument("--config", action="config", help="a YAML file of options")
    for parameter in parameters:
        _add(parser, parameter)
    return parser


@contextmanager
def plain_errors(command: str, *errors: type[Exception], group: str = "") -> Iterator[None]:
    """End the process with a plain message: status 2 for a ``UsageError``, 1 for the given kinds of error.

    ``group`` is that of the options for reading files: "data" if they are --data.format and so on.
    """
    try:
        yield
    except UsageError as error:
        message = explain_error(str(error), error.keys)
        sys.stderr.write(f"{message}\nEvery option: python -m training {command} --help\n")
        raise SystemExit(2) from None
    except errors as error:
        message = error.in_group(group) if group and isinstance(error, DataError) else str(error)
        sys.stderr.write(f"{message}\n")
        raise SystemExit(1) from None


def normalize(
    arguments: Sequence[str], parser: argparse.ArgumentParser, renamed: Mapping[str, str | None]
) -> Iterator[str]:
    """The arguments in their present form, with a note on stderr for an option that has another name now.

    Dashes within a name become underscores; a flag's value (``--overwrite=true``) becomes the flag or its opposite.
    """
    flags = {key for action in parser._actions if isinstance(action, ActionYesNo) for key in [action.dest]}  # noqa: SLF001
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if not argument.startswith("--") or argument == "--":
            yield argument
            continue
        name, equals, value = argument.partition("=")
        key = name[2:].replace("-", "_")
        if key in renamed:
            key = _renamed(key, renamed[key])
        if key in flags and not equals and rest and rest[0].lower() in TRUTH:
            equals, value = "=", rest.pop(0)
        if key in flags and value.lower() in TRUTH:
            yield f"--{key}" if TRUTH[value.lower()] else f"--no_{key}"
        elif key:
            yield f"--{key}{equals}{value}"


def _renamed(old: str, new: str | None) -> str:
    sys.stderr.write(f"--{old} is no longer needed\n" if new is None else f"--{old} is now --{new}\n")
    return new or ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter as an option.

    Attributes:
        positional: whether it is given by its position.
        help: its description.
    """

    name: str
    annotation: Any
    default: Any
    positional: bool
    help: str

    @property
    def required(self) -> bool:
        return self.default is inspect.Parameter.empty


def _parameters(component: Callable[..., Any], *, optional: bool = False) -> Iterator[_Parameter]:
    """The parameters of a function or dataclass, with those of nested dataclasses in their place."""
    hints = get_type_hints(component.__init__ if inspect.isclass(component) else component, include_extras=True)
    described = {
        entry.arg_name: entry.description or "" for entry in docstring_parser.parse(component.__doc__ or "").params
    }
    for name, parameter in inspect.signature(component).parameters.items():
        annotation = hints[name]
        if get_origin(annotation) is Annotated:
            yield from _parameters(get_args(annotation)[1], optional=True)
        elif dataclasses.is_dataclass(annotation):
            yield from _parameters(annotation, optional=optional)  # type: ignore[arg-type]
        else:
            positional = parameter.kind is not inspect.Parameter.KEYWORD_ONLY and not optional
            default = None if optional else parameter.default
            text = " ".join(described.get(name, "").split())
            kind = annotation | None if optional else annotation
            yield _Parameter(_option_name(name), kind, default, positional, text)


def _add(parser: ArgumentParser, parameter: _Parameter) -> None:
    default: dict[str, Any] = {} if parameter.required else {"default": parameter.default}
    if parameter.positional:
        if not parameter.required:
            default["nargs"] = "?"
        parser.add_argument(parameter.name, type=parameter.annotation, help=parameter.help, **default)
    elif parameter.annotation in {bool, bool | None}:
        parser.add_argument(f"--{parameter.name}", action=ActionYesNo, help=parameter.help, **default)
    else:
        name = f"--{parameter.name}"
        required = parameter.required
        parser.add_argument(name, type=parameter.annotation, help=parameter.help, required=required, **default)


def _arguments_of(component: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a function or dataclass by name, from the options' values."""
    hints = get_type_hints(component.__init__ if inspect.isclass(component) else component, include_extras=True)
    arguments: dict[str, Any] = {}
    for name in inspect.signature(component).parameters:
        annotation = hints[name]
        if get_origin(annotation) is Annotated:
            given = _arguments_of(get_args(annotation)[1], values)
            arguments[name] = {key: value for key, value in given.items() if value is not None}
        elif dataclasses.is_dataclass(annotation):
            arguments[name] = annotation(**_arguments_of(annotation, values))  # type: ignore[arg-type,operator]
        else:
            value = values[_option_name(name)]
            check_text_keys(_option_name(name), value)
            arguments[name] = value
    return arguments


def _option_name(parameter: str) -> str:
    """A parameter's option; ``from_`` is ``from``, which Python reserves."""
    return parameter.removesuffix("_")


def check_text_keys(option: str, value: object) -> None:
    """Check that the keys of a mapping are text: YAML reads 1 as a number.

    Raises:
        UsageError: a key is not text.
    """
    for key in value if isinstance(value, dict) else ():
        if not isinstance(key, str):
            message = f"--{option} has the key {key!r}, which is not text; put it in quotes: '{{\"{key}\": ...}}'"
            raise UsageError(message)


def explain_error(message: str, keys: Iterable[str]) -> str:
    """A short form of a parser error, with the nearest known key if a key is unknown."""
    if match := UNKNOWN_IN_CLASS.search(message):
        path, option = match.groups()
        return f"{path} has no option {option!r}{_did_you_mean(option, _class_options(path))}"
    if match := UNKNOWN_CLASS.search(message):
        module, name = match.groups()
        return f"{module} has no {name!r}{_did_you_mean(name, dir(import_module(module)))}"
    if match := UNKNOWN_IN_YAML.search(message):
        return f"unknown option {match[1]!r}{_did_you_mean(match[1], keys)}"
    if match := UNKNOWN_ON_COMMAND_LINE.search(message):
        unknown = match[1].split(maxsplit=1)[0]
        if not unknown.startswith("-"):
            return f"nothing is expected at {match[1]!r}; options start with --"
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
    """The known key that was probably meant: the same name in another group, or else the most similar one."""
    keys = sorted(set(known))
    elsewhere = [other for other in keys if other.rpartition(".")[2] == key.rpartition(".")[2]]
    closest = difflib.get_close_matches(key, elsewhere or keys, n=1, cutoff=0.0 if elsewhere else 0.6)
    return closest[0] if closest else None


def _did_you_mean(key: str, known: Iterable[str], *, dashes: str = "") -> str:
    suggestion = nearest(key, known)
    return "" if suggestion is None else f"; did you mean {dashes}{suggestion}?"


def _class_options(path: str) -> list[str]:
    module, _, name = path.rpartition(".")
    return list(inspect.signature(getattr(import_module(module), name)).parameters)
