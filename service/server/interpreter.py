"""Python's own pauses, made short: they stop every thread of the process, the event loop's too."""

import gc
import sys

SWITCH_SECONDS = 0.0005
"""How long a thread that runs Python keeps another waiting; Python's default is ten times as long."""


def shorten_pauses() -> None:
    """Switch threads sooner, and leave what exists now out of garbage collections.

    Called once the model is loaded. A full collection would otherwise look at every object of the libraries, which
    takes 40 ms, each time that large requests have made enough new ones.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.collect()
    gc.freeze()
