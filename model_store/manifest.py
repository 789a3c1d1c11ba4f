"""A bundle's identity: the content of manifest.json, the contract between training, the model store and the service."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from model_store.base import StrictModel

FORMAT_VERSION = 5
"""Raised whenever an older reader would misunderstand a newer bundle."""

MULTI_LABEL_SINCE = 4
"""The first format whose models may give a text any number of labels."""

FIXED_RANGES_SINCE = 5
"""The first format whose graphs give a text the same answer in any company, also with 8-bit arithmetic."""

Arithmetic = Literal["float32", "int8"]

CellName = Literal["lstm", "gru", "rnn"]
ConnectionName = Literal["none", "residual", "dense", "highway"]
PoolingName = Literal["max", "mean", "attention", "last"]

Reason = Literal["unknown_tokens", "low_score"]
"""Why an answer is not confident."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Label(StrictModel):
    """One class of the classifier, in the order of the logits."""

    name: str = Field(min_length=1)
    polarity: float | None = Field(
        ge=-1, le=1, description="-1 is wholly negative, 1 wholly positive, null means the label has no direction."
    )
    bias: float = Field(description="The linear head's bias: token contributions plus this equal the logit.")


class Architecture(StrictModel):
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


class TokenizerCard(StrictModel):
    """How text becomes tokens."""

    kind: Literal["word", "subword"]
    vocabulary_size: int = Field(ge=1)
    unknown_token: str


class Calibration(StrictModel):
    """Temperature scaling (Guo et al. 2017, section 4.2), and when an answer is confident.

    Scores are softmax(logits / temperature). An answer is confident if its score is at least ``threshold`` and the
    share of unknown tokens in its text is at most ``max_unknown_share``. The threshold is the smallest with which the
    answers that reach it are right as often as ``target_accuracy`` says, on the same texts. It is 0 if all answers
    together are, and null if no threshold reaches the target: no answer is confident then. Without a target accuracy
    no threshold was chosen, and whether an answer is confident is not known.
    """

    temperature: float = Field(gt=0)
    data: str | None = Field(description="The files it was fitted on, several with +; null: not fitted.")
    rows: int = Field(ge=0)
    threshold: float | None = Field(default=None, ge=0, le=1, description="The smallest score of a confident answer.")
    target_accuracy: float | None = Field(
        default=None, gt=0, lt=1, description="How often confident answers were to be right; null: no threshold chosen."
    )
    max_unknown_share: float | None = Field(
        default=None, ge=0, le=1, description="The largest share of unknown tokens of a confident answer; null: any."
    )

    def is_confident(self, score: float, *, unknown_share: float = 0.0) -> bool | None:
        """Whether such an answer is confident; None if no threshold was chosen."""
        if self.target_accuracy is None:
            return None
        return not self.reasons(score, unknown_share=unknown_share)

    def reasons(self, score: float, *, unknown_share: float) -> tuple[Reason, ...]:
        """Why such an answer is not confident; empty if it is, or if no threshold was chosen."""
        if self.target_accuracy is None:
            return ()
        reasons: list[Reason] = []
        if self.max_unknown_share is not None and unknown_share > self.max_unknown_share:
            reasons.append("unknown_tokens")
        if self.threshold is None or score < self.threshold:
            reasons.append("low_score")
        return tuple(reasons)


class LabelChoice(StrictModel):
    """When one label of a multi-label model is given."""

    threshold: float = Field(gt=0, lt=1, description="The label is given if its score is at least this.")
    shift: float = Field(default=0.0, description="Added to the label's logit / temperature before the sigmoid.")


class Limits(StrictModel):
    """Limits on a text."""

    max_tokens: int = Field(ge=1)


class TrainingFile(StrictModel):
    """A file the model was trained or validated on."""

    name: str
    rows: int = Field(ge=0)
    sha256: Sha256


class Machine(StrictModel):
    """The machine a model was trained on."""

    processor: str
    cores: int = Field(ge=1, description="Processor cores the run could use.")
    accelerator: str | None = Field(default=None, description="A GPU's name; null: trained on the processor.")
    devices: int = Field(default=1, ge=1, description="Processes that trained together, each on a device of its own.")


class Training(StrictModel):
    """The run that trained the model."""

    command: str | None
    files: list[TrainingFile]
    epochs: int = Field(ge=0)
    seed: int | None
    sources: list[str] = Field(description="Data and pretrained vectors with their licenses, as the trainer gave them.")
    seconds: float | None = Field(
        default=None, ge=0, description="Training until these weights were written, reading and validating included."
    )
    machine: Machine | None = None
    initialized_from: "Training | None" = Field(
        default=None, description="The earlier run whose weights this one started from; null: random weights."
    )

    def runs(self) -> "Iterator[Training]":
        """This run, the one whose weights it started from, and so on."""
        run: Training | None = self
        while run is not None:
            yield run
            run = run.initialized_from


class Manifest(StrictModel):
    """The content of manifest.json; its SHA-256 names the bundle."""

    format_version: Literal[1, 2, 3, 4, 5]
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: str = Field(min_length=1)
    description: str
    created: datetime
    labels: list[Label] = Field(min_length=2)
    architecture: Architecture
    tokenizer: TokenizerCard
    arithmetic: Arithmetic = Field(
        default="float32",
        description="How the recurrent layers multiply. int8 rounds what goes into a product to 256 steps: of a fixed "
        "range, or, before format 5, of the range of all that is computed together.",
    )
    calibration: Calibration
    multi_label: dict[str, LabelChoice] | None = Field(
        default=None,
        description="For a model that gives a text any number of labels: when each is given, by label. A score is then "
        "sigmoid(logit / temperature + shift), and scores do not sum to 1. Null: one label a text, by softmax.",
    )
    limits: Limits
    training: Training
    libraries: dict[str, str]
    files: dict[str, Sha256] = Field(description="SHA-256 of the files that the model is made of, by name.")

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "Manifest":
        names = [label.name for label in self.labels]
        if len(set(names)) != len(names):
            message = f"labels must be distinct, found {names}"
            raise ValueError(message)
        if self.multi_label is not None and set(self.multi_label) != set(names):
            message = f"multi_label must name each of the labels {names}, found {sorted(self.multi_label)}"
            raise ValueError(message)
        if self.multi_label is not None and self.format_version < MULTI_LABEL_SINCE:
            message = f"a multi-label bundle is of format {MULTI_LABEL_SINCE} at least, found {self.format_version}"
            raise ValueError(message)
        return self

    @property
    def one_by_one(self) -> bool:
        """Whether each text has to be computed by itself, so that its answer does not depend on others."""
        return self.arithmetic == "int8" and self.format_version < FIXED_RANGES_SINCE

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels in the order of the logits."""
        return tuple(label.name for label in self.labels)
