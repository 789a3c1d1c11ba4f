"""What every part of a manifest is: checked when it is read, never changed, and without unknown keys."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A part of a manifest."""

    model_config = ConfigDict(extra="forbid", frozen=True)
