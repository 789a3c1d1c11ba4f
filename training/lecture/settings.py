"""Settings of a diagnosis: seeds, data and network options."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import yaml

from training.data.readers import ReadingOptions
from training.data.readers.files import paths
from training.fit.task import SentimentTask
from training.network import SentimentNetwork

SAMPLE = Path(__file__).parents[1] / "data" / "sample"


class DiagnosisError(ValueError):
    """A diagnosis cannot be made with these settings; the message says what to pass."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Options of fresh sentence classifiers; the defaults are small enough for a CPU and 360 sentences.

    Attributes:
        network: keyword arguments of ``SentimentNetwork``.
    """

    embedding_size: int = 50
    learning_rate: float = 5e-3
    network: Mapping[str, Any] = field(
        default_factory=lambda: {
            "cell": "lstm",
            "layers": 1,
            "hidden_size": 32,
            "bidirectional": True,
            "connection": "residual",
            "pooling": ["max", "mean"],
            "embedding_dropout": 0.3,
            "dropout": 0.3,
        }
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """Attributes are as in ``commands.diagnose``; ``seeds`` start the random numbers of each network."""

    quick: bool = False
    seeds: tuple[int, ...] = (0, 1, 2)
    model: ModelOptions = field(default_factory=ModelOptions)
    train: Path = SAMPLE / "train.csv"
    validation: tuple[Path, ...] = (SAMPLE / "validation.csv", SAMPLE / "test.csv")
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    checkpoint: Path | None = None
    texts: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types for the report. Reading options with their default value are omitted."""
        defaults = ReadingOptions()
        return {
            "quick": self.quick,
            "seeds": list(self.seeds),
            "model": {
                "embedding_size": self.model.embedding_size,
                "learning_rate": self.model.learning_rate,
                **self.model.network,
            },
            "train": self.train.name,
            "validation": [path.name for path in self.validation],
            "reading": {
                name: value for name, value in asdict(self.reading).items() if value != getattr(defaults, name)
            },
            "checkpoint": None if self.checkpoint is None else self.checkpoint.name,
            "texts": None if self.texts is None else self.texts.name,
        }


@dataclass(frozen=True, slots=True)
class FitConfig:
    """The part of a fit config that a diagnosis uses."""

    model: ModelOptions
    reading: ReadingOptions
    train: Path | None
    validation: Path | None


def read_fit_config(path: Path) -> FitConfig:
    """Read the model options, data files and reading options of a config for ``fit``.

    Raises:
        DiagnosisError: the file is missing or is not such a config.
    """
    if not path.is_file():
        message = f"{path}: no such file; pass a config for fit, such as training/configs/sample.yaml"
        raise DiagnosisError(message)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        message = f"{path}: is not YAML ({str(error).splitlines()[0]})"
        raise DiagnosisError(message) from error
    if not isinstance(content, dict) or not isinstance(content.get("model", {}), dict):
        message = f"{path}: is not a config for fit; expected the keys model and data"
        raise DiagnosisError(message)
    data = content.get("data") or {}
    return FitConfig(
        model=model_options(content.get("model") or {}),
        reading=ReadingOptions.among(data, trees="root", on_bad_row="stop"),
        train=paths(data["train"])[0] if data.get("train") else None,
        validation=paths(data["validation"])[0] if data.get("validation") else None,
    )


def model_options(given: Mapping[str, Any]) -> ModelOptions:
    """Options of fresh networks as ``fit`` reads them: the given options, and the task's defaults for the others."""
    defaults = {
        name: parameter.default
        for name, parameter in signature(SentimentTask).parameters.items()
        if parameter.kind is Parameter.KEYWORD_ONLY
    }
    options = {**defaults, **given}
    of_network = set(signature(SentimentNetwork).parameters)
    return ModelOptions(
        embedding_size=options["embedding_size"],
        learning_rate=options["learning_rate"],
        network={name: value for name, value in options.items() if name in of_network},
    )
