"""``python -m training fit``: trains a classifier; the help that comes first, and a check of the options' names.

Neither needs Lightning, whose import takes seconds.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import fill

from training.commands.parser import UsageError, plain_errors
from training.data.leakage import LeakageOptions
from training.data.readers import ReadingOptions

CONFIGS = Path(__file__).parents[1] / "configs"


@dataclass(frozen=True, slots=True)
class Option:
    """An option of ``fit`` in the first help.

    Attributes:
        name: without dashes.
        help: what it does.
        default: as it is shown; empty if there is none.
    """

    name: str
    help: str
    default: str = ""


FIRST: dict[str, tuple[Option, ...]] = {
    "Data": (
        Option("data.train", "labeled file to train on, or several as '[one.csv, other.parquet]'; needed"),
        Option("data.validation", "labeled file that decides when to stop and which checkpoint is best; needed"),
        Option("data.test", "labeled file measured once, after training"),
        Option("data.text_column", "column or key of the text", "text"),
        Option("data.label_column", "column or key of the label", "label"),
        Option("data.label_map", "label in the file to label, as '{\"0\": negative}'; null leaves rows out"),
        Option("data.on_bad_row", "stop at a row that cannot be used, or skip and count it", "stop"),
        Option("data.tokenizer", "word or subword, learned from the training texts, or pretrained", "word"),
        Option("data.batch_size", "texts a step", "64"),
    ),
    "Model": (
        Option("model.cell", "lstm, gru or rnn", "lstm"),
        Option("model.layers", "number of stacked layers", "2"),
        Option("model.hidden_size", "units of one direction in every layer", "150"),
        Option("model.dropout", "probability of a unit being zeroed between layers and before the head", "0.2"),
        Option("model.learning_rate", "the largest of the schedule", "0.002"),
    ),
    "Run": (
        Option("trainer.max_epochs", "passes over the training texts"),
        Option("trainer.default_root_dir", "folder of checkpoints, figures and curves", "runs/unnamed"),
        Option("trainer.accelerator", "cpu, gpu, or auto: a GPU if there is one", "auto"),
        Option("seed_everything", "decides first weights, dropout and the order of texts", "0"),
        Option("ckpt_path", "resume from this checkpoint, or from the newest with last"),
        Option("overwrite", "replace a run in the same folder", "false"),
    ),
}
"""The options that people use first, by group."""

READING = tuple(option.name for group in (ReadingOptions, LeakageOptions) for option in fields(group))

NAMES: dict[str, tuple[str, ...]] = {
    "": (
        *("config", "print_config", "seed_everything", "start_from", "new_head", "overwrite", "ckpt_path"),
        "weights_only",
    ),
    "data": (
        *("train", "validation", "test", "labels_in_order", "cache", "cache_folder", "sources"),
        *READING,
        *("tokenizer", "tokenizer_folder", "max_words", "min_count", "word_vectors", "vector_size", "emoji_words"),
        *("max_tokens", "batch_size", "tokens_per_batch", "most_texts"),
    ),
    "model": (
        *("cell", "layers", "hidden_size", "bidirectional", "connection", "layer_norm", "pooling"),
        *("embedding_size", "freeze_embedding", "projection_size"),
        *("word_dropout", "embedding_dropout", "dropout", "locked_dropout", "weight_drop"),
        *("label_smoothing", "class_weights", "teacher_weight", "learning_rate", "embedding_learning_rate"),
        *("layer_decay", "weight_decay", "schedule"),
    ),
    "resume": ("every_n_steps",),
    "telemetry": ("every_n_steps",),
    "recovery": ("patience", "rollbacks", "factor", "snapshot_every_n_steps"),
}
"""The names of all options by group, without those of Lightning's and torch's classes; a test compares the parser's."""

OF_LIBRARIES = ("trainer", "optimizer", "lr_scheduler")

KEYS = tuple(f"{group}.{name}".lstrip(".") for group, names in NAMES.items() for name in names)

HELP = """\
python -m training fit --data.train FILE --data.validation FILE [options]

Trains a classifier on labeled text. Labels are those of the training file.

  python -m training fit --config training/configs/sample.yaml
  python -m training fit --data.train tweets.csv --data.validation more.csv --trainer.default_root_dir runs/tweets

{groups}

--config names a YAML file of options; an option after it overrides the file. --print_config prints the result of both.
Further options:

{others}
  --trainer.NAME, --optimizer, --lr_scheduler: options of Lightning and torch

Every option is explained by --help_all, which takes longer.
"""


def main(arguments: list[str]) -> None:
    """Run the command."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(help_text())
        return
    with plain_errors("fit"):
        check_names(arguments)
    from training.commands.fit import fit

    fit(["--help" if argument == "--help_all" else argument for argument in with_shipped_configs(arguments)])


def with_shipped_configs(arguments: Sequence[str]) -> list[str]:
    """The arguments, in which training/configs/NAME.yaml is found in every folder: where the package is installed."""
    shipped = {f"training/configs/{path.name}": path for path in CONFIGS.glob("*.yaml")}
    found = []
    for argument in arguments:
        option, equals, value = argument.rpartition("=")  # "--config=NAME", or "NAME" after "--config"
        path = shipped.get(value)
        found.append(argument if path is None or Path(value).exists() else f"{option}{equals}{path}")
    return found


def check_names(arguments: Sequence[str], others: Sequence[str] = ()) -> None:
    """Check that the options on a command line exist, but for those of libraries.

    Args:
        arguments: options for fit.
        others: options of the command besides those of fit.

    Raises:
        UsageError: there is no such option.
    """
    for argument in arguments:
        if not argument.startswith("--") or argument in {"--", "--help_all"}:
            continue
        key = argument[2:].partition("=")[0].rstrip("+")
        name = ".".join(key.split(".")[:2])  # an option may be a mapping, and what follows one of its keys
        if key.split(".")[0] in OF_LIBRARIES or name in {*KEYS, *NAMES, "no_overwrite"}:
            continue
        message = f"unrecognized arguments: {argument}"
        raise UsageError(message, (*KEYS, *others))


def help_text() -> str:
    """The text of ``--help``."""
    groups = "\n\n".join(f"{group}:\n" + "\n".join(map(_line, options)) for group, options in FIRST.items())
    first = {option.name for options in FIRST.values() for option in options}
    rest = [
        [f"--{key}" for key in KEYS if key.partition(".")[0] == group and key not in first] for group in NAMES if group
    ]
    rest = [[f"--{name}" for name in NAMES[""] if name not in first], *rest]
    others = "\n".join(
        fill(", ".join(names), 118, initial_indent="  ", subsequent_indent="  ") for names in rest if names
    )
    return HELP.format(groups=groups, others=others)


def _line(option: Option) -> str:
    default = f" [{option.default}]" if option.default else ""
    return f"  --{option.name:25} {option.help}{default}"
