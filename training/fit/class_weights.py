"""How the texts of rare labels count."""

from typing import Literal

ClassWeights = Literal["none", "balanced"]
