"""API keys with their names and quotas, from the setting and from a file that may change while the service runs."""

import hmac
import logging
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from service.errors import RequestError
from service.middleware.concurrency import Kind
from service.monitoring import metrics
from service.settings import MIN_KEY_CHARACTERS, NAME, PREFIX, Settings, SettingsError, named_keys

LOOK_SECONDS = 1.0
"""How often requests make the service look whether the file has changed."""

UNITS = ("requests", "texts", "tokens")

logger = logging.getLogger("bentoml.keys")  # under "bentoml", whose lines BentoML writes out

PerMinute = Annotated[int | None, Field(default=None, ge=1)]


class KeyEntry(BaseModel):
    """One table of the file: a key, or its SHA-256, what it may use in a minute, and its share of the service."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    key: str | None = Field(default=None, min_length=MIN_KEY_CHARACTERS)
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    requests_per_minute: PerMinute
    texts_per_minute: PerMinute
    tokens_per_minute: PerMinute
    share: float = Field(default=1.0, gt=0, le=1)

    @model_validator(mode="after")
    def _has_one_of_both(self) -> "KeyEntry":
        if (self.key is None) == (self.sha256 is None):
            message = "give either key or sha256"
            raise ValueError(message)
        return self


class KeysFile(BaseModel):
    """The file: a table ``[keys.NAME]`` for each key."""

    model_config = ConfigDict(extra="forbid")

    keys: dict[Annotated[str, Field(pattern=f"^{NAME}$")], KeyEntry]


class ApiKey:
    """A key, and what it may still use. Used by the event loop only.

    Each limit is a bucket that holds a minute's worth and refills steadily. A request is let in if no bucket is empty,
    and takes from them what it was: the number of its tokens is not known before. A large one leaves a debt.

    Args:
        name: for the log and the metrics; never the key itself.
        digest: SHA-256 of the key.
        limits: for each unit how much in a minute; a unit that is absent has no limit.
        share: of the service's places for requests and streams, how much it may hold at the same time. A key with all
            of them is not counted, so that its slow senders keep nobody out.
    """

    def __init__(
        self, name: str, digest: bytes, limits: Mapping[str, int] | None = None, *, share: float = 1.0
    ) -> None:
        self.name = name
        self.digest = digest
        self.limits = dict(limits or {})
        self.share = share
        self._held: dict[Kind, int] = {"requests": 0, "streams": 0}
        self._left: dict[str, float] = dict(self.limits)
        self._filled = time.monotonic()

    def check(self) -> None:
        """Raise ``RequestError`` if a limit is used up; it says which one, and when to ask again."""
        self._refill()
        for unit, left in self._left.items():
            if left <= 0:
                limit = self.limits[unit]
                metrics.KEY_REFUSALS.labels(self.name, unit).inc()
                message = (
                    f"The key {self.name} has used up its {limit:,} {unit} a minute; send this request again later."
                )
                raise RequestError("quota_exceeded", message, retry_after=int((1 - left) * 60 / limit) + 1)

    def charge(self, **used: int) -> None:
        """Take from the limits what a request was, by unit."""
        for unit, count in used.items():
            if unit in self._left:
                self._left[unit] -= count
            metrics.key_used(self.name, unit, count)

    def take_place(self, kind: Kind, *, of: int) -> Callable[[], None]:
        """Take one of so many places, and return the function that gives it back; calling that twice has no effect.

        Raises:
            RequestError: the key holds its share of them.
        """
        most = max(1, int(self.share * of))
        if self.share < 1 and self._held[kind] >= most:
            metrics.KEY_REFUSALS.labels(self.name, f"{kind} under way").inc()
            message = f"The key {self.name} has {most:,} {kind} under way, its share; send this request again later."
            raise RequestError("quota_exceeded", message, retry_after=1)
        self._held[kind] += 1
        taken = [kind]

        def give_back() -> None:
            if taken:
                self._held[taken.pop()] -= 1

        return give_back

    def is_same_as(self, other: "ApiKey") -> bool:
        """Whether both are one key with the same limits."""
        one, two = ((key.name, key.digest, key.limits, key.share) for key in (self, other))
        return one == two

    def _refill(self) -> None:
        now = time.monotonic()
        minutes, self._filled = (now - self._filled) / 60, now
        for unit, limit in self.limits.items():
            self._left[unit] = min(float(limit), self._left[unit] + minutes * limit)


class KeyRing:
    """All keys of the service.

    Args:
        settings: with keys, and perhaps the file of others.

    Raises:
        SettingsError: the file is missing or invalid.
    """

    def __init__(self, settings: Settings) -> None:
        self._fixed = [ApiKey(name, sha256(key.encode()).digest()) for name, key in named_keys(settings)]
        self._file = settings.keys_file
        self._looked = time.monotonic()
        self._state: tuple[int, int] | None = None
        self._keys: Sequence[ApiKey] = self._fixed
        try:
            self._read_again()
        except (OSError, ValueError) as error:
            raise SettingsError(f"{PREFIX}KEYS_FILE={self._file}: {error}") from None

    def find(self, key: str) -> ApiKey | None:
        """The entry of a key; None if it is not valid."""
        self._follow_file()
        digest = sha256(key.encode("latin-1")).digest()  # headers arrive decoded as latin-1
        # Always compared with all of them, so that the time does not tell which one matches.
        matches = [entry for entry in self._keys if hmac.compare_digest(digest, entry.digest)]
        return matches[0] if matches else None

    def _follow_file(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            self._read_again()
        except (OSError, ValueError) as error:
            logger.error("%s: %s; the keys from before stay valid", self._file, error)  # noqa: TRY400 - one line

    def _read_again(self) -> None:
        """Use the keys of the file if it has changed; one that is the same keeps what is left of its limits."""
        if self._file is None or (state := _state(self._file)) == self._state:
            return
        self._state = state
        before = self._keys
        kept = [next((old for old in before if old.is_same_as(entry)), entry) for entry in read_keys(self._file)]
        self._keys = [*self._fixed, *kept]
        logger.info("%s: %d keys", self._file, len(self._keys))


def read_keys(file: Path) -> list[ApiKey]:
    """The keys of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not as ``KeysFile`` says; the message names the place, never a key.
    """
    try:
        content = KeysFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        problem = error.errors(include_input=False, include_context=False)[0]
        message = f"{'.'.join(map(str, problem['loc'])) or 'the top level'}: {problem['msg']}"
        raise ValueError(message) from None
    return [
        ApiKey(
            name,
            bytes.fromhex(entry.sha256) if entry.sha256 else sha256((entry.key or "").encode()).digest(),
            {unit: limit for unit in UNITS if (limit := getattr(entry, f"{unit}_per_minute")) is not None},
            share=entry.share,
        )
        for name, entry in content.keys.items()
    ]


def _state(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_ino
