"""The version of the software: the one place that states it.

``pyproject.toml``, ``--version`` of both command lines and the image read it here, so that it is there without installed
metadata too, as in the image and in a bento. A bundle has a version of its own, in its manifest.
"""

from typing import Final

__version__: Final = "0.2.0"
