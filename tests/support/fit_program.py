"""Runs ``python -m training fit`` on the repository's sample with a small network, as a program of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "training" / "data" / "sample"
TIMEOUT = 120

CONFIG = """
seed_everything: 1
data: {{train: {sample}/train.csv, validation: {sample}/validation.csv, min_count: 1, batch_size: 16}}
model: {{embedding_size: 16, hidden_size: 8, layers: 1, embedding_dropout: 0.3, dropout: 0.3, learning_rate: 5.0e-3}}
resume: {{every_n_steps: 5}}
telemetry: {{every_n_steps: 10}}
trainer:
  accelerator: cpu
  max_epochs: 3
  val_check_interval: 0.5
  gradient_clip_val: 3.0
  log_every_n_steps: 1
  enable_progress_bar: false
  enable_model_summary: false
  default_root_dir: run
  callbacks:
    - class_path: pytorch_lightning.callbacks.EMAWeightAveraging
      init_args: {{decay: 0.9, use_buffers: false}}
    - class_path: tests.support.spies.Watch
"""


def program(folder, *arguments, spies="", environment=None):
    """The command and its surroundings, for ``subprocess``; ``spies`` are more callbacks, as YAML list items."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fit.yaml").write_text(CONFIG.format(sample=SAMPLE) + spies, encoding="utf-8")
    return {
        "args": [sys.executable, "-m", "training", "fit", "--config", "fit.yaml", *arguments],
        "cwd": folder,
        "env": {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})},
        "text": True,
    }


def run(folder, *arguments, spies="", environment=None):
    command = program(folder, *arguments, spies=spies, environment=environment)
    return subprocess.run(**command, capture_output=True, timeout=TIMEOUT, check=False)


def spy(name, **options):
    settings = ", ".join(f"{option}: {value}" for option, value in options.items())
    return f"    - {{class_path: tests.support.spies.{name}, init_args: {{{settings}}}}}\n"
