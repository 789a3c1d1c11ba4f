"""Checks of option values, and the error that they raise."""

MAX_LAYERS = 16
"""The deepest stack that is tested; more is probably a typing error."""


class OptionError(ValueError):
    """An option that cannot be used; the message names it, its value, and what was expected."""


def check_probability(name: str, value: float) -> None:
    """Raise unless the value is in [0, 1); at 1 all inputs would be dropped."""
    if not 0.0 <= value < 1.0:
        message = f"{name} is {value}; expected a number from 0 (off) up to, but not including, 1, such as 0.2"
        raise OptionError(message)


def check_int(name: str, value: int, *, minimum: int, maximum: int | None = None) -> None:
    """Raise unless the value is in [minimum, maximum]."""
    if value < minimum or (maximum is not None and value > maximum):
        expected = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        message = f"{name} is {value}; expected a whole number {expected}"
        raise OptionError(message)


def check_choice(name: str, value: str, *, choices: tuple[str, ...]) -> None:
    """Raise unless the value is one of the choices."""
    if value not in choices:
        message = f"{name} is {value!r}; expected one of {', '.join(choices)}"
        raise OptionError(message)


def check_positive(name: str, value: float, *, advice: str) -> None:
    """Raise unless the value is positive and finite; ``advice`` ends the message."""
    if not 0.0 < value < float("inf"):
        message = f"{name} is {value}; expected a number above 0. {advice}"
        raise OptionError(message)
