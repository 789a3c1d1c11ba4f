"""SIGTERM: first not ready, then no new connections, then the requests under way finish."""

import asyncio
import logging
import signal
import threading
from types import FrameType

logger = logging.getLogger("bentoml.serve")


class Draining:
    """Stands in front of the server's own handler of SIGTERM, which stops listening at once.

    For a few seconds the service still answers but says that it is not ready, so that a load balancer can turn away
    before anybody's connection is refused.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.has_begun = False

    def listen(self) -> None:
        """Installs the handler. To be called by the running server's event loop, after the server installed its own."""
        if threading.current_thread() is not threading.main_thread():
            return  # signals are the main thread's; a server in another thread is stopped by other means
        loop = asyncio.get_running_loop()
        servers_own = signal.getsignal(signal.SIGTERM)

        def stop(number: int, frame: FrameType | None) -> None:
            self.has_begun = True
            if callable(servers_own):
                loop.call_soon_threadsafe(loop.call_later, self._seconds, servers_own, number, frame)

        signal.signal(signal.SIGTERM, stop)
