"""What a bundle says about itself: the contract between training, the model store and the service."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FORMAT_VERSION = 1
"""Raised whenever an older reader would misunderstand a newer bundle."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Label(_Part):
    """One class of the classifier, in the order of the logits."""

    name: str = Field(min_length=1)
    polarity: float | None = Field(
        ge=-1, le=1, description="-1 is wholly negative, 1 wholly positive, null means the label has no direction."
    )
    bias: float = Field(description="The linear head's bias: token contributions plus this equal the logit.")


class Architecture(_Part):
    """The network's shape, enough to know what the representations are."""

    cell: Literal["lstm", "gru", "rnn"]
    layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1, description="Units of one direction.")
    bidirectional: bool
    connection: Literal["none", "residual", "dense", "highway"]
    pooling: list[Literal["max", "mean", "attention", "last"]] = Field(min_length=1)
    embedding_size: int = Field(ge=1)
    parameters: int = Field(ge=1, description="Numbers in the network, frozen embeddings included.")

    @property
    def directions(self) -> int:
        """2 for a bidirectional encoder, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def representation_size(self) -> int:
        """Width of one token's contextual representation, [forward; backward]."""
        return self.directions * self.hidden_size


class TokenizerCard(_Part):
    """How text becomes tokens."""

    kind: Literal["word", "subword"]
    vocabulary_size: int = Field(ge=1)
    unknown_token: str


class Calibration(_Part):
    """Temperature scaling (Guo et al. 2017, section 4.2): scores are softmax(logits / temperature)."""

    temperature: float = Field(gt=0)
    data: str | None = Field(description="What the temperature was fitted on; null where it was not fitted.")
    rows: int = Field(ge=0)


class Limits(_Part):
    """What the bundle accepts."""

    max_tokens: int = Field(ge=1)


class Measurement(_Part):
    """One figure and the data it was measured on."""

    data: str
    rows: int = Field(ge=1)
    metric: str
    value: float


class TrainingFile(_Part):
    """A file the model learnt from."""

    name: str
    rows: int = Field(ge=0)
    sha256: Sha256


class Training(_Part):
    """Where the model comes from."""

    command: str | None
    files: list[TrainingFile]
    epochs: int = Field(ge=0)
    seed: int | None
    sources: list[str] = Field(description="Data and pretrained vectors with their licences, as the trainer gave them.")


class Manifest(_Part):
    """The whole of manifest.json."""

    format_version: Literal[1]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str = Field(min_length=1)
    description: str
    created: datetime
    labels: list[Label] = Field(min_length=2)
    architecture: Architecture
    tokenizer: TokenizerCard
    calibration: Calibration
    limits: Limits
    metrics: list[Measurement]
    training: Training
    libraries: dict[str, str]
    files: dict[str, Sha256] = Field(description="SHA-256 of every other file of the bundle.")

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "Manifest":
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names):
            message = f"labels must be distinct, found {names}"
            raise ValueError(message)
        return self

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels in the order of the logits."""
        return tuple(label.name for label in self.labels)
