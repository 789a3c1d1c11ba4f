"""Atomic writes: whole or not at all, and on the disk."""

import os
from pathlib import Path

import pytest

from model_store.atomic_write import atomic_path, atomic_write


def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "file.json"
    atomic_write(path, b"first")
    atomic_write(path, memoryview(b"second"))
    assert path.read_bytes() == b"second"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_after_an_error_the_old_file_is_intact(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path) as partial:
        _stop_halfway(partial)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_the_file_is_synced_before_it_is_renamed_and_its_folder_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls = tmp_path / "file", []
    sync = os.fsync

    def record(descriptor: int) -> None:
        calls.append((os.fstat(descriptor).st_ino, path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    atomic_write(path, b"content")
    assert calls == [(path.stat().st_ino, False), (tmp_path.stat().st_ino, True)]


def test_a_file_can_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    atomic_write(tmp_path / "atomic", b"")
    (tmp_path / "plain").write_bytes(b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def _stop_halfway(partial: Path) -> None:
    partial.write_bytes(b"half of the n")
    raise KeyboardInterrupt
