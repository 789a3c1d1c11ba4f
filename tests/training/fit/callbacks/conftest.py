"""Trainers for a model of one matrix."""

from pathlib import Path

import pytest
import pytorch_lightning as lightning
import torch

from tests.support.least_squares import Rows
from training.fit.callbacks.checkpoint_files import DurableCheckpoints


@pytest.fixture
def loader():
    return torch.utils.data.DataLoader(Rows(), batch_size=None)


@pytest.fixture
def make_trainer(tmp_path):
    """A quiet trainer with the given callbacks first, and Lightning's own options."""

    def make(*callbacks, **options):
        defaults = {"accelerator": "cpu", "max_epochs": 2, "logger": False, "enable_checkpointing": False}
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": Path(tmp_path)}
        plugins = [DurableCheckpoints()]
        return lightning.Trainer(callbacks=[*callbacks], plugins=plugins, **{**defaults, **quiet, **options})

    return make
