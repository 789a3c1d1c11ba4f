"""One model that is served: everything that is made from its bundle."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model_store import BundleError, SentimentModel, bundle
from model_store.working_memory import WorkingMemory
from service.adapters.adapted_model import AdaptedModel
from service.model_card import model_card, model_summary
from service.models.shadow import Shadow
from service.monitoring import metrics
from service.monitoring.drift import DriftWindow
from service.open_inference.model import OpenInferenceModel
from service.predictor import Observer, Predictor
from service.schemas import EXAMPLE_TEXT, ModelCard, ServedModel
from service.settings import Settings


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that answers, with its descriptions.

    Attributes:
        name: by which calls ask for it.
        predictor, open_inference, adapted: what answers calls.
        card: all that is known of it.
    """

    name: str
    predictor: Predictor
    open_inference: OpenInferenceModel
    adapted: AdaptedModel
    card: ModelCard

    @cached_property
    def card_json(self) -> bytes:
        """The card, written."""
        return self.card.model_dump_json().encode()

    @cached_property
    def summary_json(self) -> bytes:
        """The card without its evaluation, written."""
        return model_summary(self.card)

    def entry(self) -> ServedModel:
        """Its line in the list of models."""
        return ServedModel(
            id=self.name,
            created=int(self.card.created.timestamp()),
            version=self.card.version,
            sha256=self.card.sha256,
            labels=[label.name for label in self.card.labels],
        )


class ModelLoader:
    """Loads bundles under the service's settings. The runs of all models share one bound on memory.

    Args:
        settings: with limits and device.
        first: the name of the model beside which the shadow reads, if the settings name one.

    Raises:
        BundleError: the shadow's bundle is missing or damaged.
        DeviceError: it cannot be run on the device that was chosen.
    """

    def __init__(self, settings: Settings, *, first: str | None = None) -> None:
        self._settings = settings
        self._memory = WorkingMemory(settings.working_bytes)
        self._first = first
        self._shadow = self._load_shadow()

    def load(self, name: str, path: Path, sha256: str) -> LoadedModel:
        """Load a bundle and let it answer once, so that its first request is not slow.

        Raises:
            BundleError: it is damaged, or not the one that was verified.
            DeviceError: it cannot be run on the device that was chosen.
        """
        model = SentimentModel.load(path, device=self._settings.device, working_memory=self._memory)
        if model.sha256 != sha256:
            reason = (
                f"the SHA-256 of {bundle.MANIFEST} is {model.sha256} and was {sha256} when it was verified; "
                "load it again to serve what is there now"
            )
            raise BundleError(path, reason)
        model.represent([EXAMPLE_TEXT])
        return self.serve(name, model)

    def serve(self, name: str, model: SentimentModel) -> LoadedModel:
        """Everything that is made from a model."""
        card = model_card(name, model, self._settings)
        predictor = Predictor(model, self._settings, name=name, observers=self._observers(name, model))
        served = OpenInferenceModel(predictor, card, max_numbers=self._settings.max_request_numbers)
        return LoadedModel(name, predictor, served, AdaptedModel(predictor, card, self._settings), card)

    def _observers(self, name: str, model: SentimentModel) -> list[Observer]:
        """What looks at the answers of a model."""
        observers: list[Observer] = [self._shadow] if self._shadow and name == self._first else []
        metrics.watching(name)
        if model.evaluation.reference and self._settings.drift_window:
            observers.append(DriftWindow(model.evaluation.reference, model=name, size=self._settings.drift_window))
        return observers

    def _load_shadow(self) -> Shadow | None:
        if self._settings.shadow is None or self._first is None:
            return None
        model = SentimentModel.load(self._settings.shadow, device=self._settings.device, working_memory=self._memory)
        metrics.shadowing(model.manifest.label_names)
        return Shadow(model, share=self._settings.shadow_share)
