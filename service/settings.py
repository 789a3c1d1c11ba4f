"""Settings, read from SENTIMENT_* environment variables. docs/reference/operations.md has the table."""

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from model_store.usable_cores import usable_cores
from service.monitoring.access_log import AccessLogFormat

PREFIX = "SENTIMENT_"

# What a request takes, in bytes, by its parts: estimates on the safe side. `python -m benchmarks.memory` shows the sum.

BODY_COPIES = 2
"""A body's bytes as they arrive, and joined; later the joined ones, and what the parser copies of them."""

BYTES_PER_TEXT = 2_000
"""One text's, or one sentence's, prediction and its tokens, without what is counted for each token."""

BYTES_PER_TOKEN = 32
"""One token's id and offsets."""

BYTES_PER_NUMBER = 5
"""One number of a representation or contribution, and some padding. It is written without being kept as text."""

MIN_KEY_CHARACTERS = 16
"""Minimum length of an API key; a shorter one can be guessed."""

NAME = r"[A-Za-z0-9._-]{1,64}"
"""Of a key."""

NAMED_KEY = re.compile(f"({NAME}):(.*)")

SECRETS = {"api_keys"}
"""Settings whose values are never printed."""

FOREIGN = {f"{PREFIX}DATA"}
"""Variables of this project that are not settings of the service."""

OF_KUBERNETES = re.compile(rf"{PREFIX}(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
"""Variables that Kubernetes sets in every container of a namespace with a Service whose name begins with sentiment."""


def _cores_per_worker(values: dict[str, Any]) -> int:
    workers: int = values.get("workers", 1)
    return max(1, usable_cores() // workers)


AdapterName = Literal["tei", "huggingface", "vllm", "infinity", "openai"]
"""Servers whose APIs can be switched on, see ``service.adapters``."""


class SettingsError(ValueError):
    """Invalid settings; the message names each variable, its value and what was expected.

    Args:
        problems: one a line.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(("The service cannot start with these settings.", *problems)))


class Settings(BaseSettings):
    """Every setting with its default. Read once, when the service starts."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    model: str = Field(
        default="default",
        description='The bundle to serve: a folder, the tag of a stored one (name:version), "production", or "default" '
        "for the one that ships with the project.",
    )
    models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Several bundles to serve in place of SENTIMENT_MODEL, separated by commas, each as there or as "
        'name=bundle: "default, reviews=production, ./tickets". Calls choose one by its name; the first answers those '
        "that name none.",
    )
    model_sha256: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="The SHA-256 that the manifest.json of the (first) bundle must have, as GET /v1/model gives it; "
        "another is not served. By default any.",
    )
    shadow: str | None = Field(
        default=None,
        description="A second bundle that reads what the first one has answered; the metrics count the differences. "
        "It answers no call and delays none.",
    )
    shadow_share: float = Field(
        default=1.0, gt=0, le=1, description="The share of the texts that the shadow reads, drawn at random."
    )
    drift_window: int = Field(
        default=1000,
        ge=0,
        description="The number of texts that each worker compares with the texts the bundle was validated on; the "
        "metrics show how far the last ones are from them. 0 for none. Needs a bundle with a reference.",
    )
    feedback: Path | None = Field(
        default=None,
        description="A SQLite file for what clients send to /v1/feedback, which is there only if this is set.",
    )
    feedback_texts: bool = Field(default=False, description="Whether the texts are kept there, too.")
    feedback_max_bytes: int = Field(
        default=1024 * 1024 * 1024,
        ge=1024 * 1024,
        description="Size of that file beyond which the oldest entries make room.",
    )
    device: Literal["cpu", "cuda"] = Field(
        default="cpu",
        description='Where the model runs. "cuda" needs the package onnxruntime-gpu instead of onnxruntime.',
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Processes that serve, each with its own model and its own limits.",
    )
    threads: int = Field(
        default_factory=_cores_per_worker,
        ge=1,
        le=256,
        description="How many requests a worker computes at the same time, each on one processor thread. "
        "By default the processors that this process may use (a container's CPU quota counts), divided among the "
        "workers.",
    )
    max_body_bytes: int = Field(
        default=2 * 1024 * 1024,  # 256 texts of 8,000 characters, of which the model reads less than half
        ge=1024,
        description="Maximum size of a request body in bytes; a larger one is answered with 413.",
    )
    max_texts: int = Field(
        default=256,
        ge=1,
        le=16_000,  # a body is parsed up to 16,384 values
        description="Maximum number of texts in one request; more are answered with 422.",
    )
    max_characters: int = Field(
        default=100_000,  # seven times the longest IMDb review
        ge=1,
        description="Maximum number of characters (Unicode code points) in one text; a longer text gets its own error.",
    )
    max_request_tokens: int = Field(
        default=131_072,  # 256 texts of 512 tokens: a few seconds of one processor
        ge=1,
        description="Maximum number of tokens in all texts of one request; more are answered with 422.",
    )
    max_request_numbers: int = Field(
        default=4_194_304,  # 8,192 tokens of 512 numbers: 22 MB of base64, 90 MB as lists, written in pieces
        ge=1,
        description="Maximum number of numbers in all representations of one answer; more are answered with 422.",
    )
    max_in_flight: int = Field(
        default=64,  # enough to keep every thread busy, and a wait of well under a second for ordinary texts
        ge=1,
        description="Maximum number of requests that wait or are computed; further ones are answered with 429 at once.",
    )
    max_streams: int = Field(
        default=8,
        ge=1,
        description="Maximum number of concurrent streams of /v1/bulk; further ones are answered with 429 at once.",
    )
    stream_idle_seconds: float = Field(
        default=60.0,  # what common proxies allow a silent connection; few streams may be open, so no slot lies idle
        gt=0,
        le=86_400,
        description="How long a stream of /v1/bulk may bring no line; then it ends with the line `stream_idle`, and "
        "its slot is free.",
    )
    max_bytes_in_flight: int = Field(
        default=96 * 1024 * 1024,  # with the model and its runs below 512 MiB
        ge=1024,
        description="Maximum number of bytes that all requests together hold: bodies, their texts, tokens, predictions "
        "and the pieces of answers; a request beyond it is answered with 429.",
    )
    max_resident_bytes: int | None = Field(
        default=None,
        ge=1024,
        description="Memory of a worker from nine tenths of which requests are answered with 429. By default the limit "
        "of the container, for all its processes, if it has one.",
    )
    deadline_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="How long a body may take to arrive (then 408), an answer to be made (then 504, and its work "
        "stops), and a client to take the next piece of it (then the connection closes).",
    )
    drain_seconds: float = Field(
        default=1.0,
        ge=0,
        le=600,
        description="After SIGTERM the service is not ready but still answers, so that a load balancer can turn away.",
    )
    grace_seconds: float = Field(
        default=30.0,  # deadline_seconds, so that every request under way can end
        gt=0,
        le=3600,
        description="How long requests and streams under way may take to end after the drain; what is left then is "
        "broken off.",
    )
    keep_alive_seconds: float = Field(
        default=75.0,  # longer than the 60 s after which common load balancers close an idle connection themselves
        gt=0,
        le=3600,
        description="How long an idle connection stays open. Keep it above the idle timeout of a load balancer.",
    )
    head_seconds: float = Field(
        default=10.0,  # a head is one packet of most clients
        gt=0,
        le=3600,
        description="How long the line and headers of a request may take to arrive, from their first byte; then the "
        "connection closes.",
    )
    max_connections: int = Field(
        default=1024,
        ge=1,
        description="Maximum number of open connections. A new one takes the place of one that is idle; if none is, "
        "its request is answered with 429, except for probes.",
    )
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="API keys, separated by commas; name:key gives one a name, which the log shows. Where "
        "some are set, a call needs one of them. None by default.",
    )
    keys_file: Path | None = Field(
        default=None,
        description="A TOML file of more keys, each with a name and quotas; changes are followed within a second.",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins whose pages may call the service, separated by commas, or *. None by default.",
    )
    adapters: Annotated[tuple[AdapterName, ...], NoDecode] = Field(
        default=(),
        description="Other servers whose APIs are answered, too, separated by commas: tei, huggingface, vllm or "
        "infinity, openai. None by default.",
    )
    unsupported_language: Literal["off", "flag", "refuse"] = Field(
        default="off",
        description="What is done about a text in a language that the model does not read: nothing, and languages are "
        'not detected; "flag" gives every result its language and whether it is supported; "refuse" gives such a text '
        "an error as well. Needs the extra language.",
    )
    languages: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("en",),
        min_length=1,
        description="The languages that the model reads, as ISO 639-1 codes separated by commas.",
    )
    access_log: bool = Field(
        default=True,
        description="Whether every request leaves a line in the log: its id, path, status and time, never its text.",
    )
    access_log_format: AccessLogFormat = Field(
        default="text",
        description='The form of these lines. "json": one object a line, with client, key name, texts, tokens, bytes.',
    )

    @field_validator("models", "api_keys", "cors_origins", "adapters", "languages", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("api_keys")
    @classmethod
    def _keys_are_long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(key) < MIN_KEY_CHARACTERS for _, key in _named(keys)):
            message = f"every key needs at least {MIN_KEY_CHARACTERS} characters"
            raise ValueError(message)
        return keys

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, separator, rest = origin.partition("://")
            if origin != "*" and not (separator and scheme and rest and "/" not in rest):
                message = f"{origin} is not an origin; write it like https://example.org, without a path"
                raise ValueError(message)
        return origins

    @property
    def needs_keys(self) -> bool:
        """Whether calls need an API key."""
        return bool(self.api_keys) or self.keys_file is not None

    @property
    def working_bytes(self) -> int:
        """Memory of all runs of the model at the same time: one of 5,000 tokens, or one of 600 for each thread."""
        return max(128 * 1024 * 1024, self.threads * 12 * 1024 * 1024)

    @model_validator(mode="after")
    def _models_are_named_once(self) -> "Settings":
        if {"model", "models"} <= self.model_fields_set:
            message = f"{PREFIX}MODEL and {PREFIX}MODELS are both set: put the first one at the beginning of the second"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _one_request_fits(self) -> "Settings":
        required = BODY_COPIES * self.max_body_bytes + self.max_request_numbers * BYTES_PER_NUMBER
        if self.max_bytes_in_flight < required:
            rule = f"{BODY_COPIES} x {PREFIX}MAX_BODY_BYTES + {BYTES_PER_NUMBER} x {PREFIX}MAX_REQUEST_NUMBERS"
            message = (
                f"{PREFIX}MAX_BYTES_IN_FLIGHT={self.max_bytes_in_flight} cannot hold the largest single request: "
                f"{rule} = {required}"
            )
            raise ValueError(message)
        return self


def named_keys(settings: Settings) -> list[tuple[str, str]]:
    """Name and key of each API key; a key without a name has its position, as in "#1"."""
    return _named(settings.api_keys)


def _named(keys: Sequence[SecretStr]) -> list[tuple[str, str]]:
    matches = [(NAMED_KEY.fullmatch(key.get_secret_value()), key.get_secret_value()) for key in keys]
    return [
        (match[1], match[2]) if match else (f"#{position}", key) for position, (match, key) in enumerate(matches, 1)
    ]


def read_settings() -> Settings:
    """Read the environment.

    Raises:
        SettingsError: a value is invalid, two contradict each other, or a name is unknown; every invalid one is named.
    """
    if problems := [_unknown(name) for name in sorted(os.environ) if _is_misspelt(name)]:
        raise SettingsError(*problems)
    try:
        return Settings()
    except ValidationError as error:
        problems = [_problem(problem["loc"], problem["input"], problem["msg"]) for problem in error.errors()]
        raise SettingsError(*problems) from None


def _is_misspelt(variable: str) -> bool:
    name = variable.upper()  # as pydantic-settings compares them
    is_known = name.removeprefix(PREFIX).lower() in Settings.model_fields
    return name.startswith(PREFIX) and not (is_known or name in FOREIGN or OF_KUBERNETES.fullmatch(name))


def _unknown(variable: str) -> str:
    names = [PREFIX + name.upper() for name in Settings.model_fields]
    nearest = difflib.get_close_matches(variable.upper(), names, n=1, cutoff=0.0)[0]
    return f"{variable}: there is no such setting; the nearest is {nearest}"


def _problem(location: tuple[int | str, ...], value: object, message: str) -> str:
    if not location:  # a check of several settings together
        return message
    name = str(location[0])
    return f"{PREFIX}{name.upper()}={'(not shown)' if name in SECRETS else value}: {message}"
