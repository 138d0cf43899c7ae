"""The middleware that gives every error its body."""

import json
from collections.abc import Iterable
from typing import Any

import pytest

from magnum.api.errors import ErrorBodies
from magnum.common.exception import Conflict, Invalid, MagnumError, RemoteRefusal


def call(application: Any, method: str = "GET") -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/x", "openstack.request_id": "req-1"}
    chunks = ErrorBodies(application)(environ, lambda *args: started.extend(args))
    return started[0], dict(started[1]), b"".join(chunks)


def answering(status: str, body: bytes = b"", *headers: tuple[str, str]) -> Any:
    def _application(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response(status, list(headers))
        return [body]

    return _application


def failing(error: Exception) -> Any:
    def _application(_environ: dict[str, Any], _start_response: Any) -> Iterable[bytes]:
        raise error

    return _application


def test_success_passes_as_it_is() -> None:
    assert call(answering("200 OK", b"x", ("A", "b"))) == ("200 OK", {"A": "b"}, b"x")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "Not Found."),
        (b"<html>nginx</html>", "Not Found."),
        (b'{"error": 1}', "Not Found."),
        (b"There is  no\nsuch thing.", "There is no such thing."),
        (b"\xff", "\ufffd"),
    ],
)
def test_other_layers_errors_get_both_bodies(body: bytes, said: str) -> None:
    status, headers, content = call(answering("404 Not Found", body, ("Content-Length", "999"), ("X-Kept", "yes")))
    assert status == "404 Not Found"
    assert headers == {"X-Kept": "yes", "Content-Type": "application/json", "Content-Length": str(len(content))}
    answer = json.loads(content)
    assert answer["errors"] == [
        {
            "request_id": "req-1",
            "code": "client",
            "status": 404,
            "title": said.removesuffix("."),
            "detail": said,
            "links": [],
        }
    ]
    assert json.loads(answer["error_message"])["faultstring"] == said


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Conflict("a"), 409),
        (MagnumError("a"), 500),
        (RemoteRefusal(422, "a"), 422),
        (RemoteRefusal(302, "a"), 502),
        (RuntimeError("a"), 500),
    ],
)
def test_exceptions_become_errors(error: Exception, code: int) -> None:
    assert int(call(failing(error))[0].split()[0]) == code


def test_each_problem_is_an_error_of_its_own_and_a_dot_in_a_name_ends_no_title() -> None:
    answer = json.loads(call(failing(Invalid(["Bay web.1 is gone. Make a new one.", "b is wrong."])))[2])
    assert [error["title"] for error in answer["errors"]] == ["Bay web.1 is gone", "b is wrong"]
    fault = json.loads(answer["error_message"])
    assert fault["faultstring"] == "Bay web.1 is gone. Make a new one. b is wrong."


def test_no_problem_named_is_still_an_error() -> None:
    assert json.loads(call(failing(Invalid([])))[2])["errors"]


def test_strange_status_codes() -> None:
    assert call(answering("499 Gone Away"))[0].startswith("499 ")
    assert json.loads(call(answering("503 Service Unavailable", b"internal"))[2])["errors"][0]["code"] == "server"


def test_head_has_no_body() -> None:
    assert call(answering("404 Not Found"), "HEAD")[2] == b""
