"""A worker process of the API: gunicorn minds the processes, waitress serves within each.

A thread of gunicorn's own workers waits for whoever sends half a request and no more, so that a few such clients, with
no token at all, stop the API. Here one event loop reads the requests of all clients, and a thread gets a request only
once it is whole. What waits costs a descriptor and a small buffer, and both are bounded: head and body of a request
must be there within `_REQUEST_SECONDS` of its first byte, however steadily they trickle in; who takes nothing of an
answer is left; and where too many connections wait, the one that has waited longest makes room for the next.

A process that is told to end takes who stands in line at its socket and nobody else. It reads and answers what they
and all others have asked; who says or takes nothing for a while is left. It ends some seconds before gunicorn's grace
does, for what else is in the process. To close a connection with something unread is a reset, which may undo an answer
that is on its way: so after the last answer each side says that it has done.
"""

import json
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Iterable
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
_STALL_SECONDS = 5
_LAST_SECONDS = 6  # of the grace, for what else has to end in this process
_LOOK_SECONDS = 1
_NEW_SECONDS = 0.1
_MOST_CONNECTIONS = 400  # a body of some size has a file as well, and 1024 descriptors are usual
_CONNECTION_LIMIT = _MOST_CONNECTIONS + 100
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

    def build_response_header(self) -> bytes:
        """With the news, where it is so, that this is the last answer to this client.

        Who sends many requests at once could hold a thread by taking none of the answers, so they get the first.
        """
        if self.channel.server.ending or len(self.channel.requests) > 1:
            self.set_close_on_finish()
        head = bytes(super().build_response_header())
        self.channel.lingers = self.close_on_finish
        return head

    def finish(self) -> None:
        super().finish()
        log_access(self)


class Refusal(ErrorTask):
    """A request that is none, or too large to be read; told in the words of the API."""

    def execute(self) -> None:
        self.channel.lingers = True
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
        self.lingers = False
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
        return taken

    def handle_close(self) -> None:
        """Close; after a last answer at first for what we send only: to close with data unread would undo it."""
        if threading.get_ident() != self.server.thread:  # waitress lets a thread that cannot send close: the loop may
            self.will_close = True  # be going through all connections
            return
        if self.lingers and self._left is None and self.connected:
            self._left = time.time()
            self.will_close = self.close_when_flushed = False
            try:
                self.socket.shutdown(socket.SHUT_WR)
            except OSError:  # the client is gone
                super().handle_close()
            return
        super().handle_close()

    def is_late(self, now: float) -> bool:
        """Whether we have waited long enough for the client to send, or to take, something."""
        if self._left is not None:
            return now - self._left > _LINGER_SECONDS
        if self.requests:
            return False
        if self.begun is not None and not self.total_outbufs_len:
            return now - self.begun > _REQUEST_SECONDS
        return bool(now - self.last_activity > _IDLE_SECONDS)

    def is_done(self, now: float, told: float) -> bool:
        """Whether a process that was told to end has done with it."""
        if self.is_late(now):
            return True
        if self.requests or self._left is not None:
            return False
        silent: float = now - max(told, self.last_activity)
        # Who has had an answer may ask the next thing, and shall hear then that there are no more.
        return silent > (_STALL_SECONDS if self.total_outbufs_len else _LINGER_SECONDS)

    @property
    def waits_since(self) -> float:
        """When we began to wait for the client; for what it asks, however steadily that trickles in."""
        return float(self.begun or self.last_activity)

    def may_go(self, now: float) -> bool:
        """Whether it may make room; what somebody has asked who has just come is not read yet."""
        return not self.requests and now - self.waits_since > _NEW_SECONDS


class HTTPServer(TcpWSGIServer):
    """Serves one listening socket."""

    channel_class = Connection

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.ending = False
        self._looked = 0.0
        self.thread = threading.get_ident()
        super().__init__(*arguments, **named)

    def tidy(self, now: float) -> None:
        """Close whom we wait for no longer, and who makes room; to be called after each pass of the loop.

        Within a pass a descriptor that is closed may come back as that of a new client, who would get the events of
        the one before. At once, as waitress' `will_close` waits until the client takes something.
        """
        channels = list(self.active_channels.values())
        if now - self._looked > _LOOK_SECONDS:
            self._looked = now
            self._close(channel for channel in channels if channel.is_late(now))
        spare = 0 if self.ending else max(0, len(self.active_channels) - _MOST_CONNECTIONS)
        waiting = [channel for channel in channels if spare and channel.connected and channel.may_go(now)]
        self._close(sorted(waiting, key=lambda channel: channel.waits_since)[:spare])

    def stop_accepting(self) -> None:
        """Take who stands in line, and leave others to the other processes. The trigger, which ends a wait, stays."""
        self.ending = True
        for _ in range(_CONNECTION_LIMIT - len(self.active_channels)):
            if not select.select([self.socket], [], [], 0)[0]:
                break
            self.handle_accept()
        self.del_channel()
        self.socket.close()

    def drain(self, now: float, told: float) -> bool:
        """Close what is done with; whether anything is left."""
        self._close(channel for channel in list(self.active_channels.values()) if channel.is_done(now, told))
        return bool(self.active_channels)

    @staticmethod
    def _close(channels: Iterable[Connection]) -> None:
        for channel in channels:
            channel.handle_close()


class ApiWorker(Worker):
    """Named to gunicorn as its worker class; `app.options` are the options of the API."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._connections: dict[int, Any] = {}
        self._servers: list[HTTPServer] = []
        self._told = 0.0

    def run(self) -> None:
        """Serve until told to stop."""
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a busy moment is no news
        threads = ThreadedTaskDispatcher()
        threads.set_thread_count(self.app.options.threads)
        self._servers = [self._server(listener.sock, threads) for listener in self.sockets]
        while self.alive and self._parent_lives():
            self._turn()
        self._drain()
        threads.set_thread_count(0)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """On SIGTERM."""
        self._told = self._told or time.time()
        super().handle_exit(sig, frame)
        for server in self._servers:
            server.pull_trigger()

    def _turn(self, seconds: float = _LOOK_SECONDS) -> None:
        self.notify()
        wasyncore.loop(timeout=seconds, use_poll=True, map=self._connections, count=1)
        for server in self._servers:
            server.tidy(time.time())

    def _drain(self) -> None:
        told = self._told or time.time()
        end = told + self.cfg.graceful_timeout - _LAST_SECONDS
        self.app.on_term()
        self._turn(0)  # makes room by reading what has come
        for server in self._servers:
            server.stop_accepting()
        while (now := time.time()) < end:
            left = [server.drain(now, told) for server in self._servers]
            if not any(left):
                return
            self._turn(min(_LOOK_SECONDS, end - now))

    def _parent_lives(self) -> bool:
        return bool(self.ppid == os.getppid())

    def _server(self, listener: Any, threads: ThreadedTaskDispatcher) -> HTTPServer:
        options = self.app.options
        adjustments = Adjustments(
            sockets=[listener],
            ident="magnum",
            server_name=options.host,
            connection_limit=_CONNECTION_LIMIT,  # met where too many have asked to make room for more
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
