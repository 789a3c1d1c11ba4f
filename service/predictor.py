"""From a request and a model to a response: the wire format, one request's limits and the metrics, without HTTP."""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import ModelError, Prediction, SentimentModel, TextError, TokenizedText, Truncation
from service import metrics
from service import sentences as splitter
from service.errors import RequestError
from service.middleware.request_context import current_request
from service.schemas import (
    Direction,
    Dtype,
    Encoding,
    ExplainedToken,
    ModelName,
    PredictOptions,
    PredictRequest,
    PredictResponse,
    PredictResult,
    Representation,
    RepresentRequest,
    RepresentResponse,
    RepresentResult,
    Sentence,
    TextErrorCode,
    Token,
    UnansweredText,
)
from service.settings import BYTES_PER_NUMBER, Settings

LITTLE_ENDIAN: Mapping[Dtype, np.dtype[np.float32 | np.float16]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}


class UnansweredTextError(Exception):
    """One text that has no answer while the others have."""

    def __init__(self, code: TextErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        metrics.TEXT_ERRORS.labels(code).inc()


class Predictor:
    """Answers requests with one model under one set of limits. Safe to call from several threads at once."""

    def __init__(self, model: SentimentModel, settings: Settings) -> None:
        self._model = model
        self._settings = settings
        manifest = model.manifest
        self._name = ModelName(name=manifest.name, version=manifest.version, sha256=model.sha256)
        metrics.serving(manifest, model.sha256)

    def predict(self, request: PredictRequest) -> PredictResponse:
        """The sentiment of each text.

        Raises:
            RequestError: more texts or tokens than one request may hold, or the request is over.
        """
        texts, errors = self._tokenize_all(request.texts, request.truncate)
        return PredictResponse(model=self._name, results=self.results(texts, request), errors=errors)

    def results(self, texts: Mapping[int, TokenizedText], options: PredictOptions) -> list[PredictResult]:
        """The sentiment of tokenized texts, each under its index."""
        predictions = self._run(list(texts.values()), explain=options.explain)
        sentences: Sequence[list[Sentence] | None] = [None] * len(texts)
        if options.sentences:
            sentences = self._sentences(list(texts.values()), predictions)
        return [
            PredictResult(**_sentiment(index, prediction), tokens=self._explained(prediction), sentences=parts)
            for index, prediction, parts in zip(texts, predictions, sentences, strict=True)
        ]

    def tokenize(self, text: str, truncate: Truncation) -> TokenizedText:
        """One text's tokens.

        Raises:
            UnansweredTextError: the text cannot be answered; the others can.
            RequestError: the request is over.
        """
        if len(text) > self._settings.max_characters:
            message = f"the text has {len(text):,} characters and the limit is {self._settings.max_characters:,}"
            raise UnansweredTextError("too_many_characters", message)
        context = current_request()
        context.check()
        try:
            with context.stage("tokenize"):
                tokenized = self._model.tokenize(text, truncate=truncate)
        except TextError as error:
            raise UnansweredTextError(error.code, error.message) from None
        return tokenized

    def represent(self, request: RepresentRequest) -> RepresentResponse:
        """The contextual representations of each text's tokens.

        Raises:
            RequestError: more texts, tokens or numbers than one request may hold, a layer or direction that the model
                does not have, or the request is over.
        """
        layers = self._layers(request.layers)
        columns = self._columns(request.direction)
        texts, errors = self._tokenize_all(request.texts, request.truncate)
        self._reserve(texts.values(), layers)
        predictions = self._run(list(texts.values()), layers=layers)
        return RepresentResponse(
            model=self._name,
            results=[
                RepresentResult(
                    **_sentiment(index, prediction),
                    tokens=[
                        Token(text=text, start=start, end=end, known=known)
                        for text, start, end, known in prediction.tokens
                    ],
                    representations=[
                        encode(matrix[:, columns], layer=layer, dtype=request.dtype, encoding=request.encoding)
                        for layer, matrix in prediction.representations.items()
                    ],
                )
                for index, prediction in zip(texts, predictions, strict=True)
            ],
            errors=errors,
        )

    def _tokenize_all(
        self, texts: Sequence[str], truncate: Truncation
    ) -> tuple[dict[int, TokenizedText], list[UnansweredText]]:
        """The texts that the model can read, by their index, and the reason for each of the others."""
        if len(texts) > self._settings.max_texts:
            message = f"There are {len(texts):,} texts and one request may hold {self._settings.max_texts:,}."
            raise RequestError("too_many_texts", message, param="texts")
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
        """Run the model. It stops between two batches once the request is over."""
        context = current_request()
        with context.stage("inference"):
            predictions = self._model.predict_tokenized(
                texts, explain=explain, layers=layers, before_each_run=context.check
            )
        metrics.answered(predictions)
        return predictions

    def _reserve(self, texts: Iterable[TokenizedText], layers: Sequence[int]) -> None:
        """Reserve memory for the representations of these texts."""
        numbers = sum(map(len, texts)) * len(layers) * self._model.manifest.architecture.representation_size
        if numbers > self._settings.max_request_numbers:
            message = (
                f"The representations would have {numbers:,} numbers and one answer may have "
                f"{self._settings.max_request_numbers:,}; send fewer texts or ask for fewer layers in one request."
            )
            raise RequestError("too_much_work", message, param="texts")
        current_request().reserve(BYTES_PER_NUMBER * numbers)

    def _sentences(self, texts: Sequence[TokenizedText], predictions: Sequence[Prediction]) -> list[list[Sentence]]:
        """Each text's sentences, run together; the only sentence of a text keeps the prediction of the text."""
        context = current_request()
        split = []
        for text in texts:
            context.check()
            split.append(list(splitter.split(text)))
        several = [sentence for sentences in split if len(sentences) > 1 for sentence in sentences]
        separate = iter(self._run(several))
        return [
            [_sentence(sentence, next(separate) if len(sentences) > 1 else prediction) for sentence in sentences]
            for sentences, prediction in zip(split, predictions, strict=True)
        ]

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

    def _explained(self, prediction: Prediction) -> list[ExplainedToken] | None:
        if prediction.contributions is None:
            return None
        return list(_explained_tokens(prediction, prediction.contributions, self._model.manifest.label_names))


def encode(matrix: NDArray[np.float32], *, layer: int, dtype: Dtype, encoding: Encoding) -> Representation:
    """One layer's representations on the wire.

    Built without validation: pydantic would look at every number, and there may be millions.

    Args:
        matrix: (tokens, width).
        layer: counted from 1, the lowest.
        dtype: what the numbers are rounded to.
        encoding: how they are written.
    """
    numbers = matrix.astype(LITTLE_ENDIAN[dtype])
    return Representation.model_construct(
        layer=layer,
        shape=(matrix.shape[0], matrix.shape[1]),
        dtype=dtype,
        encoding=encoding,
        data=base64.b64encode(numbers.tobytes()).decode("ascii") if encoding == "base64" else numbers.tolist(),
    )


def _sentiment(index: int, prediction: Prediction) -> dict[str, Any]:
    return {
        "index": index,
        **_scored(prediction),
        "token_count": prediction.token_count,
        "unknown_count": prediction.unknown_count,
        "truncated": prediction.truncated,
    }


def _scored(prediction: Prediction) -> dict[str, Any]:
    """The fields that results of texts and sentences share."""
    return {
        "label": prediction.label,
        "score": prediction.score,
        "confident": prediction.confident,
        "reasons": list(prediction.reasons),
        "scores": prediction.scores,
        "polarity": prediction.polarity,
    }


def _sentence(sentence: TokenizedText, prediction: Prediction) -> Sentence:
    return Sentence(start=int(sentence.starts[0]), end=int(sentence.ends[-1]), **_scored(prediction))


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
