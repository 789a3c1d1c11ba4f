"""Stop signals during work in native code, which Python's own handlers wait for."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signals_end_at_once() -> Iterator[None]:
    """Let the operating system end the process at SIGINT and SIGTERM, instead of a handler in Python.

    A handler in Python runs only after native code has returned, which a file from a stranger may put off for hours.
    Nothing is cleaned up, so use it only where nothing has to be. Signals that are ignored stay ignored. Outside the
    main thread, which alone may change handlers, nothing changes.
    """
    replaced = {}
    if threading.current_thread() is threading.main_thread():
        replaced = {number: handler for number in STOP_SIGNALS if callable(handler := signal.getsignal(number))}
    try:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)
        yield
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)
