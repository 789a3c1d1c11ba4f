"""The version of the software: the one place that states it.

``pyproject.toml``, ``--version`` of both command lines and the image read it here. Unlike installed metadata it is
also there in the image and in a bento. A bundle has its own version, in its manifest.
"""

from typing import Final

__version__: Final = "0.2.0"
