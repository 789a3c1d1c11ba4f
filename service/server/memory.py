"""The process's real memory: how much the container allows, how much is taken, and how it goes back to the system.

The limits on requests count what a request takes by rule; this is the check on the rules. The kernel ends a process
that exceeds its container's limit, so requests are refused shortly before.
"""

import asyncio
import ctypes
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")

UNLIMITED = 2**60
"""Version 1 writes a number near 2**63 for no limit."""

SHARE = 0.9
"""The share of the limit from which requests are refused: the rest is for requests that have begun, and for sockets."""

READ_SECONDS = 0.1
"""How old a reading may be; reading takes up to a tenth of a millisecond."""

LARGE = 1024 * 1024
"""Bytes for which a new reading is made."""

MAX_ARENAS = 2
"""Heaps of the C library. By default there are eight for each processor, and each keeps what its threads once took."""

TRIM_AFTER_BYTES = 4 * 1024 * 1024
TRIM_DELAY_SECONDS = 0.5
"""The heap is trimmed this long after requests that held so many bytes have ended."""

MMAP_THRESHOLD = 4 * 1024 * 1024
"""Blocks from this size are the system's again as soon as they are freed: the arrays of texts of a thousand tokens and
more, which computing takes long enough for. Left alone, the C library raises its threshold to 32 MiB and keeps them in
its heaps, between smaller blocks."""

TRIM_THRESHOLD = 32 * 1024 * 1024
"""What a heap may keep at its end. With the threshold above set, it would be 128 KiB, and each text would pay."""

# glibc, malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8


@dataclass(frozen=True)
class ContainerLimit:
    """The kernel's limit on a group of processes.

    Attributes:
        limit: bytes.
        current: the file with the bytes that are taken.
        cached: the entries of ``memory.stat`` for files that the kernel would drop first.
    """

    limit: int
    current: Path
    cached: tuple[bytes, ...]

    def used(self) -> int:
        """Bytes taken now, without cached files."""
        entries = (line.split() for line in self.current.with_name("memory.stat").read_bytes().splitlines())
        cached = sum(int(value) for name, value in entries if name in self.cached)
        return int(self.current.read_bytes()) - cached


def container_limit(groups: Path = CGROUPS, own: Path = OWN_GROUPS) -> ContainerLimit | None:
    """The lowest limit on this process's group and those around it; None if there is none or it cannot be read."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return None
    limits = (limit for line in lines for limit in _limits(groups, *line.split(":", 2)[1:]))
    return min(limits, key=lambda each: each.limit, default=None)


def _limits(groups: Path, controllers: str, path: str) -> Iterator[ContainerLimit]:
    if not controllers:  # version 2
        base, names = groups, ("memory.max", "memory.current")
        cached: tuple[bytes, ...] = (b"inactive_file", b"active_file")
    elif "memory" in controllers.split(","):
        base, names = groups / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        cached = (b"total_inactive_file", b"total_active_file")
    else:
        return
    group = base / path.lstrip("/")
    for folder in (group, *group.parents):  # inside a container the path may be the one outside of it
        if folder.is_relative_to(base) and (limit := _limit(folder / names[0])) is not None:
            yield ContainerLimit(limit, folder / names[1], cached)


def resident_bytes() -> int:
    """The memory of this process that is in use; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[1]) * 4096
    except OSError:
        return 0


def _limit(file: Path) -> int | None:
    try:
        value = int(file.read_bytes())
    except (OSError, ValueError):  # no such file, or "max"
        return None
    return value if value < UNLIMITED else None


class MemoryGuard:
    """Says whether there is room for more.

    Args:
        limit: bytes; None for no limit.
        used: reads how many are taken.
    """

    def __init__(self, limit: int | None, used: Callable[[], int]) -> None:
        self._limit = limit
        self._used = used
        self._reading = 0
        self._read_at = float("-inf")

    @classmethod
    def for_process(cls, max_resident_bytes: int | None) -> "MemoryGuard":
        """A guard of this process's own limit if it has one, else of the container's."""
        if max_resident_bytes is not None:
            return cls(max_resident_bytes, resident_bytes)
        container = container_limit()
        return cls(None, resident_bytes) if container is None else cls(container.limit, container.used)

    def has_room(self, count: int, *, idle: bool) -> bool:
        """Whether so many bytes more may be taken.

        An idle process may go up to the limit, and takes small requests in any case, so that it is never stuck.
        """
        if self._limit is None or (idle and count < LARGE):
            return True
        now = time.monotonic()
        if count >= LARGE or now - self._read_at > READ_SECONDS:
            self._reading, self._read_at = self._used(), now
        return self._reading + count <= self._limit * (1.0 if idle else SHARE)


class HeapTrimmer:
    """Gives freed memory back to the system, shortly after requests that held much of it."""

    def __init__(self) -> None:
        self._freed = 0
        self._is_scheduled = False

    def freed(self, count: int) -> None:
        """Note that a request has ended which held so many bytes. Called in the event loop."""
        self._freed += count
        if self._freed >= TRIM_AFTER_BYTES and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_later(TRIM_DELAY_SECONDS, self._trim)

    def _trim(self) -> None:
        self._freed = 0
        self._is_scheduled = False
        asyncio.get_running_loop().run_in_executor(None, trim_heap)


def trim_heap() -> None:
    """Give freed memory back to the system, where the C library can. Other threads go on meanwhile."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def configure_heap() -> None:
    """Bound what the heaps keep. Call it before threads start; no effect without glibc."""
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_M_ARENA_MAX, MAX_ARENAS)
        mallopt(_M_MMAP_THRESHOLD, MMAP_THRESHOLD)
        mallopt(_M_TRIM_THRESHOLD, TRIM_THRESHOLD)
