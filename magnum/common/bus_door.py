"""Keeps requests from waiting for a message bus that is away.

oslo.messaging waits as long as it takes, in the thread of whoever calls: for a connection before a message can go, and
before the first call for the queue of the answers. For a request that would be for ever. So one thread here does all
the waiting: it opens the queue of the answers, and sends the casts, which nobody needs to wait for. Calls are made by
their own threads, but only once the door is open, and with one second try: a connection may have gone stale unnoticed.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import kombu.exceptions
from oslo_log import log

from magnum.common.bus import messaging
from magnum.common.context import service_context

LOG = log.getLogger(__name__)

BUS_ERRORS = (messaging.MessagingException, kombu.exceptions.KombuError, OSError)
"""What the bus raises when a message cannot go or no answer comes."""

_MOST_CASTS = 1000
_OPENING_SECONDS = 0.1
_PAUSE_SECONDS = 1.0


def reach(way: Callable[[], object], stopping: threading.Event) -> None:
    """Go a way to the bus, anew after a pause as long as it fails and nobody is stopping."""
    while True:
        try:
            way()
        except BUS_ERRORS as error:
            LOG.warning("The message bus cannot be reached: %s", error)
        except Exception:  # for example a virtual host that is not there yet
            LOG.exception("The message bus cannot be reached.")
        else:
            return
        if stopping.wait(_PAUSE_SECONDS):
            return


class BusDoor:
    """The way of one client to the bus; made in the process that uses it, as it has a thread."""

    def __init__(self, client: Any, topic: str) -> None:
        self._client = client
        self._topic = topic
        self._casts: queue.Queue[tuple[Any, str, dict[str, Any]]] = queue.Queue(_MOST_CASTS)
        self._opened = threading.Event()
        threading.Thread(target=self._run, name="bus", daemon=True).start()

    def cast(self, context: Any, method: str, **arguments: Any) -> None:
        """Have a message sent soon. It is lost where the bus is away for long."""
        try:
            self._casts.put_nowait((context, method, arguments))
        except queue.Full:
            LOG.warning("The message bus does not keep up: %s was not sent.", method)

    def wait_open(self, seconds: float) -> bool:
        """Whether calls can be made, now or within these seconds."""
        return self._opened.wait(seconds)

    def _run(self) -> None:
        reach(self._open, threading.Event())
        self._opened.set()
        while True:
            context, method, arguments = self._casts.get()
            try:
                self._client.cast(context, method, **arguments)
            except BUS_ERRORS as error:
                LOG.warning("%s was not sent: %s", method, error)
            except Exception:  # the thread must outlive whatever a driver raises: nobody else sends
                LOG.exception("%s was not sent.", method)

    def _open(self) -> None:
        """Make a call that nobody answers: sending one opens the queue of the answers to all."""
        client = self._client.prepare(topic=f"{self._topic}.nobody", timeout=_OPENING_SECONDS)
        with suppress(messaging.MessagingException):
            client.call(service_context(), "open")
