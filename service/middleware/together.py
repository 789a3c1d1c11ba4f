"""What small requests ask of a model at the same time is computed together.

A small request is computed in the event loop. Where it needs the model it hands its texts over and pauses. At the next
turn of the loop the texts of all requests that have come meanwhile are computed in one run: nobody waits for a text
that is not there yet. Any function may pause, because each request runs in a greenlet: its calls keep their places, as
in a thread, and it is continued with the predictions.
"""

import asyncio
import contextvars
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

from greenlet import getcurrent, greenlet

from model_store import Prediction, SentimentModel, TokenizedText
from model_store.graph_runner import PADDED_TOKENS_A_BATCH

MOST_TOKENS = PADDED_TOKENS_A_BATCH["cpu"]
"""Texts are computed at one turn of the loop up to so many tokens, those of one run: some milliseconds, after which
others are served."""

FEW = 4
"""So few requests gain less from one run than it costs to look for them: two turns of the loop."""

LOOK_AGAIN = 8
"""After few were found so many requests do not look."""

T = TypeVar("T")


class Question:
    """What one request asks of a model.

    Attributes:
        group: questions of the same group can be computed together.
        predictions: of its texts, in order.
    """

    def __init__(
        self, model: SentimentModel, texts: Sequence[TokenizedText], *, explain: bool, layers: Sequence[int]
    ) -> None:
        self.texts = texts
        self.group = (model, explain, tuple(layers))
        self.predictions: asyncio.Future[list[Prediction]] = asyncio.get_running_loop().create_future()


class Together:
    """Runs the small requests of one event loop."""

    def __init__(self) -> None:
        self._questions: list[Question] = []
        self._passed = 0  # requests that need not look for company

    async def run(self, function: Callable[[], T]) -> T:
        """Call the function; what it asks by ``predict_together`` is computed with what others ask."""
        if self._passed and not self._questions:
            self._passed -= 1
            return function()
        request = greenlet(function)
        request.gr_context = contextvars.copy_context()
        result = request.switch()
        while not request.dead:
            try:
                predictions = await self._answered(result)
            except Exception as error:  # noqa: BLE001 - it is raised where the request asked
                result = request.throw(error)
            else:
                result = request.switch(predictions)
        return cast("T", result)

    async def _answered(self, question: Question) -> list[Prediction]:
        if not self._questions:
            asyncio.get_running_loop().call_soon(self._compute)
        self._questions.append(question)
        return await question.predictions

    def _compute(self) -> None:
        """Compute what was asked first and what can be computed with it; the rest at the loop's next turn."""
        chosen: list[Question] = []
        tokens = 0
        for question in self._questions:
            if question.group == self._questions[0].group:
                tokens += sum(map(len, question.texts))
                if chosen and tokens > MOST_TOKENS:
                    break
                chosen.append(question)
        taken = set(chosen)
        self._questions = [question for question in self._questions if question not in taken]
        if self._questions:
            asyncio.get_running_loop().call_soon(self._compute)
        self._passed = LOOK_AGAIN if len(chosen) <= FEW else 0
        _answer([question for question in chosen if not question.predictions.done()])  # a handler may be cancelled


def _answer(questions: Sequence[Question]) -> None:
    if not questions:
        return
    model, explain, layers = questions[0].group
    texts = [text for question in questions for text in question.texts]
    try:
        predictions = iter(model.predict_tokenized(texts, explain=explain, layers=layers))
    except Exception as error:  # noqa: BLE001 - each request answers it in its own way
        for question in questions:
            question.predictions.set_exception(error)
        return
    for question in questions:
        question.predictions.set_result([next(predictions) for _ in question.texts])


def predict_together(
    model: SentimentModel,
    texts: Sequence[TokenizedText],
    *,
    explain: bool,
    layers: Sequence[int],
    before_each_run: Callable[[], None],
) -> list[Prediction]:
    """As ``predict_tokenized``: in a small request with what others ask, elsewhere by itself."""
    loop = getcurrent().parent
    if loop is None:
        return model.predict_tokenized(texts, explain=explain, layers=layers, before_each_run=before_each_run)
    before_each_run()
    return cast("list[Prediction]", loop.switch(Question(model, texts, explain=explain, layers=layers)))
