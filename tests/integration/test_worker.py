"""A worker of the API in this process, with bounds that are soon met."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from magnum import conf as configuration
from magnum.cmd import http, worker
from tests.integration.services import SECONDS, configure

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
NEWCOMERS = 400


def hello(_environ: Any, start: Callable[..., Any]) -> list[bytes]:
    start("200 OK", [("Content-Length", "5")])
    return [b"hello"]


def serve(folder: Path, ask: Callable[[int], list[bytes]]) -> list[bytes]:
    """Have a worker serve somebody who asks at its port, from another thread; gives the answers."""
    conf = configuration.load([f"--config-file={configure(folder)}"])
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listening, ThreadPoolExecutor(1) as pool:
        listening.setblocking(False)
        app = http.Server(conf, lambda: hello, workers=1)
        listener = SimpleNamespace(sock=listening)
        serving = worker.ApiWorker(1, os.getppid(), [listener], app, SECONDS, app.cfg, logging.getLogger())
        serving.wsgi = hello
        asking = pool.submit(ask, listening.getsockname()[1])
        asking.add_done_callback(lambda _: setattr(serving, "alive", False))
        serving.run()
        return asking.result()


def answer(clients: ExitStack, port: int) -> bytes:
    """What a new client is answered, who then stays."""
    client = clients.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))
    with suppress(ConnectionError):
        client.sendall(REQUEST)
        return client.recv(15)
    return b"reset"


def test_who_comes_while_others_are_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_IDLE_SECONDS", 0.1)
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.01)

    def ask(port: int) -> list[bytes]:
        with ExitStack() as clients:
            return [answer(clients, port) for _ in range(NEWCOMERS)]

    assert serve(tmp_path, ask) == [b"HTTP/1.1 200 OK"] * NEWCOMERS


def test_who_comes_while_others_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_MOST_CONNECTIONS", 20)

    def ask(port: int) -> list[bytes]:
        with ExitStack() as clients, trickling(port):
            return [answer(clients, port) for _ in range(NEWCOMERS)]

    assert serve(tmp_path, ask) == [b"HTTP/1.1 200 OK"] * NEWCOMERS


@contextmanager
def trickling(port: int) -> Iterator[None]:
    """As many as there is room for send their requests byte for byte, and come again when they have gone."""
    over = threading.Event()

    def trickle() -> None:
        while not over.is_set():
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), SECONDS) as client:
                client.sendall(b"GET /")
                while not over.is_set():
                    client.sendall(b"a")
                    time.sleep(0.001)

    threads = [threading.Thread(target=trickle) for _ in range(20)]
    for each in threads:
        each.start()
    try:
        yield
    finally:
        over.set()
        for each in threads:
            each.join(SECONDS)
