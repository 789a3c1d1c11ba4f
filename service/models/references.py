"""What the settings say of the models to serve: for each, a name and where its bundle is found."""

import re
from dataclasses import dataclass
from pathlib import Path

from model_store import bundle
from model_store.errors import BundleError
from service.settings import PREFIX, Settings, SettingsError

NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9._-]+)?)=(.+)", re.DOTALL)
"""A name, as models have them anywhere, such as org/model, and a bundle. A folder's own = needs ./ before it."""


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model to serve.

    Attributes:
        name: by which calls ask for it; None for the name in its manifest.
        source: a folder, a tag, a stage, or ``default``.
        sha256: the hash that its manifest must have; None for any.
    """

    name: str | None
    source: str
    sha256: str | None = None

    def read(self) -> "VerifiedBundle":
        """Find the bundle and verify its files.

        Raises:
            BundleError: it is missing or damaged, or another one is demanded.
        """
        verified = bundle.read(bundle.resolve(self.source))
        if self.sha256 not in {None, verified.sha256}:
            reason = (
                f"the SHA-256 of {bundle.MANIFEST} is {verified.sha256}, expected {self.sha256} ({PREFIX}MODEL_SHA256)"
            )
            raise BundleError(verified.path, reason)
        return VerifiedBundle(self.name or verified.manifest.name, verified.path.resolve(), verified.sha256)


@dataclass(frozen=True, slots=True)
class VerifiedBundle:
    """A bundle that was found and verified: the name by which it is served, its folder, and its hash."""

    name: str
    path: Path
    sha256: str


def references(settings: Settings) -> list[ModelReference]:
    """The models to serve; the first one answers calls that name none.

    Raises:
        SettingsError: two are given the same name.
    """
    found = [_reference(text) for text in settings.models or (f"={settings.model}",)]
    names = [reference.name for reference in found if reference.name]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise SettingsError(f"{PREFIX}MODELS={','.join(settings.models)}: the name {twice[0]} is given twice")
    first, *others = found
    return [ModelReference(first.name, first.source, settings.model_sha256), *others]


def shadow_reference(settings: Settings) -> ModelReference | None:
    """The bundle that reads beside the first model, if there is one."""
    return None if settings.shadow is None else ModelReference("shadow", settings.shadow)


def _reference(text: str) -> ModelReference:
    if match := NAMED.fullmatch(text):
        return ModelReference(match[1], match[2].strip())
    return ModelReference(None, text.removeprefix("="))


def read_all(requested: list[ModelReference]) -> dict[str, VerifiedBundle]:
    """Verify every bundle, by the name under which it is served.

    Raises:
        BundleError: one is missing or damaged, or two have the same name.
    """
    found: dict[str, VerifiedBundle] = {}
    for reference in requested:
        verified = reference.read()
        if verified.name in found:
            reason = (
                f"is named {verified.name}, as {found[verified.name].path} is; give one of them another name in "
                f"{PREFIX}MODELS, as in other={reference.source}"
            )
            raise BundleError(verified.path, reason)
        found[verified.name] = verified
    return found
