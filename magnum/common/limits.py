"""How many calls to one bay, or for one project, there may be at once.

A bay that does not answer holds each call to it until its time is up. Without a limit the calls to one such bay would
in the end hold every thread of the process, and all other tenants would wait for it; and so would they for a tenant
with many such bays. So each bay has a few places in a conductor, and each project in an API, and a caller who finds
none free in a short time is told so.
"""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from magnum.common.exception import BayBusy


class _Places:
    def __init__(self, count: int) -> None:
        self.free = threading.BoundedSemaphore(count)
        self.users = 0  # callers inside or waiting; with none left the entry goes


class CallLimits:
    """The places of all that is being spoken to; one object per process.

    :param places: of each bay, or project
    :param wait: seconds until a place has to be free
    :param queue: how many may wait for one; others are told at once
    :param what: begins the sentence that says it is busy
    """

    def __init__(self, places: int, wait: float = 1.0, queue: float = math.inf, what: str = "Bay") -> None:
        self._count = places
        self._wait = wait
        self._most = places + queue
        self._what = what
        self._lock = threading.Lock()
        self._places: dict[str, _Places] = {}

    @contextmanager
    def place(self, ident: str) -> Iterator[None]:
        """Hold one of its places.

        :raises BayBusy: none got free in time
        """
        places, wait = self._enter(ident)
        try:
            if not places.free.acquire(timeout=wait):
                raise BayBusy(
                    f"{self._what} {ident} is busy: {self._count} calls have not been answered yet. Try again later."
                )
            try:
                yield
            finally:
                places.free.release()
        finally:
            self._leave(ident, places)

    def _enter(self, ident: str) -> tuple[_Places, float]:
        """Be counted; answers the places, and how long to wait for one of them."""
        with self._lock:
            places = self._places.setdefault(ident, _Places(self._count))
            places.users += 1
            return places, self._wait if places.users <= self._most else 0

    def _leave(self, ident: str, places: _Places) -> None:
        with self._lock:
            places.users -= 1
            if not places.users:
                del self._places[ident]
