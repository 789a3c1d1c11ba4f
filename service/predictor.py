"""From a request and a model to a response: the wire format, one request's limits and the metrics, without HTTP."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from sys import getsizeof
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from model_store import ModelError, Prediction, SentimentModel, TextError, TokenizedText, Truncation
from model_store.model import pooled
from model_store.results import is_mixed
from model_store.scoring.groups import token_groups
from model_store.sentences import answer_sentences, split
from service.answers import Answer, Lazy, Matrix, Represented
from service.errors import RequestError
from service.languages import language_detector
from service.middleware.request_context import current_request
from service.middleware.together import predict_together
from service.monitoring import metrics
from service.monitoring.access_log import current_record
from service.schemas import (
    ONE_LABEL,
    SEVERAL_LABELS,
    Direction,
    ExplainedToken,
    ModelName,
    MultiLabelResult,
    MultiLabelSentence,
    PredictOptions,
    PredictRequest,
    PredictResult,
    RepresentRequest,
    Sentence,
    TextErrorCode,
    Token,
    UnansweredText,
)
from service.settings import BYTES_PER_NUMBER, BYTES_PER_TEXT, BYTES_PER_TOKEN, Settings


class UnansweredTextError(Exception):
    """One text that has no answer while the others have."""

    def __init__(self, code: TextErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        metrics.TEXT_ERRORS.labels(code).inc()


class Embeddings(NamedTuple):
    """Vectors, (texts, 2 * width), and the number of tokens that the model read for them."""

    vectors: NDArray[np.float32]
    token_count: int


class Observer(Protocol):
    """Is told of the answers to texts, and returns at once."""

    def offer(self, predictions: Sequence[Prediction]) -> None:
        """Look at these answers."""


class Predictor:
    """Answers requests with one model under one set of limits. Safe to call from several threads at once.

    Args:
        model: what answers.
        settings: with the limits.
        name: by which the model is served; that of its manifest by default.
        observers: are offered the answers to whole texts.
    """

    def __init__(
        self, model: SentimentModel, settings: Settings, *, name: str | None = None, observers: Sequence[Observer] = ()
    ) -> None:
        self._model = model
        self._observers = observers
        self._settings = settings
        self._languages = language_detector(settings)
        manifest = model.manifest
        self._name = ModelName(name=name or manifest.name, version=manifest.version, sha256=model.sha256)
        self._types = ONE_LABEL if manifest.multi_label is None else SEVERAL_LABELS

    def predict(self, request: PredictRequest) -> Answer[PredictResult | MultiLabelResult]:
        """The sentiment of each text.

        Raises:
            RequestError: more texts or tokens than one request may hold, or the request is over.
        """
        texts, errors = self._tokenize_all(request.texts, request.truncate)
        return Answer(self._name, self.results(texts, request), errors)

    def results(
        self, texts: Mapping[int, TokenizedText], options: PredictOptions
    ) -> Sequence[PredictResult | MultiLabelResult]:
        """The sentiment of tokenized texts, each under its index."""
        predictions = self._run(list(texts.values()), explain=options.explain)
        parts = None
        if options.sentences:
            parts = answer_sentences(list(texts.values()), predictions, self._run_parts, cut=self._split)
        indices = list(texts)

        def build(row: int) -> PredictResult | MultiLabelResult:
            prediction = predictions[row]
            sentences = None if parts is None else [self._sentence(sentiment) for sentiment in parts[row]]
            return self._types.predict(
                **_sentiment(indices[row], prediction),
                **self._language(prediction),
                **self._mixed(None if parts is None else parts[row]),
                tokens=self._explained(prediction),
                sentences=sentences,
            )

        return Lazy(len(indices), build)

    def tokenize(self, text: str, truncate: Truncation) -> TokenizedText:
        """One text's tokens.

        Raises:
            UnansweredTextError: the text cannot be answered; the others can.
            RequestError: the request is over.
        """
        if len(text) > self._settings.max_characters:
            message = f"the text has {len(text):,} characters and the limit is {self._settings.max_characters:,}"
            raise UnansweredTextError("too_many_characters", message)
        context, record = current_request(), current_record()
        context.check()
        record.texts += 1
        try:
            with context.stage("tokenize"):
                tokenized = self._model.tokenize(text, truncate=truncate)
        except TextError as error:
            raise UnansweredTextError(error.code, error.message) from None
        record.tokens += len(tokenized)
        self._check_language(text)
        return tokenized

    def _check_language(self, text: str) -> None:
        """Count a text's language, if languages are detected.

        Raises:
            UnansweredTextError: the model does not read it, and such texts are refused.
        """
        if self._languages is None:
            return
        language = self._languages.detect_and_count(text)
        if self._languages.refuses and not language.supported:
            known = ", ".join(self._languages.languages)
            message = f"the text's language is {language.language}, and the model reads {known}"
            raise UnansweredTextError("unsupported_language", message)

    def represent(self, request: RepresentRequest) -> Answer[Represented]:
        """The contextual representations of each text's tokens.

        Raises:
            RequestError: more texts, tokens or numbers than one request may hold, a layer or direction that the model
                does not have, or the request is over.
        """
        layers = self._layers(request.layers)
        columns = self._columns(request.direction)
        texts, errors = self._tokenize_all(request.texts, request.truncate)
        self._check_numbers(texts.values(), layers)
        predictions = self._run(list(texts.values()), layers=layers)
        indices = list(texts)

        def build(row: int) -> Represented:
            prediction = predictions[row]
            tokens = [Token(**token._asdict()) for token in prediction.tokens]
            result = self._types.represent(
                **_sentiment(indices[row], prediction), **self._language(prediction), tokens=tokens, representations=[]
            )
            matrices = [
                Matrix(layer, matrix[:, columns], request.dtype, request.encoding)
                for layer, matrix in prediction.representations.items()
            ]
            return Represented(result, matrices)

        return Answer(self._name, Lazy(len(indices), build), errors)

    def predict_all(
        self, texts: Sequence[str], *, layers: Sequence[int] = (), truncate: Truncation = "never"
    ) -> list[Prediction]:
        """Predictions for a caller that cannot leave a text without an answer.

        Raises:
            RequestError: as ``represent``; ``bad_request`` for the first text that cannot be answered.
        """
        tokenized = self._answerable(texts, truncate)
        layers = self._layers(layers)
        self._check_numbers(tokenized, layers)
        return self._run(tokenized, layers=layers)

    def embed_all(self, texts: Sequence[str], *, truncate: Truncation = "never") -> Embeddings:
        """One vector for each text, as ``SentimentModel.embed``, for such a caller.

        Representations are pooled group by group, so that a group's are in memory and not all.

        Raises:
            RequestError: as ``predict_all``, without its limit on numbers.
        """
        tokenized = self._answerable(texts, truncate)
        groups = list(token_groups(tokenized))
        numbers = 2 * self._model.manifest.architecture.representation_size * len(texts)
        largest = max(self._bytes_of(group, explain=False, layers=[-1]) for group in groups)
        current_request().reserve(largest + numbers * BYTES_PER_NUMBER)
        vectors = [pooled(one.representations[-1]) for group in groups for one in self._compute(group, layers=[-1])]
        return Embeddings(np.stack(vectors), sum(map(len, tokenized)))

    def _answerable(self, texts: Sequence[str], truncate: Truncation) -> list[TokenizedText]:
        """All texts as tokens; raises ``RequestError`` for the first that cannot be answered."""
        tokenized, errors = self._tokenize_all(texts, truncate)
        if errors:
            raise RequestError("bad_request", f"text {errors[0].index}: {errors[0].message}")
        return list(tokenized.values())

    def _tokenize_all(
        self, texts: Sequence[str], truncate: Truncation
    ) -> tuple[dict[int, TokenizedText], list[UnansweredText]]:
        """The texts that the model can read, by their index, and the reason for each of the others."""
        if len(texts) > self._settings.max_texts:
            message = f"There are {len(texts):,} texts and one request may hold {self._settings.max_texts:,}."
            raise RequestError("too_many_texts", message, param="texts")
        current_request().reserve(sum(map(getsizeof, texts)) + BYTES_PER_TEXT * len(texts))
        tokenized: dict[int, TokenizedText] = {}
        errors: list[UnansweredText] = []
        for index, text in enumerate(texts):
            try:
                tokenized[index] = self.tokenize(text, truncate)
            except UnansweredTextError as error:
                errors.append(UnansweredText(index=index, code=error.code, message=error.message))
            else:
                self._count(len(tokenized[index]))
        current_request().knows_tokens = True
        return tokenized, errors

    def _count(self, tokens: int) -> None:
        """Add tokens to those of the request, and raise ``RequestError`` if they are too many."""
        context = current_request()
        context.tokens += tokens
        if context.tokens > self._settings.max_request_tokens:
            message = (
                f"The texts have more than {self._settings.max_request_tokens:,} tokens together; "
                "send fewer in one request."
            )
            raise RequestError("too_much_work", message, param="texts")

    def _run(
        self, texts: Sequence[TokenizedText], *, explain: bool = False, layers: Sequence[int] = ()
    ) -> list[Prediction]:
        """Reserve memory, and run the model on whole texts."""
        current_request().reserve(self._bytes_of(texts, explain=explain, layers=layers))
        predictions = self._compute(texts, explain=explain, layers=layers)
        for observer in self._observers:
            observer.offer(predictions)
        return predictions

    def _run_parts(self, sentences: Sequence[TokenizedText]) -> list[Prediction]:
        """The same for sentences, which no observer is offered."""
        current_request().reserve(self._bytes_of(sentences, explain=False, layers=()))
        return self._compute(sentences)

    def _compute(
        self, texts: Sequence[TokenizedText], *, explain: bool = False, layers: Sequence[int] = ()
    ) -> list[Prediction]:
        """Run the model. It stops between two batches once the request is over."""
        context = current_request()
        with context.stage("inference"):
            predictions = predict_together(
                self._model, texts, explain=explain, layers=layers, before_each_run=context.check
            )
        metrics.answered(self._name.name, predictions)
        return predictions

    def _check_numbers(self, texts: Iterable[TokenizedText], layers: Sequence[int]) -> None:
        """Raise ``RequestError`` for more representations than one answer may have."""
        numbers = sum(map(len, texts)) * len(layers) * self._model.manifest.architecture.representation_size
        if numbers > self._settings.max_request_numbers:
            message = (
                f"The representations would have {numbers:,} numbers and one answer may have "
                f"{self._settings.max_request_numbers:,}; send fewer texts or ask for fewer layers in one request."
            )
            raise RequestError("too_much_work", message, param="texts")

    def _bytes_of(self, texts: Sequence[TokenizedText], *, explain: bool, layers: Sequence[int]) -> int:
        """Memory for the predictions of these texts."""
        manifest = self._model.manifest
        numbers = len(manifest.labels) if explain else 0
        numbers += len(layers) * manifest.architecture.representation_size
        return sum(map(len, texts)) * (BYTES_PER_TOKEN + numbers * BYTES_PER_NUMBER)

    def _split(self, text: TokenizedText) -> list[TokenizedText]:
        context = current_request()
        context.check()
        sentences = list(split(text))
        context.reserve(BYTES_PER_TEXT * len(sentences))
        return sentences

    def _layers(self, layers: Sequence[int]) -> list[int]:
        try:
            return self._model.layer_numbers(layers)
        except ModelError as error:
            raise RequestError("unknown_layer", str(error), param="layers") from None

    def _columns(self, direction: Direction) -> slice:
        architecture = self._model.manifest.architecture
        if direction == "both":
            return slice(None)
        if direction == "forward":
            return slice(None, architecture.hidden_size)
        if not architecture.bidirectional:
            message = "The model reads forward only: ask for direction forward or both."
            raise RequestError("unknown_direction", message, param="direction")
        return slice(-architecture.hidden_size, None)

    def _language(self, prediction: Prediction) -> dict[str, Any]:
        """The fields of a result that tell its text's language, if languages are detected."""
        return self._languages.detect(prediction.text.text)._asdict() if self._languages else {}

    def _mixed(self, sentences: Sequence[Prediction] | None) -> dict[str, bool | None]:
        """The field that says whether a text praises and blames, where the model gives one label."""
        if self._types is SEVERAL_LABELS:
            return {}
        return {"mixed": None if sentences is None else is_mixed(sentence.polarity for sentence in sentences)}

    def _sentence(self, prediction: Prediction) -> Sentence | MultiLabelSentence:
        start, end = int(prediction.text.starts[0]), int(prediction.text.ends[-1])
        return self._types.sentence(start=start, end=end, **prediction.answer())

    def _explained(self, prediction: Prediction) -> list[ExplainedToken] | None:
        if prediction.contributions is None:
            return None
        return list(_explained_tokens(prediction, prediction.contributions, self._model.manifest.label_names))


def _sentiment(index: int, prediction: Prediction) -> dict[str, Any]:
    return {
        "index": index,
        **prediction.answer(),
        "token_count": prediction.token_count,
        "unknown_count": prediction.unknown_count,
        "truncated": prediction.truncated,
    }


def _explained_tokens(
    prediction: Prediction, contributions: NDArray[np.float32], labels: Sequence[str]
) -> Iterator[ExplainedToken]:
    for token, shares in zip(prediction.tokens, contributions.tolist(), strict=True):
        yield ExplainedToken(
            text=token.text,
            start=token.start,
            end=token.end,
            known=token.known,
            contributions=dict(zip(labels, shares, strict=True)),
        )
