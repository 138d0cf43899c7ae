"""HTTP around the stand-in: where answers are late, missing or lost."""

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from magnum.localcloud.heat_stand_in.api import Answer, Request, call_of, refusal
from magnum.localcloud.heat_stand_in.trouble import CallFault, Trouble

_IDLE_SECONDS = 300.0
_LARGEST_BODY = 16 << 20

Respond = Callable[[Request], Answer | None]
"""Answers a request; None closes the connection without an answer."""


class Server(ThreadingHTTPServer):
    """A thread for each connection, as clients keep theirs."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], respond: Respond) -> None:
        super().__init__(address, _Handler)
        self.respond = respond
        self.base = f"http://{address[0]}:{address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are nothing to tell of."""


def troubled(answer: Respond, trouble: Trouble) -> Respond:
    """The same, with the latency and the trouble that are ordered."""

    def respond(request: Request) -> Answer | None:
        if request.path == "/healthcheck":
            return answer(request)
        call = call_of(request.method, request.path)
        time.sleep(trouble.settings.latency)
        fault = trouble.for_call(call)
        given = answer(request) if fault is None else _faulty(fault, answer, request)
        outcome = str(given.status) if given and fault is None else f"{fault.kind if fault else 'cut'}"
        trouble.count(call, outcome)
        return given

    return respond


def _faulty(fault: CallFault, answer: Respond, request: Request) -> Answer | None:
    if fault.kind == "status":
        return refusal(fault.status, "This was ordered.")
    if fault.kind == "silence":
        time.sleep(fault.seconds)
    elif fault.kind == "lost_answer":
        answer(request)
    return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_BODY:
            self.close_connection = True
            return
        request = Request(
            method=self.command,
            path=parts.path,
            query=parse_qs(parts.query),
            token=self.headers.get("X-Auth-Token") or "",
            body=self.rfile.read(length),
            base=self.server.base,
        )
        answer = self.server.respond(request)
        if answer is None:
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = answer.body
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class's name
        """Calls are counted, not logged."""
