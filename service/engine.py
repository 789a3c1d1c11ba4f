"""The model as the service uses it: within a request's limits, stopped when nobody waits any more, and measured.

It has the methods of ``SentimentModel`` that ``Answers`` calls, so whatever is answered goes through here.
"""

from collections.abc import Sequence

from model_store import Manifest, Prediction, SentimentModel, TokenizedText, Truncation
from service import metrics
from service.errors import RequestError
from service.middleware.request_context import current_work
from service.settings import BYTES_A_NUMBER, Settings


class Engine:
    """A model under limits. Safe to call from several threads at once, each with the work of its own request."""

    def __init__(self, model: SentimentModel, settings: Settings) -> None:
        self.manifest: Manifest = model.manifest
        self.sha256: str = model.sha256
        self.layer_numbers = model.layer_numbers
        self._model = model
        self._max_tokens = settings.max_request_tokens
        self._max_numbers = settings.max_request_numbers
        metrics.serving(model.manifest, model.sha256)

    def tokenize(self, text: str, *, truncate: Truncation = "end") -> TokenizedText:
        """A text's tokens.

        Raises:
            TextError: as ``SentimentModel.tokenize``.
            RequestError: all texts of the request together have too many tokens, or nobody waits for the answer.
        """
        work = current_work()
        work.check()
        with work.stage("tokenize"):
            tokenized = self._model.tokenize(text, truncate=truncate)
        work.tokens += len(tokenized)
        if work.tokens > self._max_tokens:
            message = f"The texts have more than {self._max_tokens:,} tokens together; send fewer in one request."
            raise RequestError("too_much_work", message, param="texts")
        return tokenized

    def predict_tokenized(
        self, texts: Sequence[TokenizedText], *, explain: bool = False, layers: Sequence[int] = ()
    ) -> list[Prediction]:
        """What ``SentimentModel.predict_tokenized`` answers.

        Raises:
            RequestError: the representations would hold too many numbers, or nobody waits for the answer.
        """
        work = current_work()
        if layers:
            work.hold(BYTES_A_NUMBER * self._numbers(texts, len(layers)))
        with work.stage("inference"):
            predictions = self._model.predict_tokenized(
                texts, explain=explain, layers=layers, before_each_run=work.check
            )
        metrics.answered(predictions)
        return predictions

    def _numbers(self, texts: Sequence[TokenizedText], layers: int) -> int:
        numbers = sum(map(len, texts)) * layers * self.manifest.architecture.representation_size
        if numbers > self._max_numbers:
            message = (
                f"The representations would have {numbers:,} numbers and one answer may have {self._max_numbers:,}; "
                "send fewer texts or ask for fewer layers in one request."
            )
            raise RequestError("too_much_work", message, param="texts")
        return numbers
