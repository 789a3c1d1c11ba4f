"""What ``python -m training fit`` does: LightningCLI around the task and the data; ``fit_options`` starts it."""

import errno
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as lightning
from jsonargparse import ActionYesNo
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning.accelerators import Accelerator, CUDAAccelerator, MPSAccelerator
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI
from pytorch_lightning.plugins.io import TorchCheckpointIO

from model_store import BundleError
from model_store import bundle as bundles
from training.commands.fit_summary import label_counts, print_summary
from training.commands.parser import StrictParser, UsageError, check_text_keys, plain_errors
from training.data.examples import DataError
from training.data.module import SentimentData
from training.data.readers.files import open_data, paths
from training.export.read_back import load_start, network_options, task_of
from training.fit import run_folder
from training.fit.callbacks.checkpoint_files import CheckpointNotWrittenError, DurableCheckpoints
from training.fit.callbacks.gradient_telemetry import GradientTelemetry
from training.fit.callbacks.metrics_file import carry_over
from training.fit.callbacks.progress import RunProgress
from training.fit.callbacks.recovery import DivergedError, Recovery, fit_with_recovery
from training.fit.callbacks.resume import Resume, last_checkpoint, steps_taken
from training.fit.callbacks.run_record import RunRecord
from training.fit.checkpoint import Checkpoint, CheckpointError, load_checkpoint
from training.fit.head_start import fit_head
from training.fit.lightning_messages import drop_irrelevant_messages
from training.fit.task import SentimentTask
from training.fit.warm_start import start_from
from training.network.validation import OptionError

EVERY_RUN = (Resume, GradientTelemetry, Recovery)
"""Callbacks that every run has, in the order in which they must come: before all others, ``Resume`` first."""


class DiskFullError(Exception):
    """The disk is full; the message names the file and how to resume."""


PLAIN_ERRORS = (
    BundleError,
    DataError,
    CheckpointError,
    CheckpointNotWrittenError,
    DiskFullError,
    DivergedError,
    run_folder.RunFolderError,
)
"""Errors shown as a plain message, without a traceback."""

MAKE_ROOM = "The last checkpoint is intact: make room, then run the same command again with --ckpt_path=last."


class FitParser(StrictParser, LightningArgumentParser):
    """LightningCLI's parser, with the strictness of the other commands."""


class SentimentCLI(LightningCLI):
    """LightningCLI with one command, which links the model's arguments to the data.

    Args:
        export_next: see ``print_summary``.
        **options: LightningCLI's.
    """

    def __init__(self, *, export_next: bool, **options: Any) -> None:  # noqa: ANN401 - Lightning's signature
        self._export_next = export_next
        super().__init__(**options)  # which also trains

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Only ``fit``: measuring and predicting work from a checkpoint or bundle alone and need no config."""
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Add the options of the callbacks of every run; link vocabulary and labels to the data."""
        parser.add_argument(
            "--start_from",
            type=str | None,
            default=None,
            help="start with the weights of a checkpoint, which has the same tokenizer, labels and network; or of a "
            "bundle, a folder or default, which brings tokenizer and network along; has no effect on a run resumed "
            "with --ckpt_path",
        )
        parser.add_argument(
            "--new_head",
            action=ActionYesNo,
            default=False,
            help="with --start_from: labels may be others, and the head is fitted to the training texts before the "
            "first step; a label of the same name keeps its weights",
        )
        parser.add_argument("--overwrite", action=ActionYesNo, default=False, help="replace a run in the same folder")
        parser.add_lightning_class_args(Resume, "resume")
        parser.add_lightning_class_args(GradientTelemetry, "telemetry")
        parser.add_lightning_class_args(Recovery, "recovery")
        parser.link_arguments("data.labels", "model.labels", apply_on="instantiate")
        parser.link_arguments("data.multi_label", "model.multi_label")
        parser.link_arguments("data.tokenizer_json", "model.tokenizer_json", apply_on="instantiate")
        parser.link_arguments("data.pretrained_vectors", "model.vectors", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed")

    def before_instantiate_classes(self) -> None:
        """Check options that would otherwise fail once the data has been read."""
        config = self.config["fit"]
        check_options(config)
        trial = config["trainer"]["fast_dev_run"] or config["trainer"]["enable_checkpointing"] is False
        if not (trial or config["overwrite"] or config["ckpt_path"]):
            run_folder.check_free(Path(config["trainer"]["default_root_dir"]))
        check_files(config)

    def instantiate_trainer(self, **options: Any) -> lightning.Trainer:  # noqa: ANN401 - Lightning's signature
        """Make a trainer that writes logs and checkpoints to the run folder; ``Resume`` comes first."""
        chosen = self.config_init["fit"]["trainer"]
        folder = Path(chosen["default_root_dir"])
        if chosen["logger"] in {None, True}:
            options["logger"] = run_folder.default_loggers(folder)
        if chosen["enable_checkpointing"] is not False:
            options["callbacks"] = run_folder.with_checkpoints(chosen["callbacks"] or [], folder)
        trainer = super().instantiate_trainer(**options)
        trainer.callbacks.sort(key=lambda callback: not isinstance(callback, EVERY_RUN))  # type: ignore[attr-defined]
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:  # Lightning's own, not one from the config
            trainer.strategy.checkpoint_io = DurableCheckpoints()
        return trainer

    def fit(self, model: lightning.LightningModule, *, ckpt_path: str | None = None, **options: Any) -> None:  # noqa: ANN401
        """Train, instead of ``Trainer.fit``: resume from a checkpoint, and roll back if training diverges.

        Raises:
            CheckpointError: ``ckpt_path`` or ``start_from`` names no checkpoint, or one that does not fit.
        """
        if ckpt_path == "last":
            ckpt_path = self._last()
        if ckpt_path is not None:
            carry_over(self.trainer.loggers, before_step=steps_taken(Path(ckpt_path)))
        elif self.config["fit"]["start_from"]:
            earlier = self._start(self.config["fit"]["start_from"], new_head=self.config["fit"]["new_head"])
            for callback in self.trainer.callbacks:  # type: ignore[attr-defined]  # set by a connector
                if isinstance(callback, RunRecord):
                    callback.began_with = earlier.origin()
        if self._replaces_a_run(ckpt_path):
            run_folder.remove_checkpoints(Path(self.trainer.default_root_dir))
        fit_with_recovery(self.trainer, model, ckpt_path=ckpt_path, **options)

    def _start(self, name: str, *, new_head: bool) -> Checkpoint:
        """Put earlier weights into the task, and fit a new head."""
        earlier = load_start(name)
        start_from(self.model, earlier, name=name, new_head=new_head)
        if new_head:
            self.datamodule.setup("fit")
            fit_head(self.model, self.datamodule.training_texts)
        return earlier

    def _replaces_a_run(self, ckpt_path: str | None) -> bool:
        """Whether checkpoints in the run folder are to go; those of a trial run, which writes none, are not."""
        config = self.config["fit"]
        writes = not config["trainer"]["fast_dev_run"] and config["trainer"]["enable_checkpointing"] is not False
        return bool(config["overwrite"] and writes and ckpt_path is None and self.trainer.is_global_zero)

    def _parse_ckpt_path(self) -> None:
        """Keep the options of the command line: LightningCLI would silently put the checkpoint's in their place."""

    def _last(self) -> str | None:
        """The path of last.ckpt, or None if it does not exist: the first run of a job may pass --ckpt_path=last too."""
        path = last_checkpoint(self.trainer)
        if path.is_file():
            return str(path)
        rank_zero_info(f"{path} does not exist yet: training starts from the beginning.")
        return None

    def after_fit(self) -> None:
        """Measure the test file once, with the weights that export takes from the best checkpoint; sum the run up.

        ``ckpt_path`` would not do: with averaged weights, Lightning would test the ones before averaging.
        """
        if self.config["fit"]["trainer"]["fast_dev_run"]:
            return
        counts = label_counts(self.trainer, self.datamodule)
        if self.config["fit"]["data"]["test"]:
            keeper = self.trainer.checkpoint_callback
            if isinstance(keeper, ModelCheckpoint) and keeper.best_model_path:
                best = load_checkpoint(Path(keeper.best_model_path))
                self.model.load_state_dict(best.task.state_dict())
            self.trainer.test(self.model, datamodule=self.datamodule)
        if self.trainer.is_global_zero:
            print_summary(self.trainer, self.datamodule, counts=counts, export_next=self._export_next)


GPUS: Mapping[str, tuple[type[Accelerator], ...]] = {
    "gpu": (CUDAAccelerator, MPSAccelerator),
    "cuda": (CUDAAccelerator,),
    "mps": (MPSAccelerator,),
}
"""For each accelerator option, the accelerators of which at least one must be available."""


def check_options(config: Mapping[str, Any]) -> None:
    """Check a run's options before any work.

    Raises:
        UsageError: an accelerator is not available, a label map has a key that is not text, or a new head has nothing
            to start from.
    """
    if config["new_head"] and not config["start_from"]:
        message = "--new_head needs weights to start from; pass --start_from with a checkpoint, a bundle or default"
        raise UsageError(message)
    accelerator = config["trainer"]["accelerator"]
    kinds = GPUS.get(accelerator) if isinstance(accelerator, str) else None
    if kinds and not any(kind.is_available() for kind in kinds):
        message = f"--trainer.accelerator is {accelerator}, but no such device is available; pass cpu or auto"
        raise UsageError(message)
    check_text_keys("data.label_map", config["data"]["label_map"])


def check_files(config: Mapping[str, Any]) -> None:
    """Check that the files of a run are there; otherwise the last would be missed only when the others are read.

    Raises:
        CheckpointError: ``ckpt_path`` names no checkpoint.
        DataError: a data file is missing, unreadable or empty.
    """
    for part in ("train", "validation", "test", "held_out"):
        for path in paths(config["data"][part] or []):
            with open_data(path):
                pass
    if config["ckpt_path"] not in {None, "last"}:
        steps_taken(Path(config["ckpt_path"]))


def fit(arguments: Sequence[str], *, command: str = "fit", other_keys: Sequence[str] = ()) -> lightning.Trainer:
    """Train as the arguments say and return the trainer.

    Args:
        arguments: options for fit.
        command: the command that errors name; any other than fit goes on by itself when the run ends.
        other_keys: options of that command in addition to those of fit.

    Raises:
        SystemExit: with 1 for invalid data, an unusable checkpoint, a full disk or diverged training, with 2 for an
            invalid argument, with 143 after SIGTERM; 1 and 2 with a plain message.
    """
    drop_irrelevant_messages()
    with plain_errors(command, *PLAIN_ERRORS, group="data"):
        try:
            return _run([*bundle_options(arguments), *arguments], export_next=command == "fit")
        except UsageError as error:
            raise UsageError(str(error), (*error.keys, *other_keys)) from error
        except (OptionError, MisconfigurationException) as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise
            path = error.filename or "The run folder"
            message = f"{path}: {error.strerror}; training has stopped.\n{MAKE_ROOM}"
            raise DiskFullError(message) from error


def bundle_options(arguments: Sequence[str]) -> list[str]:
    """The tokenizer and network options of the bundle that ``--start_from`` names; empty for a checkpoint.

    Raises:
        BundleError: the bundle cannot be used.
    """
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    given = [
        argument.partition("=")[2] if "=" in argument else following
        for argument, following in pairs
        if argument.partition("=")[0] in {"--start_from", "--start-from"}
    ]
    if not given or given[-1] == "null" or Path(given[-1]).is_file() or given[-1].endswith(".ckpt"):
        return []
    options = {
        **{
            f"model.{name}": value
            for name, value in network_options(task_of(bundles.read(bundles.resolve(given[-1])))).items()
        },
        "data.tokenizer": "bundle",
        "data.tokenizer_folder": given[-1],
    }
    in_yaml = {name: json.dumps(value) if isinstance(value, bool | list) else value for name, value in options.items()}
    return [f"--{name}={value}" for name, value in in_yaml.items()]


def _run(arguments: Sequence[str], *, export_next: bool) -> lightning.Trainer:
    return SentimentCLI(
        export_next=export_next,
        model_class=SentimentTask,
        datamodule_class=SentimentData,
        seed_everything_default=0,
        save_config_callback=run_folder.SaveConfig,
        save_config_kwargs={"save_to_log_dir": False},
        trainer_defaults={
            "callbacks": [
                RunRecord(command=shlex.join(["python", "-m", "training", "fit", *arguments])),
                RunProgress(),
            ],
            "enable_progress_bar": False,  # Lightning's starts again with each epoch and cuts names short
            "default_root_dir": run_folder.DEFAULT,
            "gradient_clip_val": 1.0,  # by norm: the lecture's Algorithm 1
            "use_distributed_sampler": False,  # ours is aware of the processes; Lightning's would replace it
        },
        parser_class=FitParser,
        parser_kwargs={"prog": "python -m training"},
        load_from_checkpoint_support=False,  # checkpoints hold the task's own arguments, not LightningCLI's
        args=["fit", *arguments],
    ).trainer
