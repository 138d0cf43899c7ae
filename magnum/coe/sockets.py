"""Sockets that keep to a deadline.

A timeout of a socket bounds each single read. A peer that sends one byte before each timeout can hold the reader for as
long as it likes, and both peers of this package, a tenant's API server and a URL a tenant names, may want just that. So
before every read and write the time left until one deadline for the whole call becomes the timeout.
"""

import socket
import ssl
import time
from typing import Any


class Deadline:
    """A point in time that is some seconds ahead, but not behind that of another deadline."""

    def __init__(self, seconds: float, latest: "Deadline | None" = None) -> None:
        self.seconds = seconds
        self._end: float = time.monotonic() + seconds
        if latest is not None:
            self._end = min(self._end, latest._end)

    def left(self) -> float:
        """Seconds left, more than none; `TimeoutError` at the end."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def outlasts(self, seconds: float) -> bool:
        """Whether there is time left after that many seconds."""
        return self._end - time.monotonic() > seconds


class BoundedSocket(socket.socket):
    """A connected socket whose every read and write ends at the deadline."""

    deadline: Deadline

    @classmethod
    def connect_to(cls, family: int, address: Any, deadline: Deadline) -> "BoundedSocket":
        """A TCP connection to an address as `socket.getaddrinfo` gives it."""
        connection = cls(family, socket.SOCK_STREAM)
        connection.deadline = deadline
        try:
            connection.settimeout(deadline.left())
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.deadline.left())
        return super().recv_into(*args, **kwargs)

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.deadline.left())
        super().sendall(*args, **kwargs)


class _BoundedTLSSocket(ssl.SSLSocket):
    """The same over TLS; the deadline is its context's, for the socket is made by the ssl module."""

    def do_handshake(self, block: bool = False) -> None:
        self._bound()
        super().do_handshake(block)

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kwargs)

    def send(self, *args: Any, **kwargs: Any) -> int:  # sendall is made of it
        self._bound()
        return super().send(*args, **kwargs)

    def _bound(self) -> None:
        context = self.context
        if isinstance(context, BoundedContext):
            self.settimeout(context.deadline.left())


class BoundedContext(ssl.SSLContext):
    """A client's TLS context, verifying, for connections that are used one at a time.

    Set `deadline` before each call over one of its connections.
    """

    sslsocket_class = _BoundedTLSSocket
    deadline: Deadline

    def __new__(cls) -> "BoundedContext":
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
