"""The base class of everything that is read from a bundle's JSON files."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def replace(self, **changes: Any) -> Self:  # noqa: ANN401 - any field's value
        """A copy with other values of some fields, validated as a new one is."""
        return self.model_validate(dict(self) | changes)
