"""How many calls one bay may have at once.

A bay that does not answer holds each call to it until its time is up. Without a limit the calls to one such bay would
in the end hold every thread of the process, and all other tenants would wait for it. So each bay has a few places, and
a caller who finds none free in a short time is told that the bay is busy.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from magnum.common.exception import BayUnreachable


class _Places:
    def __init__(self, count: int) -> None:
        self.free = threading.BoundedSemaphore(count)
        self.users = 0  # callers inside or waiting; with none left the entry goes


class CallLimits:
    """The places of every bay that is being spoken to; one object per process."""

    def __init__(self, calls_per_bay: int, wait: float = 1.0) -> None:
        self._count = calls_per_bay
        self._wait = wait
        self._lock = threading.Lock()
        self._bays: dict[str, _Places] = {}

    @contextmanager
    def place(self, bay_uuid: str) -> Iterator[None]:
        """Hold one of the bay's places; `BayUnreachable` where none gets free in time."""
        places = self._enter(bay_uuid)
        try:
            if not places.free.acquire(timeout=self._wait):
                raise BayUnreachable(
                    f"Bay {bay_uuid} is busy: {self._count} calls to it have not been answered yet. Try again later."
                )
            try:
                yield
            finally:
                places.free.release()
        finally:
            self._leave(bay_uuid, places)

    def _enter(self, bay_uuid: str) -> _Places:
        with self._lock:
            places = self._bays.setdefault(bay_uuid, _Places(self._count))
            places.users += 1
            return places

    def _leave(self, bay_uuid: str, places: _Places) -> None:
        with self._lock:
            places.users -= 1
            if not places.users:
                del self._bays[bay_uuid]
