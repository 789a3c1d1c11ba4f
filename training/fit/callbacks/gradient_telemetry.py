"""Gradient norms before clipping, layer by layer, and the share of clipped steps."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as lightning
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor, nn
from torch.nn.utils import get_total_norm
from torch.optim import Optimizer

from training.network.validation import OptionError


class GradientTelemetry(lightning.Callback):
    """Logs gradient norms as they are before clipping, and sums them up when training ends.

    Lightning clips right after the hook used here (``Precision._after_closure``), so the norms are those that clipping
    will see, of all processes together and unscaled. Logged are ``gradient/norm``, ``gradient/norm/<layer>`` and
    ``gradient/clipped``, the part of all steps so far whose gradient was beyond ``trainer.gradient_clip_val``. A step
    with a gradient that is not finite is in no sum; see ``Recovery``.

    Args:
        every_n_steps: optimizer steps between two entries in the logs. Every step is counted, logged or not.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        if every_n_steps < 1:
            message = f"telemetry.every_n_steps is {every_n_steps}; expected a number of optimizer steps, 1 or more"
            raise OptionError(message)
        self.every_n_steps = every_n_steps
        self._counts = [0.0, 0.0, 0.0, 0.0]  # steps, clipped steps, sum of norms, highest norm
        self._layers: dict[str, list[float]] = {}  # entries in the logs, sum of their norms, highest of them

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: Optimizer
    ) -> None:
        """Count the step; Lightning calls this after the backward pass and before it clips."""
        gradients = gradients_of(parameters_of(optimizer))
        norm = float(total_norm(gradients))
        self._count(norm, clipped=_is_clipped(trainer, gradients, norm))
        if trainer.global_step % self.every_n_steps == 0:
            self._log(trainer, norm, layers=_layer_norms(pl_module))

    def on_train_end(self, trainer: lightning.Trainer, *_: object) -> None:
        """Print the summary."""
        rank_zero_info(self.table(trainer))

    def summary(self) -> dict[str, Any]:
        """Steps, the clipped part of them, mean and highest norm; the same of each layer in the logged steps."""
        steps, clipped, total, highest = self._counts
        return {
            "steps": int(steps),
            "clipped": clipped / max(1.0, steps),
            "mean_norm": total / max(1.0, steps),
            "highest_norm": highest,
            "layers": {
                name: {"mean_norm": summed / entries, "highest_norm": top}
                for name, (entries, summed, top) in self._layers.items()
            },
        }

    def table(self, trainer: lightning.Trainer) -> str:
        """The summary as text."""
        summary = self.summary()
        first = (
            f"Gradient norm before clipping, over {summary['steps']:,} steps: mean {summary['mean_norm']:.3g}, "
            f"highest {summary['highest_norm']:.3g}. {_said_of_clipping(trainer, summary['clipped'])}"
        )
        rows = [f"{'layer':<44} {'mean':>9} {'highest':>9}"] if self._layers else []
        for name, layer in summary["layers"].items():
            rows.append(f"{name:<44} {layer['mean_norm']:>9.3g} {layer['highest_norm']:>9.3g}")
        return "\n  ".join([first, *rows])

    def state_dict(self) -> dict[str, Any]:
        """In the checkpoint, so that a resumed run's summary is of the whole run."""
        return {"counts": [*self._counts], "layers": {name: [*layer] for name, layer in self._layers.items()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Lightning calls this when a run is resumed."""
        self._counts = [*state_dict["counts"]]
        self._layers = {name: [*layer] for name, layer in state_dict["layers"].items()}

    def _count(self, norm: float, *, clipped: bool) -> None:
        if math.isfinite(norm):
            steps, clipped_steps, total, highest = self._counts
            self._counts = [steps + 1, clipped_steps + clipped, total + norm, max(highest, norm)]

    def _log(self, trainer: lightning.Trainer, norm: float, *, layers: dict[str, float]) -> None:
        steps, clipped, *_ = self._counts
        figures = {"gradient/norm": norm, "gradient/clipped": clipped / max(1.0, steps)}
        figures |= {f"gradient/norm/{name}": value for name, value in layers.items()}
        for logger in trainer.loggers:
            logger.log_metrics(figures, step=trainer.global_step)
        if not math.isfinite(norm):
            return
        for name, value in layers.items():
            entries, summed, top = self._layers.get(name, (0.0, 0.0, 0.0))
            self._layers[name] = [entries + 1, summed + value, max(top, value)]


def _is_clipped(trainer: lightning.Trainer, gradients: list[Tensor], norm: float) -> bool:
    """Whether Lightning is about to clip these gradients."""
    limit = trainer.gradient_clip_val
    if not limit:
        return False
    return bool((largest_value(gradients) if trainer.gradient_clip_algorithm == "value" else norm) > limit)


def _layer_norms(model: nn.Module) -> dict[str, float]:
    """Norm of the gradient of each layer: the parameters that live in one module, such as all of one LSTM's."""
    layers: dict[str, list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            layers[name.rpartition(".")[0]].append(parameter)
    if not layers:
        return {}
    norms = torch.stack([total_norm(gradients_of(parameters)) for parameters in layers.values()])
    return dict(zip(layers, norms.tolist(), strict=True))


def _said_of_clipping(trainer: lightning.Trainer, clipped: float) -> str:
    if not trainer.gradient_clip_val:
        return "Clipping is off (--trainer.gradient_clip_val)."
    algorithm = "value" if trainer.gradient_clip_algorithm == "value" else "norm"
    return f"{clipped:.1%} of steps clipped by {algorithm} at {trainer.gradient_clip_val}."


def gradients_of(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """The existing gradients; of a sparse one only the rows that are not zero."""
    gradients = (parameter.grad for parameter in parameters)
    return [
        gradient.coalesce().values() if gradient.is_sparse else gradient
        for gradient in gradients
        if gradient is not None
    ]


def total_norm(gradients: list[Tensor]) -> Tensor:
    """() Euclidean norm of all gradients together, still on their device; what clipping by norm compares."""
    return get_total_norm(gradients) if gradients else torch.zeros(())


def largest_value(gradients: list[Tensor]) -> Tensor:
    """() largest absolute value in any gradient, still on their device; what clipping by value compares."""
    return get_total_norm(gradients, norm_type=float("inf")) if gradients else torch.zeros(())


def parameters_of(optimizer: Optimizer) -> list[nn.Parameter]:
    """Every parameter the optimizer moves."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
