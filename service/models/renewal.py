"""Finds the bundles of models again in the supervisor, which loads none; the workers follow the pins."""

import logging
from collections.abc import Callable
from pathlib import Path

from model_store import bundle
from model_store.errors import BundleError
from model_store.stages import STAGES
from service.models.pins import Pin, PinFile, pinned
from service.models.references import ModelReference
from service.monitoring.supervisor_metrics import Exchange

logger = logging.getLogger("bentoml.models")  # under "bentoml", whose lines BentoML writes out


class PinRenewal:
    """Pins the bundles that have changed.

    Args:
        references: what each name stands for.
        file: the pins.
        count: called with the name and the outcome of each attempt that fails.
    """

    def __init__(
        self, references: dict[str, ModelReference], file: PinFile, count: Callable[[str, Exchange], None]
    ) -> None:
        self._references = references
        self._file = file
        self._count = count
        self._tried: dict[str, Path] = {}  # what was in a stage last; a bundle that is refused is not read again

    def renew(self) -> None:
        """Find every bundle again."""
        for name in self._references:
            self._renew(name)

    def renew_stages(self) -> None:
        """Find those again whose stage has another model than the one that is pinned."""
        pins = self._file.read()
        for name, reference in self._references.items():
            if reference.source in STAGES and pins[name].path is not None:
                self._renew_if_moved(name, reference, pins[name])

    def _renew_if_moved(self, name: str, reference: ModelReference, pin: Pin) -> None:
        try:
            found = bundle.resolve(reference.source).resolve()
        except BundleError:  # nothing is in the stage any more: what is served stays
            return
        if found not in {pin.path, self._tried.get(name)}:
            self._tried[name] = found
            self._renew(name)

    def _renew(self, name: str) -> None:
        try:
            verified = self._references[name].read()
        except BundleError as error:
            self._count(name, "refused")
            logger.error("the model %s stays as it is: %s", name, error)  # noqa: TRY400 - the message is enough
        else:
            self._file.pin(name, pinned({name: verified})[name])
