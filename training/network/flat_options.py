"""Constructors whose options are grouped in dataclasses and may be given one by one."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from typing import Any, TypeVar

Made = TypeVar("Made")


def flat_options(*, unsaved: tuple[str, ...] = (), logged: bool = False) -> Callable[[type[Made]], type[Made]]:
    """Let a class be made with the fields of its dataclass parameters as keywords of their own.

    So a constructor has few parameters while flags (``--data.text_column``), YAML keys and saved hyperparameters stay
    flat. The signature and the docstring of the class show every field. Parameters whose default is a dataclass are
    groups; a group may also be given as a whole, with single fields overriding it.

    Lightning's classes also save their hyperparameters, flat and in plain types, so that a checkpoint loads without
    running code. A value that the constructor puts into ``self.hparams`` is saved in place of the one it was given.

    Args:
        unsaved: parameters that are not hyperparameters.
        logged: whether loggers get the hyperparameters.
    """

    def decorate(cls: type[Made]) -> type[Made]:
        grouped = cls.__init__
        signature = inspect.signature(grouped)
        groups = {name: entry.default for name, entry in signature.parameters.items() if is_dataclass(entry.default)}

        @wraps(grouped)
        def __init__(self: Any, *arguments: Any, **options: Any) -> None:  # noqa: ANN401, N807 - becomes the method
            for name, default in groups.items():
                own = {field.name: options.pop(field.name) for field in fields(default) if field.name in options}
                options[name] = replace(options.get(name, default), **own)
            grouped(self, *arguments, **options)
            if hasattr(self, "save_hyperparameters"):
                given = signature.bind(self, *arguments, **options)
                given.apply_defaults()
                saved = {name: value for name, value in _flat(given.arguments) if name not in {"self", *unsaved}}
                self.save_hyperparameters({**saved, **self.hparams}, logger=logged)

        flat = list(_flat_parameters(signature))
        __init__.__signature__ = signature.replace(parameters=flat)  # type: ignore[attr-defined]
        __init__.__annotations__ = {entry.name: entry.annotation for entry in flat[1:]} | {"return": None}
        cls.__init__ = __init__  # type: ignore[method-assign]
        cls.__doc__ = _with_fields(cls.__doc__ or "", {name: type(group) for name, group in groups.items()})
        return cls

    return decorate


def _flat(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in arguments.items():
        if is_dataclass(value):
            yield from ((field.name, getattr(value, field.name)) for field in fields(value))
        else:
            yield name, value


def _flat_parameters(signature: inspect.Signature) -> Iterator[inspect.Parameter]:
    for entry in signature.parameters.values():
        if not is_dataclass(entry.default):
            yield entry
            continue
        for field in fields(entry.default):
            default = getattr(entry.default, field.name)
            yield inspect.Parameter(field.name, entry.KEYWORD_ONLY, default=default, annotation=field.type)


def _with_fields(text: str, groups: Mapping[str, type]) -> str:
    """A class's docstring with the entry of each group replaced by the entries of the group's own docstring."""
    for name, group in groups.items():
        entries = inspect.cleandoc(group.__doc__ or "").partition("Args:\n")[2].partition("\n\n")[0]
        indented = "\n".join(f"    {line}" for line in entries.rstrip().splitlines())
        before, _, after = re.split(rf"^( {{8}}{name}: .*$(?:\n {{12}}.*$)*)", text, maxsplit=1, flags=re.MULTILINE)
        text = f"{before}{indented}{after}"
    return text
