"""What an operator can set, all of it through SENTIMENT_* environment variables."""

import os

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SENTIMENT_"


def available_processors() -> int:
    """Processors this process may use, which under an affinity mask is fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class SettingsError(ValueError):
    """A setting the service cannot start with: the message names the variable, its value and what was expected."""


class Settings(BaseSettings):
    """Every setting with its default. Read once, when the service starts."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    model: str = Field(
        default="default",
        description='The bundle to serve: a folder, or "default" for the one that ships with the project.',
    )
    max_body_bytes: int = Field(
        default=8 * 1024 * 1024,  # far above 256 long reviews, far below what would exhaust a small machine
        ge=1024,
        description="The largest request body that is read, in bytes; more is answered with 413.",
    )
    max_texts: int = Field(
        default=256,
        ge=1,
        description="The most texts in one request; more is answered with 422.",
    )
    max_characters: int = Field(
        default=100_000,  # seven times the longest IMDb review
        ge=1,
        description="The most characters (Unicode code points) in one text; a longer text gets an error of its own.",
    )
    threads: int = Field(
        default_factory=available_processors,
        ge=1,
        le=256,
        description="How many requests are computed at the same time, each on one processor thread. "
        "By default as many as there are processors this process may use.",
    )


def read_settings() -> Settings:
    """Reads the environment.

    Raises:
        SettingsError: a value is invalid; every invalid one is named.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            f"{PREFIX}{str(problem['loc'][0]).upper()}={problem['input']}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SettingsError("The service cannot start with these settings.\n" + "\n".join(problems)) from None
