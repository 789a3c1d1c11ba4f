"""Usable cores, with control groups as the kernel writes them."""

import os
from pathlib import Path

import pytest

from model_store.usable_cores import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def cores(folder: Path, *, membership: str, files: dict[str, str]) -> int:
    """Usable cores under made-up control groups: ``files`` by path under the mount."""
    (folder / "membership").write_text(membership, encoding="utf-8")
    for name, content in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return usable_cores(cgroups=folder / "cgroup", membership=folder / "membership")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("max 100000\n", 8),
        ("6400000 100000\n", 8),
        ("", 8),
        ("nonsense\n", 8),
    ],
)
def test_cgroup_v2_quota(tmp_path: Path, limit: str, expected: int) -> None:
    assert cores(tmp_path, membership="0::/\n", files={"cpu.max": limit}) == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000\n", 3), ("250000\n", 3), ("-1\n", 8)])
@pytest.mark.parametrize("controllers", ["cpu", "cpu,cpuacct"])
def test_cgroup_v1_quota(tmp_path: Path, controllers: str, quota: str, expected: int) -> None:
    files = {f"{controllers}/cpu.cfs_quota_us": quota, f"{controllers}/cpu.cfs_period_us": "100000\n"}
    assert cores(tmp_path, membership=f"4:memory:/\n1:{controllers}:/\n", files=files) == expected


def test_v1_controllers_may_be_mounted_under_the_shorter_name(tmp_path: Path) -> None:
    files = {"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}
    assert cores(tmp_path, membership="1:cpu,cpuacct:/\n", files=files) == 4


def test_the_smallest_quota_of_a_group_and_those_above_it_counts(tmp_path: Path) -> None:
    files = {"pods/cpu.max": "200000 100000", "pods/web/cpu.max": "500000 100000"}
    assert cores(tmp_path, membership="0::/pods/web\n", files=files) == 2


@pytest.mark.parametrize("group", ["/docker/3f2a", "/../../docker/3f2a"])
def test_a_group_named_as_the_host_sees_it_is_the_mount_itself(tmp_path: Path, group: str) -> None:
    assert cores(tmp_path, membership=f"0::{group}\n", files={"cpu.max": "100000 100000"}) == 1


def test_the_affinity_mask_counts_where_it_allows_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert cores(tmp_path, membership="0::/\n", files={"cpu.max": "300000 100000"}) == 1


def test_without_control_groups_all_cores_of_the_mask_are_usable(tmp_path: Path) -> None:
    assert usable_cores(cgroups=tmp_path / "absent", membership=tmp_path / "absent too") == 8


def test_without_an_affinity_mask_the_machine_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert usable_cores(cgroups=tmp_path, membership=tmp_path / "absent") == 6
