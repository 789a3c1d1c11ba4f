"""The wire format: every request and every response, in one file."""

from datetime import datetime
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from model_store.evaluation import Behavior, Comparison, KnownFailure, LengthGroup, Measurement, Reference, RiskCoverage
from model_store.manifest import (
    Architecture,
    Arithmetic,
    Calibration,
    Label,
    LabelChoice,
    Reason,
    TokenizerCard,
    Training,
)

EXAMPLE_TEXT = "The movie was terribly exciting!"

Encoding = Literal["float", "base64"]
Dtype = Literal["float32", "float16"]
Direction = Literal["both", "forward", "backward"]

TextErrorCode = Literal["empty_text", "invalid_text", "too_many_tokens", "too_many_characters", "unsupported_language"]
"""Why one text of a request has no answer while the others have."""

LineErrorCode = Literal[
    TextErrorCode, "invalid_json", "invalid_request", "line_too_long", "internal_error", "stream_idle"
]
"""Why one line of a stream has no answer while the others have; after ``stream_idle`` there are no others."""

ErrorCode = Literal[
    "invalid_json",
    "bad_request",
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
    "invalid_request",
    "too_many_texts",
    "too_much_work",
    "unknown_model",
    "bad_model",
    "unknown_layer",
    "unknown_direction",
    "overloaded",
    "quota_exceeded",
    "internal_error",
    "not_ready",
    "deadline_exceeded",
]
"""Why a whole request has no answer."""

Truncate = Annotated[
    Literal["end", "start", "never"],
    Field(
        description="Which end of a text with too many tokens is left out; "
        'with "never" such a text gets the error `too_many_tokens` instead.'
    ),
]


def _keep_lone_surrogates(value: object, validate: ValidatorFunctionWrapHandler) -> str:
    """Let a string through that is not valid Unicode, so that the tokenizer refuses that text and no other."""
    try:
        text: str = validate(value)
    except ValidationError:
        if isinstance(value, str):
            return value
        raise
    return text


Text = Annotated[str, WrapValidator(_keep_lone_surrogates)]

MAX_LAYERS = 64
"""Maximum length of ``layers``, above the depth of any model; repeats count."""


Model = Annotated[
    str | None,
    Field(
        description="The model to ask: a name of `GET /v1/models`, or name:version, which fails if another version is "
        "served. By default the first one.",
    ),
]


def one_problem(message: str) -> WrapValidator:
    """Name one problem where pydantic names one for each member of a union, at paths that no request has."""

    def check(value: object, validate: ValidatorFunctionWrapHandler) -> object:
        try:
            return validate(value)
        except ValidationError:
            raise PydanticCustomError("one_of_these", message) from None

    return WrapValidator(check)


class _Request(BaseModel):
    # Strict, so that "false" is not taken for true; without the input in messages, so that no user's text is logged.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class _TextsRequest(_Request):
    texts: list[Text] = Field(
        min_length=1,
        fail_fast=True,
        description="The texts to read, each answered on its own. `GET /v1/model` tells how many one request may hold.",
        examples=[[EXAMPLE_TEXT]],
    )


class PredictOptions(_Request):
    """Options of a prediction, in the body of `/v1/predict` and in the address of `/v1/bulk`."""

    explain: bool = Field(
        default=False, description="Whether each result also lists its tokens with their contributions to every label."
    )
    sentences: bool = Field(
        default=False,
        description="Whether each result also lists the text's sentences, each with a sentiment of its own. A sentence "
        "ends at its full stop, question or exclamation mark, at a line break, at `<br />`, before a bullet and around "
        "a heading such as `Pros:`.",
    )
    truncate: Truncate = "end"
    model: Model = None


class PredictRequest(PredictOptions, _TextsRequest):
    """Texts to predict the sentiment of."""


class RepresentRequest(_TextsRequest):
    """Texts whose tokens to represent."""

    layers: list[int] = Field(
        default=[-1],
        min_length=1,
        max_length=MAX_LAYERS,
        fail_fast=True,
        description="Layers of the encoder: 1 is the lowest, -1 the top one. Repeats are answered once.",
        examples=[[1, -1]],
    )
    direction: Direction = Field(
        default="both",
        description='Which half of a representation to answer with; "both" is the concatenation [forward; backward].',
    )
    encoding: Encoding = Field(
        default="float",
        description='"float" gives nested lists of numbers, "base64" the raw bytes: a quarter of the size, and faster.',
    )
    dtype: Dtype = Field(
        default="float32", description='"float16" halves the size of base64 and keeps about three decimal digits.'
    )
    truncate: Truncate = "end"
    model: Model = None


class BulkLine(_Request):
    """One line of a stream that comes in."""

    text: Text = Field(description="The text to read.", examples=[EXAMPLE_TEXT])


class _Response(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelName(_Response):
    """The model that gave the answer."""

    name: str = Field(examples=["sentiment-base"])
    version: str = Field(examples=["1.0.0"])
    sha256: str = Field(description="Names the bundle's whole content.", examples=["5f0c" + "0" * 60])


class Token(_Response):
    """A piece of the text as the model read it."""

    text: str = Field(description="The piece exactly as in the text: `text[start:end]`.", examples=["terribly"])
    start: int = Field(description="Offset of its first character, in Unicode code points.", examples=[14])
    end: int = Field(description="Offset just behind its last character, in Unicode code points.", examples=[22])
    known: bool = Field(description="Whether the model's vocabulary has it.", examples=[True])


class ExplainedToken(Token):
    """A token and what it adds to the decision."""

    contributions: dict[str, float] = Field(
        description="What the token adds to each label's logit. Exact: summed over all tokens, plus the label's `bias` "
        "in `GET /v1/model`, they are the logits.",
        examples=[{"negative": -0.41, "neutral": -0.12, "positive": 0.63}],
    )


Confident = Annotated[
    bool | None,
    Field(
        description="Whether the score reaches the model's `calibration.threshold` in `GET /v1/model` and the model "
        "has read the text: at most `calibration.max_unknown_share` of its tokens are unknown. Answers that reach the "
        "threshold were right in `calibration.target_accuracy` of the texts it was chosen on. Null if the model has "
        "no threshold.",
        examples=[True],
    ),
]

Reasons = Annotated[
    list[Reason],
    Field(
        description="Why the answer is not confident: `low_score`, `unknown_tokens`, or both. Empty otherwise.",
        examples=[[]],
    ),
]


def _is_absent(value: object) -> bool:
    return value is None


DetectedLanguage = Annotated[
    str | None,
    Field(
        exclude_if=_is_absent,
        description="The text's language by its ISO 639-1 code, `und` if it is too short or not clear. Absent unless "
        "the operator has switched it on.",
        examples=["en"],
    ),
]

Supported = Annotated[
    bool | None,
    Field(
        exclude_if=_is_absent,
        description="Whether the model reads this language; true if the language is not known. Absent unless the "
        "operator has switched it on.",
        examples=[True],
    ),
]


class _Sentiment(_Response):
    index: int = Field(description="The text's position in `texts`.", examples=[0])
    label: str = Field(description="The label with the highest score.", examples=["positive"])
    score: float = Field(description="That label's calibrated probability.", examples=[0.97])
    confident: Confident
    reasons: Reasons
    scores: dict[str, float] = Field(
        description="Every label's calibrated probability; they sum to 1.",
        examples=[{"negative": 0.01, "neutral": 0.02, "positive": 0.97}],
    )
    polarity: float | None = Field(
        description="From -1, wholly negative, to 1, wholly positive: the expectation of the labels' polarities. "
        "Null if a label of the model has none.",
        examples=[0.96],
    )
    token_count: int = Field(description="How many tokens the model read.", examples=[6])
    unknown_count: int = Field(description="How many of them its vocabulary lacks.", examples=[0])
    truncated: bool = Field(description="Whether the text had too many tokens, so that one end was left out.")
    language: DetectedLanguage = None
    supported: Supported = None


class Sentence(_Response):
    """One sentence of a text, read by itself, without the sentences before and after it."""

    start: int = Field(description="Offset of its first token, in Unicode code points.", examples=[0])
    end: int = Field(description="Offset just behind its last token; `text[start:end]` is the sentence.", examples=[32])
    label: str = Field(description="The label with the highest score.", examples=["positive"])
    score: float = Field(description="That label's calibrated probability.", examples=[0.97])
    confident: Confident
    reasons: Reasons
    scores: dict[str, float] = Field(
        description="Every label's calibrated probability; they sum to 1.",
        examples=[{"negative": 0.01, "neutral": 0.02, "positive": 0.97}],
    )
    polarity: float | None = Field(description="As for the text, from -1 to 1.", examples=[0.96])


class PredictResult(_Sentiment):
    """One text's sentiment."""

    tokens: list[ExplainedToken] | None = Field(
        description="What the model read, in order, and what each token adds. Null unless `explain` was asked for.",
    )
    mixed: bool | None = Field(
        description="Whether the text praises and blames: one of its sentences has a polarity of at least 0.5 and "
        "another of at most -0.5. Null unless `sentences` was asked for, or if a label of the model has no polarity.",
    )
    sentences: list[Sentence] | None = Field(
        description="The text's sentences in order; every token the model read is in exactly one. Of a text that is "
        "too long, only the part that was read has sentences. Null unless `sentences` was asked for.",
    )


class Representation(_Response):
    """One layer's contextual representations of a text's tokens."""

    layer: int = Field(description="The layer, counted from 1, the lowest.", examples=[2])
    shape: tuple[int, int] = Field(description="Tokens, and numbers for each token.", examples=[[6, 512]])
    dtype: Dtype
    byte_order: Literal["little"] = "little"
    encoding: Encoding
    data: str | list[list[float]] = Field(
        description='With "float", one list of numbers for each token; with "base64", all their bytes, row after row.'
    )


class RepresentResult(_Sentiment):
    """One text's sentiment, its tokens and their contextual representations."""

    tokens: list[Token] = Field(
        description="The tokens that the model read: token `i` is row `i` of every representation."
    )
    representations: list[Representation] = Field(description="One for each layer asked for, in that order.")


Labels = Annotated[
    list[str],
    Field(
        description="The labels whose scores reach their thresholds, `multi_label` in `GET /v1/model`, in the model's "
        "order; there may be none.",
        examples=[["billing", "urgent"]],
    ),
]

LabelScores = Annotated[
    dict[str, float],
    Field(
        description="Every label's calibrated probability by itself; they do not sum to 1.",
        examples=[{"billing": 0.93, "shipping": 0.02, "urgent": 0.61}],
    ),
]


class _LabelSet(_Response):
    index: int = Field(description="The text's position in `texts`.", examples=[0])
    labels: Labels
    scores: LabelScores
    token_count: int = Field(description="How many tokens the model read.", examples=[6])
    unknown_count: int = Field(description="How many of them its vocabulary lacks.", examples=[0])
    truncated: bool = Field(description="Whether the text had too many tokens, so that one end was left out.")
    language: DetectedLanguage = None
    supported: Supported = None


class MultiLabelSentence(_Response):
    """One sentence of a text, read by itself by a multi-label model."""

    start: int = Field(description="Offset of its first token, in Unicode code points.", examples=[0])
    end: int = Field(description="Offset just behind its last token; `text[start:end]` is the sentence.", examples=[32])
    labels: Labels
    scores: LabelScores


class MultiLabelResult(_LabelSet):
    """One text's labels, from a multi-label model: one whose `multi_label` in `GET /v1/model` is not null."""

    tokens: list[ExplainedToken] | None = Field(
        description="What the model read, in order, and what each token adds. Null unless `explain` was asked for.",
    )
    sentences: list[MultiLabelSentence] | None = Field(
        description="The text's sentences in order. Null unless `sentences` was asked for.",
    )


class MultiLabelRepresentResult(_LabelSet):
    """One text's labels from a multi-label model, its tokens and their contextual representations."""

    tokens: list[Token] = Field(
        description="The tokens that the model read: token `i` is row `i` of every representation."
    )
    representations: list[Representation] = Field(description="One for each layer asked for, in that order.")


class ResultTypes(NamedTuple):
    """The results that a model gives: of a prediction, of a representation, and of a sentence."""

    predict: type[PredictResult | MultiLabelResult]
    represent: type[RepresentResult | MultiLabelRepresentResult]
    sentence: type[Sentence | MultiLabelSentence]


ONE_LABEL = ResultTypes(PredictResult, RepresentResult, Sentence)
SEVERAL_LABELS = ResultTypes(MultiLabelResult, MultiLabelRepresentResult, MultiLabelSentence)


class UnansweredText(_Response):
    """A text that could not be answered; the other texts are."""

    index: int = Field(description="The text's position in `texts`.", examples=[1])
    code: TextErrorCode = Field(description="A stable word for programs.")
    message: str = Field(
        description="A sentence for people.", examples=["the text has no tokens; send at least one word"]
    )


class UnansweredLine(_Response):
    """A line of a stream that could not be answered; the lines before and after it are."""

    index: int = Field(description="The line's number, counted from 0.", examples=[1])
    code: LineErrorCode = Field(description="A stable word for programs; a result has no such field.")
    message: str = Field(description="A sentence for people.", examples=["The line is not valid JSON."])


class PredictResponse(_Response):
    """Every text of the request, either in `results` or in `errors`."""

    model: ModelName
    results: list[PredictResult | MultiLabelResult] = Field(
        description="The texts that were answered, in the order they came in; with `labels` instead of `label` if the "
        "model is multi-label."
    )
    errors: list[UnansweredText] = Field(description="The texts that were not, in the order they came in.")


class RepresentResponse(_Response):
    """Every text of the request, either in `results` or in `errors`."""

    model: ModelName
    results: list[RepresentResult | MultiLabelRepresentResult] = Field(
        description="The texts that were answered, in the order they came in; with `labels` instead of `label` if the "
        "model is multi-label."
    )
    errors: list[UnansweredText] = Field(description="The texts that were not, in the order they came in.")


class LimitsInForce(_Response):
    """What one request may ask."""

    max_tokens: int = Field(description="Tokens of one text that the model reads; see `truncate`.")
    max_characters: int = Field(description="Characters (Unicode code points) in one text.")
    max_texts: int = Field(description="Texts in one request.")
    max_body_bytes: int = Field(description="Bytes of one request body.")
    max_request_tokens: int = Field(description="Tokens in all texts of one request together.")
    max_request_numbers: int = Field(description="Numbers in all representations of one answer.")
    deadline_seconds: float = Field(description="Seconds after which a request without an answer gets 504.")


MAX_FEEDBACK = 64
"""Entries of one request."""


class FeedbackEntry(_Request):
    """What is right for one text."""

    index: int = Field(default=0, ge=0, description="The text's position in the request that was answered.")
    label: Annotated[str | list[str], one_problem("Input should be a label, or a list of labels")] = Field(
        description="The right label, one of the model's; for a multi-label model a list of all that are right.",
        examples=["negative"],
    )
    text: str | None = Field(
        default=None,
        max_length=100_000,
        description="The text. It is kept only if the operator has switched that on.",
    )


class FeedbackRequest(_Request):
    """What is right for texts of one request."""

    request_id: str = Field(
        min_length=1, max_length=128, description="The `X-Request-ID` of the answer.", examples=["1f0c"]
    )
    feedback: list[FeedbackEntry] = Field(
        min_length=1, max_length=MAX_FEEDBACK, fail_fast=True, description="An entry for each text."
    )
    model: Model = None


class FeedbackResponse(_Response):
    """That it is kept."""

    stored: int = Field(description="How many entries were written.")


class ModelQuery(_Request):
    """Options of `GET /v1/model`."""

    evaluation: bool = Field(
        default=False, description="Whether the answer also has the figures, comparisons and known failures."
    )
    model: Model = None


class ServedModel(_Response):
    """One model that is served; `id`, `object`, `created` and `owned_by` are OpenAI's."""

    id: str = Field(description="The name by which calls ask for it.", examples=["sentiment-base"])
    object: Literal["model"] = "model"
    created: int = Field(description="When the bundle was made, in seconds since 1970.", examples=[1796083200])
    owned_by: Literal["sentiment"] = "sentiment"
    version: str = Field(examples=["1.0.0"])
    sha256: str = Field(description="Names the bundle's whole content.")
    labels: list[str] = Field(examples=[["negative", "neutral", "positive"]])


class ModelList(_Response):
    """The models that are served; the first one answers calls that name none."""

    object: Literal["list"] = "list"
    data: list[ServedModel]


class ModelCard(_Response):
    """A served model: its origin, the limits in force and, if requested, its evaluation."""

    name: str = Field(description="The name by which calls ask for it.")
    version: str
    sha256: str = Field(description="Names the bundle's whole content.")
    service_version: str = Field(description="The version of the service.", examples=["0.1.0"])
    description: str
    created: datetime
    labels: list[Label] = Field(description="In the order of the logits.")
    architecture: Architecture
    tokenizer: TokenizerCard
    arithmetic: Arithmetic = Field(description="How the recurrent layers multiply.")
    calibration: Calibration
    multi_label: dict[str, LabelChoice] | None = Field(
        description="When each label is given, if the model gives a text any number of labels; null: one label a text."
    )
    intended_use: list[str]
    not_intended_for: list[str]
    training: Training
    limits: LimitsInForce
    metrics: list[Measurement] = Field(default=[], description="Only with `evaluation=true`.")
    risk_coverage: list[RiskCoverage] = Field(
        default=[], description="What leaving out the least sure answers does. Only with `evaluation=true`."
    )
    length_groups: list[LengthGroup] = Field(
        default=[], description="Accuracy by the length of a text. Only with `evaluation=true`."
    )
    behaviour: list[Behavior] = Field(
        default=[], description="How often each kind of wording is got wrong. Only with `evaluation=true`."
    )
    comparison: list[Comparison] = Field(
        default=[], description="Other methods' figures on the same texts. Only with `evaluation=true`."
    )
    known_failures: list[KnownFailure] = Field(default=[], description="Only with `evaluation=true`.")
    reference: Reference | None = Field(
        default=None, description="What drift is measured against; null if there is none. Only with `evaluation=true`."
    )


class ErrorDetail(_Response):
    """Why a request has no answer."""

    code: ErrorCode = Field(description="A stable word for programs.")
    message: str = Field(description="A sentence for people.", examples=["Input should be a valid string"])
    param: str | None = Field(
        description="The field at fault, as a path into the request; null if no field is at fault.",
        examples=["texts.3"],
    )
    request_id: str = Field(
        description="The `X-Request-ID` the request came with, else a new one; every response carries it.",
        examples=["0d4f9d2e8c5b4f7f9c0f3a8f6f1f7f55"],
    )


class ErrorResponse(_Response):
    """The body of every response whose status is not 2xx."""

    error: ErrorDetail


class ProtocolError(BaseModel):
    """The body of every response of the Open Inference Protocol whose status is not 2xx."""

    model_config = ConfigDict(frozen=True)

    error: str = Field(description="A sentence for people.", examples=["text 3: the text has no tokens"])
