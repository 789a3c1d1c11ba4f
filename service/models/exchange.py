"""Puts another bundle in the place of the one that is served: it is verified, loaded and has answered before it does.

The supervisor does so at SIGHUP and when a stage of the store changes, a worker when a client calls for it. Whoever
does, changes the file of pins, and all workers follow it.
"""

import asyncio
import logging
from collections.abc import Sequence

from model_store import BundleError, DeviceError
from service.endpoints import Endpoint
from service.errors import RequestError
from service.models.loaded import ModelLoader
from service.models.pins import Pin, PinFile, Pins
from service.models.references import ModelReference
from service.models.served import ServedModels
from service.monitoring import metrics

FOLLOW_SECONDS = 0.5
"""How often a worker looks whether the pins have changed."""

logger = logging.getLogger("bentoml.models")  # under "bentoml", whose lines BentoML writes out


class ModelExchange:
    """Loads and unloads the models of one worker.

    Args:
        references: what each name stands for.
        served: the models of this process.
        loader: loads a bundle.
        file: the pins of all workers; None if this process is the only one.
    """

    def __init__(
        self,
        references: dict[str, ModelReference],
        served: ServedModels,
        loader: ModelLoader,
        file: PinFile | None,
    ) -> None:
        self._references = references
        self._served = served
        self._loader = loader
        self._file = file
        self._one_at_a_time = asyncio.Lock()

    async def load(self, name: str) -> None:
        """Find a model's bundle again, and serve it in every worker. If it is the same, nothing happens.

        Raises:
            RequestError: there is no such model; or the bundle cannot be served, and the one before still is.
        """
        reference = self._reference(name)
        try:
            verified = await asyncio.to_thread(reference.read)
            pin = Pin(path=verified.path, sha256=verified.sha256)
            await self._follow(name, pin)
        except (BundleError, DeviceError) as error:
            metrics.exchanged(name, "refused")
            raise RequestError("bad_model", str(error)) from None
        self._pin(name, pin)

    async def unload(self, name: str) -> None:
        """Serve a model no more, in any worker.

        Raises:
            RequestError: there is no such model.
        """
        self._reference(name)
        pin = Pin(path=None, sha256="")
        await self._follow(name, pin)
        self._pin(name, pin)

    async def follow_pins(self) -> None:
        """Serve what is pinned, for as long as the process runs."""
        if self._file is None:
            return
        state = -1  # what this process has loaded may be outdated already
        while True:
            if (new := self._file.state()) != state:
                state = new
                for name, pin in self._file.read().items():
                    await self._follow_or_log(name, pin)
            await asyncio.sleep(FOLLOW_SECONDS)

    async def _follow_or_log(self, name: str, pin: Pin) -> None:
        try:
            await self._follow(name, pin)
        except Exception:  # whatever it is, the model before still answers, and the others are followed
            metrics.exchanged(name, "failed")
            logger.exception("the model %s cannot be exchanged; the one before is still served", name)

    async def _follow(self, name: str, pin: Pin) -> None:
        """Load, in a thread, what is pinned and not served yet."""
        async with self._one_at_a_time:
            if pin.path is None:
                self._served.remove(name)
            elif self._served.sha256(name) != pin.sha256:
                model = await asyncio.to_thread(self._loader.load, name, pin.path, pin.sha256)
                self._served.put(model)
                metrics.exchanged(name, "exchanged")
                logger.info("serving %s %s (%s)", name, model.card.version, pin.sha256[:12])

    def _reference(self, name: str) -> ModelReference:
        if name not in self._references:
            known = ", ".join(self._references)
            raise RequestError("unknown_model", f"There is no model {name}; this server was given {known}.")
        return self._references[name]

    def _pin(self, name: str, pin: Pin) -> None:
        if self._file:
            self._file.pin(name, pin)


def load_pinned(pins: Pins, loader: ModelLoader, endpoints: Sequence[Endpoint]) -> ServedModels:
    """Load every model that is pinned.

    Raises:
        BundleError: one is damaged, or not the one that was verified.
    """
    served = ServedModels(pins, endpoints)
    for name, pin in pins.items():
        if pin.path is not None:
            served.put(loader.load(name, pin.path, pin.sha256))
    return served
