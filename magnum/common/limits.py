"""How many calls to one bay, or for one project, there may be at once.

A bay that does not answer holds each call to it until its time is up. Without a limit the calls to one such bay would
in the end hold every thread of the process, and all other tenants would wait for it; and so would they for a tenant
with many such bays. So each bay has a few places in a conductor, and each project in an API, and a caller who finds
none free in a short time is told so.

Many calls at once that are answered are no trouble: they take turns. Only where calls are slow is it told at once who
finds others waiting already.
"""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from magnum.common.exception import BayBusy


class _Places:
    def __init__(self, count: int) -> None:
        self.free = threading.BoundedSemaphore(count)
        self.users = 0  # callers inside or waiting; with none left the entry goes
        self.begun: list[float] = []  # when the calls under way began, oldest first
        self.last = 0.0  # seconds that the last call took

    def are_slow(self, seconds: float) -> bool:
        """Whether a call takes longer than this."""
        return self.last > seconds or bool(self.begun and time.monotonic() - self.begun[0] > seconds)


class CallLimits:
    """The places of all that is being spoken to; one object per process.

    :param places: of each bay, or project
    :param wait: seconds until a place has to be free
    :param queue: how many may wait so long; others wait half of it, and are told at once while calls take longer
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
            begun = self._begin(places)
            try:
                yield
            finally:
                self._end(places, begun)
                places.free.release()
        finally:
            self._leave(ident, places)

    def _enter(self, ident: str) -> tuple[_Places, float]:
        """Be counted; answers the places, and how long to wait for one of them."""
        with self._lock:
            places = self._places.setdefault(ident, _Places(self._count))
            places.users += 1
            if places.users <= self._most:
                return places, self._wait
            return places, 0 if places.are_slow(self._wait / 2) else self._wait / 2

    def _begin(self, places: _Places) -> float:
        with self._lock:
            begun = time.monotonic()
            places.begun.append(begun)
        return begun

    def _end(self, places: _Places, begun: float) -> None:
        with self._lock:
            places.begun.remove(begun)
            places.last = time.monotonic() - begun

    def _leave(self, ident: str, places: _Places) -> None:
        with self._lock:
            places.users -= 1
            if not places.users:
                del self._places[ident]
