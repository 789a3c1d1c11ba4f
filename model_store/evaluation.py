"""Measurements and intended use of a bundle: the content of evaluation.json and, in tables, of the card."""

from pydantic import Field, model_validator

from model_store.base import StrictModel


class Measurement(StrictModel):
    """One figure and the data it was measured on."""

    data: str
    rows: int = Field(ge=1)
    metric: str
    value: float
    low: float | None = Field(default=None, description="Lower bound of the 95% bootstrap interval; null: unknown.")
    high: float | None = Field(default=None, description="Its upper bound.")
    command: str | None = Field(default=None, description="What measured it.")


class CoveragePoint(StrictModel):
    """Coverage and accuracy of the answers whose score is at least a threshold."""

    threshold: float = Field(ge=0, le=1)
    coverage: float = Field(
        ge=0, le=1, description="Share of all texts whose answers are kept; the requested share, if there was one."
    )
    accuracy: float | None = Field(ge=0, le=1, description="Share of the kept answers that are right; null: none kept.")


class RiskCoverage(StrictModel):
    """Accuracy on one file's texts when the answers with the lowest scores are left out (El-Yaniv and Wiener 2010)."""

    data: str
    rows: int = Field(ge=1)
    points: list[CoveragePoint] = Field(description="From all texts down to the surest half.")
    confident: CoveragePoint | None = Field(
        default=None, description="At the bundle's own threshold; null if it has none or nothing reaches it."
    )


class LengthGroup(StrictModel):
    """Accuracy on the texts of a file that have between two numbers of words."""

    data: str
    shortest: int = Field(ge=0, description="Words of the group's shortest text.")
    longest: int = Field(ge=0, description="Words of its longest text.")
    rows: int = Field(ge=1)
    metric: str
    value: float = Field(ge=0, le=1)
    low: float = Field(description="Lower bound of the 95% interval (Wilson 1927).")
    high: float = Field(description="Its upper bound.")


class Behavior(StrictModel):
    """Failures on texts of one template family, in the manner of CheckList (Ribeiro et al. 2020)."""

    family: str
    kind: str = Field(description="Minimum functionality, invariance or directional.")
    capability: str
    cases: int = Field(ge=1)
    failures: int = Field(ge=0)

    @model_validator(mode="after")
    def _no_more_failures_than_cases(self) -> "Behavior":
        if self.failures > self.cases:
            message = f"{self.family} has {self.failures} failures of {self.cases} cases"
            raise ValueError(message)
        return self


class Comparison(StrictModel):
    """Another method's figure on the same texts."""

    data: str
    rows: int = Field(ge=1)
    method: str
    training_data: str | None = Field(default=None, description="In words; null: none, or not known.")
    metric: str
    value: float = Field(ge=0, le=1)
    low: float | None = Field(default=None, description="Lower bound of the 95% interval; null: unknown.")
    high: float | None = Field(default=None, description="Its upper bound.")


class KnownFailure(StrictModel):
    """A text that the bundle labels wrongly."""

    text: str
    expected: str = Field(description="The right label.")
    label: str = Field(description="The bundle's label.")
    score: float = Field(ge=0, le=1)


class Histogram(StrictModel):
    """Texts by a number: ``counts[i]`` of them are above ``edges[i - 1]`` and up to ``edges[i]``."""

    edges: list[float]
    counts: list[int] = Field(description="One more than edges: the last one counts what is above all of them.")

    @model_validator(mode="after")
    def _counts_and_edges_fit(self) -> "Histogram":
        if len(self.counts) != len(self.edges) + 1 or self.edges != sorted(self.edges):
            message = f"{len(self.edges)} edges in order need {len(self.edges) + 1} counts, not {len(self.counts)}"
            raise ValueError(message)
        return self


class Reference(StrictModel):
    """What the model makes of the texts it was validated on, to tell whether later ones are of another kind."""

    data: str
    rows: int = Field(ge=1)
    label: dict[str, int] = Field(description="Texts by the label given, or the labels joined by plus signs.")
    score: Histogram = Field(description="Texts by the highest score.")
    tokens: Histogram = Field(description="Texts by the number of their tokens.")
    unknown_share: Histogram = Field(description="Texts by the share of tokens that the vocabulary lacks.")


class Evaluation(StrictModel):
    """All measurements of a bundle. Measuring changes this, but not the bundle's identity."""

    intended_use: list[str] = Field(default_factory=list)
    not_intended_for: list[str] = Field(default_factory=list)
    metrics: list[Measurement] = Field(default_factory=list)
    risk_coverage: list[RiskCoverage] = Field(default_factory=list)
    length_groups: list[LengthGroup] = Field(default_factory=list)
    behavior: list[Behavior] = Field(default_factory=list)
    comparison: list[Comparison] = Field(default_factory=list)
    known_failures: list[KnownFailure] = Field(default_factory=list)
    reference: Reference | None = None
