"""Provenance of a run: the machine, and the version of the code."""

import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytorch_lightning as lightning
import torch

from model_store.manifest import Machine
from model_store.usable_cores import usable_cores

PROCESSORS = Path("/proc/cpuinfo")
HERE = Path(__file__).resolve().parent


def machine(trainer: lightning.Trainer) -> Machine:
    """The machine under a run."""
    on_gpu = trainer.strategy.root_device.type == "cuda"
    return Machine(
        processor=processor_name(),
        cores=usable_cores(),
        accelerator=torch.cuda.get_device_name() if on_gpu else None,
        devices=trainer.world_size,
    )


def processor_name(processors: Path = PROCESSORS) -> str:
    """The processor's name as its maker writes it, on Linux; elsewhere what Python knows of it."""
    if processors.is_file():
        for line in processors.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name" and value.strip():
                return value.strip()
    return platform.processor() or platform.machine() or "unknown processor"


@cache
def git_commit(folder: Path = HERE) -> dict[str, dict[str, str | bool]]:
    """The code that ran: ``{"git": {"commit", "dirty"}}``; empty without git or the repository.

    A virtual environment may lie inside another repository, so the code must be tracked by the repository.
    """
    git = shutil.which("git")
    if git is None or _output(git, folder, "ls-files", "--error-unmatch", ".") is None:
        return {}
    commit, changes = _output(git, folder, "rev-parse", "HEAD"), _output(git, folder, "status", "--porcelain")
    if commit is None:
        return {}
    return {"git": {"commit": commit, "dirty": bool(changes)}}


def _output(git: str, folder: Path, *arguments: str) -> str | None:
    done = subprocess.run(  # noqa: S603 - git with arguments of our own
        [git, "-C", str(folder), *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
