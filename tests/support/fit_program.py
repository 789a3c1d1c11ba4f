"""``python -m training fit`` on the repository's sample with a small network, in its own process."""

import os
import subprocess
import sys

from tests.support.paths import ROOT, SAMPLE

TIMEOUT = 120  # seconds, on a busy machine; a run takes about 10

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
    - class_path: tests.support.callbacks.Watch
"""


def program(folder, *arguments, spies="", environment=None):
    """The arguments of ``subprocess.run``.

    Args:
        folder: the working folder, made if absent.
        arguments: of ``fit``, after its configuration.
        spies: more callbacks as YAML list items, made with ``spy``.
        environment: variables to set.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fit.yaml").write_text(CONFIG.format(sample=SAMPLE) + spies, encoding="utf-8")
    return {
        "args": [sys.executable, "-m", "training", "fit", "--config", "fit.yaml", *arguments],
        "cwd": folder,
        "env": {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **(environment or {})},
        "text": True,
    }


def run(folder, *arguments, spies="", environment=None):
    """Run it to its end; see ``program``."""
    command = program(folder, *arguments, spies=spies, environment=environment)
    return subprocess.run(**command, capture_output=True, timeout=TIMEOUT, check=False)


def spy(name, **options):
    """A callback of ``tests.support.callbacks`` as a YAML list item."""
    settings = ", ".join(f"{option}: {value}" for option, value in options.items())
    return f"    - {{class_path: tests.support.callbacks.{name}, init_args: {{{settings}}}}}\n"
