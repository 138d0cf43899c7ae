"""A worker process of the API: gunicorn minds the processes, waitress serves within each.

A thread of gunicorn's own workers waits for whoever sends half a request and no more, so that a few such clients, with
no token at all, stop the API. Here one event loop reads the requests of all clients, and a thread gets a request only
once it is whole. What waits costs a descriptor and a small buffer, and both are bounded: head and body of a request
must be there within `_REQUEST_SECONDS` of its first byte, however steadily they trickle in; and where too many
connections wait, the one that has waited longest makes room for the next.

A process that is told to end takes who stands in line at its socket and nobody else, answers what it has and what
comes within `_LINGER_SECONDS` on connections that had no answer yet, and ends within gunicorn's grace. To close a
connection with a request unread would be a reset for a client that did nothing wrong.
"""

import json
import logging
import os
import select
import socket
import time
from http import HTTPStatus
from typing import Any

from gunicorn.workers.base import Worker
from oslo_context.context import generate_request_id
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask, ThreadedTaskDispatcher, WSGITask

from magnum.api import errors

ACCESS_LOG = logging.getLogger("gunicorn.access")

_REQUEST_SECONDS = 30
_IDLE_SECONDS = 75
_LINGER_SECONDS = 2
_LOOK_SECONDS = 1
_MOST_CONNECTIONS = 400  # a body of some size has a file as well, and 1024 descriptors are usual
_HEAD_BYTES = 16384
# The application answers for bodies up to here itself: it counts exactly, and says so under the request's own id.
_BODY_SLACK = 65536
_BUFFER_BYTES = 65536
_REQUEST_ID = "X-Openstack-Request-Id"
_SENTENCES = {
    400: "This is not a valid HTTP request.",
    413: "The body of the request is too large. Send less.",
    431: f"The head of the request (path, query, headers) has more than {_HEAD_BYTES} bytes. Send less.",
    501: "The Transfer-Encoding of the request is not supported. Send a Content-Length, or chunks.",
}


def log_access(task: Any) -> None:
    """A line for an answer that was given: to whom, for what, and under which request id."""
    line = getattr(task.request, "first_line", b"-").decode("latin-1")
    request_id = next((value for name, value in task.response_headers if name.title() == _REQUEST_ID), "-")
    ACCESS_LOG.info(
        "%s %s %s %s %dms %s",
        task.channel.addr[0],
        json.dumps(line),  # what a client sent must not break the line
        task.status.split(" ", 1)[0],
        task.content_bytes_written,
        (time.time() - task.start_time) * 1000,
        request_id,
    )


class Request(WSGITask):
    """A request for the application."""

    def finish(self) -> None:
        super().finish()
        log_access(self)


class Refusal(ErrorTask):
    """A request that is none, or too large to be read; told in the words of the API."""

    def execute(self) -> None:
        self.channel.refused = True
        code = self.request.error.code
        request_id = generate_request_id()
        sentence = _SENTENCES.get(code, "Internal error.")
        content = errors.body(code, [sentence], request_id)
        self.status = f"{code} {HTTPStatus(code).phrase}"
        self.response_headers += [("Content-Type", "application/json"), (_REQUEST_ID, request_id)]
        self.content_length = len(content)
        self.set_close_on_finish()
        self.write(content)

    def finish(self) -> None:
        super().finish()
        log_access(self)


class Connection(HTTPChannel):
    """A client, and how long we have waited for the rest of what it sends."""

    task_class = Request
    error_task_class = Refusal

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.begun: float | None = None
        self.refused = False
        self._asked = False
        self._left: float | None = None
        super().__init__(*arguments, **named)

    def received(self, data: bytes) -> bool:
        """Take what has come; a thread is asked for as soon as that is a whole request."""
        if self._left is not None:
            return False
        if self.begun is None:
            self.begun = time.time()
        taken = bool(super().received(data))
        if self.request is None:
            self.begun = None
            self._asked = True
        return taken

    def handle_close(self) -> None:
        """Close; after a refusal at first for what we send only: to close with data unread would undo the answer."""
        if self.refused and self._left is None and self.connected:
            self._left = time.time()
            self.will_close = self.close_when_flushed = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client is gone
                super().handle_close()
            return
        super().handle_close()

    @property
    def waits(self) -> bool:
        """Whether it is the client's turn to send something."""
        return not self.requests and not self.total_outbufs_len

    @property
    def rests(self) -> bool:
        """Whether all that it asked was answered, and it asks nothing."""
        return self.waits and self._asked and self.begun is None

    def is_late(self, now: float) -> bool:
        """Whether we have waited long enough."""
        if self._left is not None:
            return now - self._left > _LINGER_SECONDS
        if self.begun is not None:
            return self.waits and now - self.begun > _REQUEST_SECONDS
        return not self.requests and now - self.last_activity > _IDLE_SECONDS


class HTTPServer(TcpWSGIServer):
    """Serves one listening socket."""

    channel_class = Connection

    def handle_accept(self) -> None:
        if len(self.active_channels) >= _MOST_CONNECTIONS:
            waiting = [channel for channel in self.active_channels.values() if channel.waits]
            if waiting:
                min(waiting, key=lambda channel: channel.begun or channel.last_activity).handle_close()
        super().handle_accept()

    def maintenance(self, now: float) -> None:
        """Called every `_LOOK_SECONDS`."""
        for channel in self.active_channels.values():
            if channel.is_late(now):
                channel.will_close = True

    def stop_accepting(self) -> None:
        """Take who stands in line, and leave others to the other processes. The trigger, which ends a wait, stays."""
        for _ in range(_MOST_CONNECTIONS):
            if not select.select([self.socket], [], [], 0)[0]:
                break
            self.handle_accept()
        self.del_channel()
        self.socket.close()

    def drain(self, now: float, begun: float) -> bool:
        """Close what is done with; whether anything is left. First and half requests have a while to become whole."""
        for channel in self.active_channels.values():
            if channel.rests or (channel.waits and now - begun > _LINGER_SECONDS):
                channel.will_close = True
        return bool(self.active_channels)


class ApiWorker(Worker):
    """Named to gunicorn as its worker class; `app.options` are the options of the API."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections: dict[int, Any] = {}
        self._servers: list[HTTPServer] = []

    def run(self) -> None:
        """Serve until told to stop."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a busy moment is no news
        threads = ThreadedTaskDispatcher()
        threads.set_thread_count(self.app.options.threads)
        self._servers = [self._server(listener.sock, threads) for listener in self.sockets]
        while self.alive and self._parent_lives():
            self._turn()
        self._drain()
        threads.shutdown(timeout=0)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM."""
        super().handle_exit(sig, frame)
        for server in self._servers:
            server.pull_trigger()

    def _turn(self, seconds: float = _LOOK_SECONDS) -> None:
        self.notify()
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._connections, count=1)

    def _drain(self) -> None:
        for server in self._servers:
            server.stop_accepting()
        self._turn(0)  # reads what has come
        begun = time.time()
        while (now := time.time()) - begun < self.cfg.graceful_timeout:
            left = [server.drain(now, begun) for server in self._servers]
            if not any(left):
                return
            self._turn()

    def _parent_lives(self) -> bool:
        return bool(self.ppid == os.getppid())

    def _server(self, listener: Any, threads: ThreadedTaskDispatcher) -> HTTPServer:
        options = self.app.options
        adjustments = Adjustments(
            sockets=[listener],
            ident="magnum",
            server_name=options.host,
            cleanup_interval=_LOOK_SECONDS,
            connection_limit=_MOST_CONNECTIONS + 100,  # never met: one goes before one comes
            max_request_header_size=_HEAD_BYTES,
            max_request_body_size=options.max_body_size + _BODY_SLACK,
            inbuf_overflow=_BUFFER_BYTES,
            asyncore_use_poll=True,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=False,  # [oslo_middleware] says whom to trust
        )
        return HTTPServer(
            self.wsgi,
            self._connections,
            _sock=listener,
            dispatcher=threads,
            adj=adjustments,
            sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
            bind_socket=False,
        )
