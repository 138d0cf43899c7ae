"""Errors as the clients of every generation read them.

The first clients want ``error_message``, a *string* that holds JSON; the later ones ``errors``, a list that must never
be empty. Every answer from 400 up carries both, whatever layer it comes from: `ErrorBodies` stands in front of all.
"""

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from oslo_db import exception as db_exc

from magnum.common.exception import Invalid, MagnumError
from magnum.db.session import PASSING, first_line, trouble

LOG = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
Headers = list[tuple[str, str]]

_REQUEST_ID = "openstack.request_id"
_REPLACED = {"content-type", "content-length"}


class MethodNotAllowed(MagnumError):
    """There is such a path, but not for this method."""

    code = 405

    def __init__(self, message: str, allowed: Iterable[str]) -> None:
        super().__init__(message)
        self.allowed = sorted(allowed)


class TooLarge(MagnumError):
    """The body is larger than this API reads."""

    code = 413


class NotAcceptable(MagnumError):
    """The request asks for an answer in a form that is not here.

    :param members: what the error tells clients beyond its sentence
    """

    code = 406

    def __init__(self, message: str, members: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.members = members


class Unauthorized(MagnumError):
    """The request does not say who makes it, or not in a way that is good here."""

    code = 401


def body(code: int, problems: Sequence[str], request_id: str, members: Mapping[str, Any] | None = None) -> bytes:
    """The JSON of an error, in both forms.

    :param members: further members of each of ``errors``, or other values for them
    """
    party = "client" if code < 500 else "server"
    fault = {"debuginfo": None, "faultcode": party.capitalize(), "faultstring": " ".join(problems)}
    errors = [
        {
            "request_id": request_id,
            "code": party,
            "status": code,
            "title": problem.split(". ")[0].removesuffix("."),
            "detail": problem,
            "links": [],
            **(members or {}),
        }
        for problem in problems
    ]
    return json.dumps({"errors": errors, "error_message": json.dumps(fault)}).encode()


class ErrorBodies:
    """WSGI middleware that gives every error below it its body, and turns exceptions into errors."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    @classmethod
    def factory(cls, _global_conf: dict[str, str], **_local_conf: str) -> Callable[[WSGIApplication], "ErrorBodies"]:
        """For paste.deploy."""
        return cls

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = _Answer()
        try:
            chunks = self._application(environ, answer.start)
        except Exception as error:  # noqa: BLE001 - the last place where one can become an answer
            return send_error(environ, start_response, error)
        if answer.code < 400:
            start_response(answer.status, answer.headers, answer.exc_info)
            return chunks
        text = b"".join(chunks).decode(errors="replace")
        _close(chunks)
        kept = [(name, value) for name, value in answer.headers if name.lower() not in _REPLACED]
        return _send(environ, start_response, _Told(answer.code, [_sentence(answer, text)], kept))


class _Answer:
    """What an application says before its body."""

    status = "500 Internal Server Error"
    exc_info: Any = None

    def __init__(self) -> None:
        self.headers: Headers = []

    @property
    def code(self) -> int:
        return int(self.status.split(" ", 1)[0])

    def start(self, status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        self.status, self.headers, self.exc_info = status, headers, exc_info
        return _no_write


def _no_write(_data: bytes) -> None:
    raise NotImplementedError("write() of WSGI is not used here")


@dataclass
class _Told:
    """An error as it is told."""

    code: int
    problems: Sequence[str]
    headers: Headers = field(default_factory=list)
    members: Mapping[str, Any] = field(default_factory=dict)


def send_error(environ: dict[str, Any], start_response: StartResponse, error: Exception) -> Iterable[bytes]:
    """Answer a request with an error, as a WSGI application does."""
    return _send(environ, start_response, _explain(error, environ))


def _explain(error: Exception, environ: dict[str, Any]) -> _Told:
    if isinstance(error, MethodNotAllowed):
        return _Told(error.code, [error.message], [("Allow", ", ".join(error.allowed))])
    if isinstance(error, Unauthorized):
        return _Told(error.code, [error.message], [("WWW-Authenticate", "Keystone")])
    if isinstance(error, Invalid):
        return _Told(error.code, error.problems or [error.message])
    if isinstance(error, NotAcceptable):
        return _Told(error.code, [error.message], members=error.members)
    if isinstance(error, MagnumError):
        return _Told(error.code if 400 <= error.code < 600 else 502, [error.message])
    if isinstance(error, db_exc.DBDeadlock):
        return _Told(503, ["Another request changed the same at the same time. Try again."], [("Retry-After", "1")])
    if isinstance(error, PASSING):
        LOG.error("%s: %s", trouble(error), first_line(error))
        return _Told(503, [f"{trouble(error)}. Try again later."], [("Retry-After", "5")])
    request_id = environ.get(_REQUEST_ID, "")
    LOG.error(
        "Unexpected error of %s %s (%s)",
        environ.get("REQUEST_METHOD"),
        environ.get("PATH_INFO"),
        request_id,
        exc_info=error,
    )
    return _Told(500, [f"Internal error. The operator finds its cause under the request id {request_id}."])


def _sentence(answer: _Answer, text: str) -> str:
    """What a layer that is not ours said in its own form."""
    if answer.code == 401:
        return "The request you have made requires authentication: give a valid token in X-Auth-Token."
    if answer.code == 503:
        return "A service that is needed for this cannot be reached now. Try again later."
    if answer.code < 500 and text.strip() and not text.lstrip().startswith(("<", "{")):
        return " ".join(text.split())[:500]
    return f"{HTTPStatus(answer.code).phrase}." if answer.code in set(HTTPStatus) else answer.status


def _send(environ: dict[str, Any], start_response: StartResponse, told: _Told) -> Iterable[bytes]:
    content = body(told.code, told.problems, environ.get(_REQUEST_ID, ""), told.members)
    start_response(
        f"{told.code} {HTTPStatus(told.code).phrase if told.code in set(HTTPStatus) else 'Error'}",
        [*told.headers, ("Content-Type", "application/json"), ("Content-Length", str(len(content)))],
    )
    return [] if environ.get("REQUEST_METHOD") == "HEAD" else [content]


def _close(chunks: Iterable[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()
