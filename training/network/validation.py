"""What an option of the network or its training may be, and the error for one that may not."""

MAX_LAYERS = 16
"""The deepest stack that is tested; a larger number is more likely a slip."""


class OptionError(ValueError):
    """An option that cannot be used; the message names it, its value, and what was expected."""


def check_probability(name: str, value: float) -> None:
    """Refuses what is no probability below 1: at 1 nothing would be left to learn from."""
    if not 0.0 <= value < 1.0:
        message = f"{name} is {value}; expected a number from 0 (off) up to, but not including, 1, such as 0.2"
        raise OptionError(message)


def check_int(name: str, value: int, *, minimum: int, maximum: int | None = None) -> None:
    """Refuses a number outside [minimum, maximum]."""
    if value < minimum or (maximum is not None and value > maximum):
        expected = f"at least {minimum}" if maximum is None else f"from {minimum} to {maximum}"
        message = f"{name} is {value}; expected a whole number {expected}"
        raise OptionError(message)


def check_choice(name: str, value: str, *, choices: tuple[str, ...]) -> None:
    """Refuses a word that is none of the choices."""
    if value not in choices:
        message = f"{name} is {value!r}; expected one of {', '.join(choices)}"
        raise OptionError(message)


def check_positive(name: str, value: float, *, advice: str) -> None:
    """Refuses zero, negative and non-finite numbers; ``advice`` is what to do instead."""
    if not 0.0 < value < float("inf"):
        message = f"{name} is {value}; expected a number above 0. {advice}"
        raise OptionError(message)
