"""``python -m training fit``: LightningCLI around the task and the data."""

import shlex
import sys
import warnings

import pytorch_lightning as lightning
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI

from training.callbacks.run_record import RunRecord
from training.data.examples import DataError
from training.data.module import SentimentData
from training.task import SentimentTask


class SentimentCLI(LightningCLI):
    """``fit`` with everything the model must know of the data handed over by name."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Only ``fit``: measuring and predicting work from a checkpoint or bundle alone and need no config."""
        return {"fit": {"model", "train_dataloaders", "val_dataloaders", "datamodule"}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The vocabulary and the labels come from the data."""
        parser.link_arguments("data.labels", "model.labels", apply_on="instantiate")
        parser.link_arguments("data.tokenizer_json", "model.tokenizer_json", apply_on="instantiate")
        parser.link_arguments("data.pretrained_vectors", "model.vectors", apply_on="instantiate")
        parser.link_arguments("seed_everything", "data.seed")

    def after_fit(self) -> None:
        """The test file is measured once, with the best checkpoint."""
        if self.config["fit"]["data"]["test"]:
            self.trainer.test(self.model, datamodule=self.datamodule, ckpt_path="best")


def fit(arguments: list[str]) -> lightning.Trainer:
    """Trains as the arguments say and returns the trainer.

    Raises:
        SystemExit: with 1 and a plain message where the data is at fault, with 2 where an argument is.
    """
    command = shlex.join(["python", "-m", "training", "fit", *arguments])
    # LightningCLI warns whenever it is handed its arguments by a program that has some of its own.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    try:
        return SentimentCLI(
            SentimentTask,
            SentimentData,
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
            trainer_defaults={"callbacks": RunRecord(command=command)},
            load_from_checkpoint_support=False,  # checkpoints hold the task's own arguments, not LightningCLI's
            args=["fit", *arguments],
        ).trainer
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
