"""From a request and a model to a response: everything between the wire format and the model, and no HTTP."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import ModelError, Prediction, SentimentModel, TextError, TokenizedText, Truncation
from service import metrics
from service import sentences as splitter
from service.engine import Engine
from service.errors import RequestError
from service.schemas import (
    Direction,
    Dtype,
    Encoding,
    ExplainedToken,
    ModelName,
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
from service.settings import Settings

LITTLE_ENDIAN: Mapping[Dtype, np.dtype[np.float32 | np.float16]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}


class UnreadableTextError(Exception):
    """One text that has no answer while the others have."""

    def __init__(self, code: TextErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Answers:
    """One model's answers under one set of limits. Safe to call from several threads at once."""

    def __init__(self, model: SentimentModel | Engine, settings: Settings) -> None:
        self._model = model
        self._settings = settings
        manifest = model.manifest
        self._name = ModelName(name=manifest.name, version=manifest.version, sha256=model.sha256)

    def predict(self, request: PredictRequest) -> PredictResponse:
        """The sentiment of each text.

        Raises:
            RequestError: more texts than one request may hold.
        """
        texts, errors = self._tokenize(request.texts, request.truncate)
        results = self.results(texts, explain=request.explain, sentences=request.sentences)
        return PredictResponse(model=self._name, results=results, errors=errors)

    def results(
        self, texts: Mapping[int, TokenizedText], *, explain: bool = False, sentences: bool = False
    ) -> list[PredictResult]:
        """The sentiment of texts that have been read, each under its number."""
        predictions = self._model.predict_tokenized(list(texts.values()), explain=explain)
        split = self._sentences(list(texts.values()), predictions) if sentences else [None] * len(texts)
        return [
            PredictResult(**_sentiment(index, prediction), tokens=self._explained(prediction), sentences=parts)
            for index, prediction, parts in zip(texts, predictions, split, strict=True)
        ]

    def read(self, text: str, truncate: Truncation) -> TokenizedText:
        """One text's tokens.

        Raises:
            UnreadableTextError: the text cannot be answered; those beside it can.
        """
        if len(text) > self._settings.max_characters:
            message = f"the text has {len(text):,} characters and the limit is {self._settings.max_characters:,}"
            raise _unreadable("too_many_characters", message)
        try:
            return self._model.tokenize(text, truncate=truncate)
        except TextError as error:
            raise _unreadable(error.code, error.message) from None

    def represent(self, request: RepresentRequest) -> RepresentResponse:
        """The contextual representations of each text's tokens.

        Raises:
            RequestError: more texts than one request may hold, or a layer or direction the model does not have.
        """
        layers = self._layers(request.layers)
        columns = self._columns(request.direction)
        texts, errors = self._tokenize(request.texts, request.truncate)
        predictions = self._model.predict_tokenized(list(texts.values()), layers=layers)
        return RepresentResponse(
            model=self._name,
            results=[
                RepresentResult(
                    **_sentiment(index, prediction),
                    tokens=[Token(text=text, start=a, end=b, known=known) for text, a, b, known in prediction.tokens],
                    representations=[
                        encode(matrix[:, columns], layer=layer, dtype=request.dtype, encoding=request.encoding)
                        for layer, matrix in prediction.representations.items()
                    ],
                )
                for index, prediction in zip(texts, predictions, strict=True)
            ],
            errors=errors,
        )

    def _tokenize(
        self, texts: Sequence[str], truncate: Truncation
    ) -> tuple[dict[int, TokenizedText], list[UnansweredText]]:
        """The texts the model can read, by their position, and the reason for each of the others."""
        if len(texts) > self._settings.max_texts:
            message = f"There are {len(texts):,} texts and one request may hold {self._settings.max_texts:,}."
            raise RequestError("too_many_texts", message, param="texts")
        readable: dict[int, TokenizedText] = {}
        errors: list[UnansweredText] = []
        for index, text in enumerate(texts):
            try:
                readable[index] = self.read(text, truncate)
            except UnreadableTextError as error:
                errors.append(UnansweredText(index=index, code=error.code, message=error.message))
        return readable, errors

    def _sentences(
        self, texts: Sequence[TokenizedText], predictions: Sequence[Prediction]
    ) -> list[list[Sentence] | None]:
        """Each text's sentences, all of them read together; the only sentence of a text has been read already."""
        split = [list(splitter.split(text)) for text in texts]
        apart = [part for parts in split if len(parts) > 1 for part in parts]
        read = iter(self._model.predict_tokenized(apart))
        return [
            [_sentence(part, next(read) if len(parts) > 1 else prediction) for part in parts]
            for parts, prediction in zip(split, predictions, strict=True)
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
        "label": prediction.label,
        "score": prediction.score,
        "confident": prediction.confident,
        "scores": prediction.scores,
        "polarity": prediction.polarity,
        "token_count": prediction.token_count,
        "unknown_count": prediction.unknown_count,
        "truncated": prediction.truncated,
    }


def _unreadable(code: TextErrorCode, message: str) -> UnreadableTextError:
    metrics.TEXT_ERRORS.labels(code).inc()
    return UnreadableTextError(code, message)


def _sentence(part: TokenizedText, prediction: Prediction) -> Sentence:
    return Sentence(
        start=int(part.starts[0]),
        end=int(part.ends[-1]),
        label=prediction.label,
        score=prediction.score,
        confident=prediction.confident,
        scores=prediction.scores,
        polarity=prediction.polarity,
    )


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
