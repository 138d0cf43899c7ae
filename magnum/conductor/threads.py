"""Something done again and again in a thread of its own until it is stopped."""

import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from oslo_log import log

from magnum.db.session import PASSING, first_line, trouble

LOG = log.getLogger(__name__)

_SHORTEST_PAUSE = 0.1
"""Between two calls, as a part of the time from one to the next."""


def tell_of_failure(logger: Any, text: str, *arguments: object) -> None:
    """Log the exception that is being handled, and how it came about; of a database in trouble one line will do."""
    error = sys.exc_info()[1]
    if isinstance(error, PASSING):
        logger.error(f"{text} {trouble(error)}: %s", *arguments, first_line(error))
    else:
        logger.exception(text, *arguments)


class Periodic:
    """Calls a function every so many seconds, the first time at once; less often where the calls take longer."""

    def __init__(self, name: str, seconds: float, function: Callable[[], None]) -> None:
        self._seconds = seconds
        self._function = function
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Let no further call begin."""
        self._stopped.set()

    def stop(self, timeout: float) -> None:
        """Let no further call begin, and wait for one that runs for at most that many seconds."""
        self.end()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopped.is_set():
            begun = time.monotonic()
            try:
                self._function()
            except Exception:  # noqa: BLE001 - the database may be away for a while; the thread must outlive that
                tell_of_failure(LOG, "%s failed and is tried again.", self._thread.name)
            left = self._seconds - (time.monotonic() - begun)
            self._stopped.wait(max(left, self._seconds * _SHORTEST_PAUSE))
