"""A checkpoint is written whole or not at all."""

import errno
import os
import resource
from pathlib import Path

import pytest
import torch

from training.fit.callbacks.checkpoint_files import IN_MEMORY, CheckpointNotWrittenError, DurableCheckpoints


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoints" / "last.ckpt"
    DurableCheckpoints().save_checkpoint({"step": 1}, path)
    return path


def names(folder):
    return sorted(found.name for found in folder.iterdir())


def test_a_checkpoint_is_read_as_it_was_written(path):
    assert DurableCheckpoints().load_checkpoint(path, weights_only=True) == {"step": 1}
    assert names(path.parent) == ["last.ckpt"]


def test_content_is_on_the_disk_before_the_old_file_goes(path, monkeypatch):
    done = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: done.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    replace = type(path).replace
    monkeypatch.setattr(type(path), "replace", lambda self, target: (done.append("rename"), replace(self, target))[1])
    DurableCheckpoints().save_checkpoint({"step": 2}, path)
    assert done == [str(path.parent / ".last.ckpt.partial"), "rename", str(path.parent)]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_failed_write_leaves_the_one_before(path, monkeypatch, number):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointNotWrittenError, match=os.strerror(number)) as failed:
        DurableCheckpoints().save_checkpoint({"step": 2, "weights": torch.zeros(250_000)}, path)
    assert "This one needs 1.0 MB" in str(failed.value)
    assert "--ckpt_path=last" in str(failed.value)
    assert DurableCheckpoints().load_checkpoint(path) == {"step": 1}
    assert names(path.parent) == ["last.ckpt"]


def test_a_file_that_is_cut_off_halfway_never_takes_the_place(path):
    """The operating system itself refuses to write on, as it does on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, limits[1]))
    try:
        with pytest.raises(CheckpointNotWrittenError, match="File too large"):
            DurableCheckpoints().save_checkpoint({"weights": torch.zeros(250_000)}, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert DurableCheckpoints().load_checkpoint(path) == {"step": 1}
    assert names(path.parent) == ["last.ckpt"]


def test_a_file_left_by_a_killed_program_is_in_nobodys_way(path):
    (path.parent / ".last.ckpt.partial").write_bytes(b"half")
    DurableCheckpoints().save_checkpoint({"step": 2}, path)
    assert DurableCheckpoints().load_checkpoint(path) == {"step": 2}
    assert names(path.parent) == ["last.ckpt"]


def test_a_checkpoint_in_memory_is_handed_over_once():
    files = DurableCheckpoints()
    files.in_memory = {"step": 3}
    assert files.load_checkpoint(IN_MEMORY) == {"step": 3}
    assert files.in_memory is None
