"""What a bundle says about itself: the contract between training, the model store and the service."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from model_store.base import Part
from model_store.evidence import Behaviour, Comparison, KnownFailure, Measurement, RiskCoverage

FORMAT_VERSION = 2
"""Raised whenever an older reader would misunderstand a newer bundle."""

Arithmetic = Literal["float32", "int8"]

CellName = Literal["lstm", "gru", "rnn"]
ConnectionName = Literal["none", "residual", "dense", "highway"]
PoolingName = Literal["max", "mean", "attention", "last"]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Label(Part):
    """One class of the classifier, in the order of the logits."""

    name: str = Field(min_length=1)
    polarity: float | None = Field(
        ge=-1, le=1, description="-1 is wholly negative, 1 wholly positive, null means the label has no direction."
    )
    bias: float = Field(description="The linear head's bias: token contributions plus this equal the logit.")


class Architecture(Part):
    """The network's shape, enough to know what the representations are."""

    cell: CellName
    layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1, description="Units of one direction.")
    bidirectional: bool
    connection: ConnectionName
    pooling: list[PoolingName] = Field(min_length=1)
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


class TokenizerCard(Part):
    """How text becomes tokens."""

    kind: Literal["word", "subword"]
    vocabulary_size: int = Field(ge=1)
    unknown_token: str


class Calibration(Part):
    """Temperature scaling (Guo et al. 2017, section 4.2), and from which score on an answer is called confident.

    Scores are softmax(logits / temperature). The threshold is the smallest with which the answers that reach it are
    right as often as ``target_accuracy`` says, on the same texts. 0: all answers together are. Null with a target:
    nothing reached it, so no answer is confident. Null without: nobody asked, and whether one is is not known.
    """

    temperature: float = Field(gt=0)
    data: str | None = Field(description="What both were fitted on, several files with +; null where they were not.")
    rows: int = Field(ge=0)
    threshold: float | None = Field(default=None, ge=0, le=1, description="An answer is confident from this score on.")
    target_accuracy: float | None = Field(
        default=None, gt=0, lt=1, description="How often confident answers were to be right; null: no threshold chosen."
    )

    def is_confident(self, score: float) -> bool | None:
        """Whether an answer with this score is confident; None where no threshold was chosen."""
        if self.target_accuracy is None:
            return None
        return self.threshold is not None and score >= self.threshold


class Limits(Part):
    """What the bundle accepts."""

    max_tokens: int = Field(ge=1)


class TrainingFile(Part):
    """A file the model learnt from."""

    name: str
    rows: int = Field(ge=0)
    sha256: Sha256


class Machine(Part):
    """What a model was trained on."""

    processor: str
    cores: int = Field(ge=1, description="Processor cores the run could use.")
    accelerator: str | None = Field(default=None, description="A GPU's name; null where the processor did the work.")
    devices: int = Field(default=1, ge=1, description="Processes that trained together, each on a device of its own.")


class Training(Part):
    """Where the model comes from."""

    command: str | None
    files: list[TrainingFile]
    epochs: int = Field(ge=0)
    seed: int | None
    sources: list[str] = Field(description="Data and pretrained vectors with their licences, as the trainer gave them.")
    seconds: float | None = Field(
        default=None, ge=0, description="Training until these weights were written, reading and validating included."
    )
    machine: Machine | None = None
    began_with: "Training | None" = Field(
        default=None, description="The earlier run whose weights this one began with; null where it began anew."
    )

    def runs(self) -> "Iterator[Training]":
        """This run, the one whose weights it began with, and so on."""
        run: Training | None = self
        while run is not None:
            yield run
            run = run.began_with


class Manifest(Part):
    """The whole of manifest.json."""

    format_version: Literal[1, 2]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str = Field(min_length=1)
    description: str
    created: datetime
    labels: list[Label] = Field(min_length=2)
    architecture: Architecture
    tokenizer: TokenizerCard
    arithmetic: Arithmetic = Field(
        default="float32",
        description="How the recurrent layers multiply. int8 rounds by the range of all that is computed together, so "
        "that each text is computed by itself: then its answer is the same in any company.",
    )
    calibration: Calibration
    limits: Limits
    metrics: list[Measurement]
    training: Training
    libraries: dict[str, str]
    intended_use: list[str] = Field(default_factory=list)
    not_intended_for: list[str] = Field(default_factory=list)
    risk_coverage: list[RiskCoverage] = Field(default_factory=list)
    behaviour: list[Behaviour] = Field(default_factory=list)
    comparison: list[Comparison] = Field(default_factory=list)
    known_failures: list[KnownFailure] = Field(default_factory=list)
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
