"""SIGTERM: the service first reports that it is not ready, then accepts no connections, then finishes its requests."""

import asyncio
import signal
import threading
from types import FrameType

from service.errors import RequestError


class GracefulShutdown:
    """Delays the server's own handler of SIGTERM, which stops listening at once.

    For a few seconds the service answers but reports that it is not ready, so that a load balancer can turn away before
    a connection is refused.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.has_begun = False

    def check_ready(self) -> None:
        """Raise ``RequestError`` once the service is stopping."""
        if self.has_begun:
            raise RequestError("not_ready")

    def listen(self) -> None:
        """Install the handler. Call it in the event loop of the running server, after its own handler is installed."""
        if threading.current_thread() is not threading.main_thread():
            return  # only the main thread receives signals; a server in another thread is stopped by other means
        loop = asyncio.get_running_loop()
        handler_of_server = signal.getsignal(signal.SIGTERM)

        def stop(signal_number: int, frame: FrameType | None) -> None:
            self.has_begun = True
            if callable(handler_of_server):
                loop.call_soon_threadsafe(loop.call_later, self._seconds, handler_of_server, signal_number, frame)

        signal.signal(signal.SIGTERM, stop)
