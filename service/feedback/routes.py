"""POST /v1/feedback: the right labels of texts that were answered. There only where a file for them is set."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from model_store.feedback import Feedback, FeedbackStore
from service.endpoints import Body, Endpoint, Operation
from service.errors import RequestError
from service.request_body import parse_body
from service.schemas import FeedbackRequest, FeedbackResponse, ModelCard
from service.settings import PREFIX, Settings, SettingsError

EXAMPLE = {"request_id": "1f0c", "feedback": [{"index": 0, "label": "negative", "text": "The soup was cold."}]}


async def feedback(request: Request) -> Response:
    """Feedback.

    The right labels of texts that were answered, for the next training. `request_id` is the `X-Request-ID` of the
    answer. Of several entries about one text the last counts. Whether texts are kept is the operator's choice.
    """
    parsed = parse_body(FeedbackRequest, await request.body())
    served = request.app.state.served
    card: ModelCard = served.models.get(parsed.model).card
    entries = [
        Feedback(
            request_id=parsed.request_id,
            index=entry.index,
            model=f"{card.name}:{card.version}",
            labels=_labels(entry.label, card, position),
            text=entry.text if served.feedback.keeps_texts else None,
        )
        for position, entry in enumerate(parsed.feedback)
    ]
    await asyncio.to_thread(served.feedback.store.append, entries)
    return Response(FeedbackResponse(stored=len(entries)).model_dump_json(), media_type="application/json")


class FeedbackDesk:
    """The file, and whether texts are kept in it.

    Raises:
        SettingsError: the file cannot be used.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.feedback is None:
            message = "there is no file for feedback"
            raise ValueError(message)
        self.keeps_texts = settings.feedback_texts
        try:
            self.store = FeedbackStore(settings.feedback, max_bytes=settings.feedback_max_bytes)
        except OSError as error:
            raise SettingsError(f"{PREFIX}FEEDBACK={settings.feedback}: {error}") from None

    @classmethod
    def of(cls, settings: Settings) -> "FeedbackDesk | None":
        """The desk, if there is a file."""
        return None if settings.feedback is None else cls(settings)


def _labels(label: str | list[str], card: ModelCard, position: int) -> tuple[str, ...]:
    """The labels of an entry, which must be the model's."""
    known = [each.name for each in card.labels]
    labels = (label,) if isinstance(label, str) else tuple(label)
    if isinstance(label, str) == (card.multi_label is not None):
        form = "a list of labels" if card.multi_label is not None else "one label"
        raise RequestError("invalid_request", f"Input should be {form}", param=f"feedback.{position}.label")
    if unknown := [each for each in labels if each not in known]:
        message = f"{unknown[0]} is not one of the model's labels: {', '.join(known)}"
        raise RequestError("invalid_request", message, param=f"feedback.{position}.label")
    return labels


ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/v1/feedback",
        handler=feedback,
        body=Body.WHOLE,
        operation=Operation(
            id="feedback",
            request=FeedbackRequest,
            response=FeedbackResponse,
            errors=("invalid_request", "unknown_model"),
            examples={"One text": EXAMPLE},
        ),
    ),
)
