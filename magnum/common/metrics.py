"""Figures that Prometheus fetches: how often things were done, how long they took, and what came of them.

Nothing is kept until `start` is called; then what stands here is the whole list of what is counted. Labels are words of
ours alone, never what a tenant has sent: each new value is a new series for ever.

The workers of an API are processes of their own. They keep their figures in files of one folder, and whichever of them
Prometheus happens to reach answers for all: so figures survive a worker, and one port is enough.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

_CLIENT_SECONDS = 10
_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
_LONG_BUCKETS = (1.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0)


@dataclass(frozen=True)
class Duration:
    """How long something took; its ``_count`` says how often it was done."""

    name: str
    text: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = _BUCKETS


@dataclass(frozen=True)
class Count:
    """How often something happened."""

    name: str
    text: str
    labels: tuple[str, ...] = ()


REQUESTS = Duration(
    "magnum_api_request_seconds", "Answers of the API, by route as it is written there.", ("route", "method", "status")
)
RPC_CALLS = Duration(
    "magnum_rpc_call_seconds", "Calls of the API to conductors; result: ok, refused, unavailable.", ("method", "result")
)
HEAT_CALLS = Duration(
    "magnum_heat_call_seconds", "Calls to Heat; result: ok, refused, unavailable.", ("call", "result")
)
SWEEPS = Duration("magnum_sweep_seconds", "Looks for operations that are due, and the claiming of them.")
POLLS = Duration("magnum_stack_poll_seconds", "Looks at all stacks that are waited for.")
OPERATIONS = Duration(
    "magnum_operation_seconds",
    "Operations that ended, from their acceptance on; outcome: done, failed.",
    ("verb", "outcome"),
    _LONG_BUCKETS,
)
RETRIES = Count("magnum_step_retries_total", "Steps that are tried again after trouble that may pass.", ("verb",))
LEASES_LOST = Count(
    "magnum_leases_lost_total", "Writes that were refused as the operation had another owner.", ("verb",)
)
DATABASE_ERRORS = Count("magnum_database_errors_total", "Errors of the database, by kind.", ("kind",))

_ALL: tuple[Duration | Count, ...] = (
    REQUESTS, RPC_CALLS, HEAT_CALLS, SWEEPS, POLLS, OPERATIONS, RETRIES, LEASES_LOST, DATABASE_ERRORS,
)  # fmt: skip
_kept: dict[str, Any] = {}
_collectors: list[Any] = []


def start(folder: Path | None = None) -> None:
    """Keep figures from now on.

    :param folder: an empty one that the processes of a service share; left out where there is but one process
    """
    if folder is not None:
        # Read when the library is imported, and so imported nowhere else before.
        if "prometheus_client" in sys.modules:
            raise RuntimeError("prometheus_client was imported before the folder of its figures was known")
        os.environ[_FOLDER_VARIABLE] = str(folder)
    import prometheus_client

    for figure in _ALL:
        if isinstance(figure, Duration):
            made: Any = prometheus_client.Histogram(figure.name, figure.text, figure.labels, buckets=figure.buckets)
        else:
            made = prometheus_client.Counter(figure.name, figure.text, figure.labels)
        _kept[figure.name] = made


def started() -> bool:
    """Whether figures are kept."""
    return bool(_kept)


def collect(collector: Any) -> None:
    """Have a collector of prometheus_client asked as well at each fetch."""
    _collectors.append(collector)


def observe(duration: Duration, seconds: float, **labels: str) -> None:
    """Something took so long."""
    kept = _kept.get(duration.name)
    if kept is not None:
        (kept.labels(**labels) if labels else kept).observe(seconds)


def count(what: Count, **labels: str) -> None:
    """Something happened."""
    kept = _kept.get(what.name)
    if kept is not None:
        kept.labels(**labels).inc()


@contextmanager
def timed(duration: Duration, **labels: str) -> Iterator[dict[str, str]]:
    """What is done within it is observed; gives the labels, which may be changed until the end."""
    begun = time.monotonic()
    try:
        yield labels
    finally:
        observe(duration, time.monotonic() - begun, **labels)


class _Quiet(WSGIRequestHandler):
    """A scrape is no news, and who sends half a request is left alone."""

    timeout = _CLIENT_SECONDS

    def log_message(self, *_arguments: Any) -> None:
        return


class _Listener(ThreadingMixIn, WSGIServer):
    daemon_threads = True


def listen(host: str, port: int) -> socket.socket:
    """The socket on which figures will be fetched; made before a service forks its workers.

    :raises OSError: somebody else has that port
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    listening.setblocking(False)  # of several processes that are woken for a client, one gets it
    return listening


def serve(listening: socket.socket) -> None:
    """Answer Prometheus in a thread of this process."""
    import prometheus_client
    from prometheus_client import multiprocess

    registry = prometheus_client.REGISTRY
    if _FOLDER_VARIABLE in os.environ:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    for collector in _collectors:
        registry.register(collector)
    address = listening.getsockname()[:2]
    server = _Listener(address, _Quiet, bind_and_activate=False)
    server.socket = listening
    server.server_name, server.server_port = address
    server.setup_environ()
    server.set_app(prometheus_client.make_wsgi_app(registry))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
