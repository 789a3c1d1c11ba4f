"""The options with which ``fit`` trains an adapted model."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from training.adaptation.options import AdaptOptions
from training.adaptation.plan import Plan

FEW_EPOCHS = 10
"""Up to so many epochs nothing stops early: under the one-cycle schedule the last ones, in which the rate comes down,
are the best, and the middle ones often worse than the first."""

STEPS_BETWEEN_CHECKPOINTS = 100


def fit_config(
    options: AdaptOptions,
    plan: Plan,
    learned: Sequence[Path],
    validation: Path,
    run: Path,
    *,
    labels: Sequence[str],
) -> dict[str, Any]:
    """The options of ``fit``, but for the start."""
    epochs = options.epochs or plan.epochs
    monitor = {"monitor": "validation/macro_f1", "mode": "max"} if plan.chooses else {"monitor": None}
    callbacks: list[dict[str, Any]] = [
        {
            "class_path": "pytorch_lightning.callbacks.ModelCheckpoint",
            "init_args": {"filename": "best", **monitor, "save_last": True, "enable_version_counter": False},
        }
    ]
    if plan.chooses and epochs > FEW_EPOCHS:
        patience = {"patience": epochs // 2}
        callbacks.append(
            {"class_path": "pytorch_lightning.callbacks.EarlyStopping", "init_args": {**monitor, **patience}}
        )
    return {
        "seed_everything": options.seed,
        "data": {
            "train": [str(path) for path in learned],
            "validation": str(validation),
            "labels_in_order": list(labels),
            "multi_label": options.reading.multi_label,
            "batch_size": plan.batch_size,
            "sources": [f"{options.train.name}: labeled texts of the person who adapted the model"],
        },
        "model": {
            "embedding_dropout": 0.2,
            "dropout": 0.3,
            "class_weights": options.weights,
            "learning_rate": options.learning_rate or plan.learning_rate,
            "layer_decay": options.layer_decay,
            "schedule": "one_cycle",
        },
        "resume": {"every_n_steps": STEPS_BETWEEN_CHECKPOINTS},
        "trainer": {
            "max_epochs": epochs,
            "log_every_n_steps": 5,
            "default_root_dir": str(run),
            "enable_model_summary": False,
            "callbacks": callbacks,
        },
    }
