"""Clients of an HTTP server: each waits for its answer before it asks again, all in one thread.

The loop does as little as it can, so that it is the server that is measured: requests are bytes that are made before,
of an answer the status and the length are read, and connections stay open.
"""

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

_ANSWER_SECONDS = 30.0
_PIECE = 1 << 18


class BadAnswer(Exception):
    """The server refused or broke off, so the figures would say nothing."""


@dataclass
class Result:
    """What some clients saw. Of several runs after another, `add` makes one."""

    seconds: float = 0.0
    client_seconds: float = 0.0
    """Processor time of the clients themselves."""
    latencies: list[float] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        self.seconds += other.seconds
        self.client_seconds += other.client_seconds
        self.latencies.extend(other.latencies)

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, part: float) -> float:
        """Seconds within which this part of the requests was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def drive(address: tuple[str, int], requests: Iterator[bytes], clients: int, most: int, seconds: float) -> Result:
    """Send at most so many requests, for at most so many seconds, and wait for the answers to all that were sent.

    :param requests: gives the next request, head and body; endless
    :raises BadAnswer: an answer was no 2xx
    """
    result = Result()
    with selectors.DefaultSelector() as selector:
        connections = [_Connection(address) for _ in range(clients)]
        try:
            for connection in connections:
                selector.register(connection.socket, selectors.EVENT_READ, connection)
            _run(selector, connections, requests, most, seconds, result)
        finally:
            for connection in connections:
                connection.socket.close()
    return result


class _Connection:
    """One client."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_ANSWER_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._begun = 0.0
        self._received = bytearray()
        self._expected = 0

    def ask(self, request: bytes) -> None:
        self._received.clear()
        self._expected = 0
        self._begun = time.perf_counter()
        self.socket.sendall(request)

    def take(self) -> float | None:
        """Take what has come; the latency where that is all."""
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise BadAnswer("The server closed the connection.")
        self._received += piece
        if not self._expected:
            self._expected = _length(self._received)
        if not self._expected or len(self._received) < self._expected:
            return None
        latency = time.perf_counter() - self._begun
        if not self._received.startswith(b"HTTP/1.1 2"):
            raise BadAnswer(self._received.decode(errors="replace")[:2000])
        return latency


def _run(
    selector: selectors.BaseSelector,
    connections: list[_Connection],
    requests: Iterator[bytes],
    most: int,
    seconds: float,
    result: Result,
) -> None:
    begun, processor = time.perf_counter(), time.process_time()
    sent = waiting = 0
    for connection in connections[:most]:
        connection.ask(next(requests))
        sent, waiting = sent + 1, waiting + 1
    while waiting:
        ready = selector.select(_ANSWER_SECONDS)
        if not ready:
            raise BadAnswer(f"The server gave no answer within {_ANSWER_SECONDS:.0f} s.")
        for key, _ in ready:
            latency = key.data.take()
            if latency is None:
                continue
            result.latencies.append(latency)
            if sent < most and time.perf_counter() - begun < seconds:
                key.data.ask(next(requests))
                sent += 1
            else:
                waiting -= 1
    result.seconds = time.perf_counter() - begun
    result.client_seconds = time.process_time() - processor


def _length(received: bytearray) -> int:
    """Bytes of head and body together; 0 while the head is not whole."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    head = bytes(received[:end]).lower()
    mark = head.find(b"content-length:")
    if mark < 0:
        raise BadAnswer("The answer does not say its length.")
    return end + 4 + int(head[mark + 15 :].split(b"\r\n", 1)[0])
