"""The number of processor cores this process may use, which may be fewer than the machine has."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores(*, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Cores under the affinity mask and the container's CPU quota, whichever allows fewer; at least 1.

    A quota that is not a whole number of cores is rounded up, so that all of it can be used.

    Args:
        cgroups: mount point of the control groups (Linux, cgroup v1 and v2).
        membership: the file that names this process's control groups.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = _quotas(cgroups, membership)
    return max(1, min([cores, *(math.ceil(quota) for quota in quotas)]))


def _quotas(cgroups: Path, membership: Path) -> Iterator[float]:
    """The quotas, in cores, of this process's control group and of all groups above it."""
    for line in _text(membership).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:  # cgroup v2: one hierarchy
            for folder in _upward(cgroups, group):
                yield from _quota(*_text(folder / "cpu.max").split())
        elif "cpu" in controllers.split(","):  # cgroup v1: a mount for each controller or group of controllers
            mount = next((cgroups / name for name in (controllers, "cpu") if (cgroups / name).is_dir()), None)
            for folder in _upward(mount, group) if mount else ():
                yield from _quota(*(_text(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")))


def _upward(mount: Path, group: str) -> Iterator[Path]:
    """The group's folder and those above it, up to the mount.

    In a container the group may be named as the host sees it; its own folder is then the mount itself.
    """
    names = [name for name in group.split("/") if name not in {"", ".."}]
    for depth in range(len(names), -1, -1):
        yield mount.joinpath(*names[:depth])


def _quota(microseconds: str = "max", period: str = "100000") -> Iterator[float]:
    """The quota in cores, or nothing if there is none: "max" in cgroup v2, -1 in v1."""
    if microseconds.isdigit() and period.isdigit() and int(period) > 0:
        yield int(microseconds) / int(period)


def _text(path: Path) -> str:
    """A file's text; empty if it is missing or cannot be read, as in most places without control groups."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
