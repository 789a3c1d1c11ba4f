"""What a run is trained on: processor, cores, accelerator."""

import os
import platform
from pathlib import Path

import pytorch_lightning as lightning
import torch

from model_store.manifest import Machine

PROCESSORS = Path("/proc/cpuinfo")


def machine(trainer: lightning.Trainer) -> Machine:
    """The machine under a run."""
    on_gpu = trainer.strategy.root_device.type == "cuda"
    return Machine(
        processor=processor_name(),
        cores=cores(),
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


def cores() -> int:
    """Processor cores this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
