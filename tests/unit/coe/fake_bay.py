"""A bay's API server without a socket: it answers in the place of urllib3's connections."""

import io
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import urllib3

from magnum.coe.kubernetes_api import Access
from tests.pki import Authority

ADDRESS = "https://192.0.2.1:6443"
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Request:
    """What arrived."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str | None = None

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"


class FakeBay:
    """Answers from a table of ``METHOD path``; an answer may be a function of the request, or an error to raise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, Any] = {}
        monkeypatch.setattr(urllib3.PoolManager, "request", self._request)

    def lines(self, *, writes_only: bool = False) -> list[str]:
        return [request.line for request in self.requests if not writes_only or request.method != "GET"]

    def _request(self, method: str, url: str, **given: Any) -> urllib3.HTTPResponse:
        assert url.startswith(ADDRESS)
        parts = urlsplit(url)
        body = given.get("body")
        headers = given.get("headers") or {}
        request = Request(
            method,
            parts.path,
            dict(parse_qsl(parts.query)),
            json.loads(body) if body else None,
            headers.get("Content-Type"),
        )
        self.requests.append(request)
        answer = self.answers.get(request.line, refusal(404, "the server could not find the requested resource"))
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        status, content = answer
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        return urllib3.HTTPResponse(io.BytesIO(raw), status=status, preload_content=False)


def uid(name: str) -> str:
    """The uid of an object of a test."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def refusal(code: int, message: str) -> Answer:
    """Kubernetes' way of saying no."""
    return code, {"kind": "Status", "status": "Failure", "message": message, "code": code}


def in_turn(*answers: Any) -> Callable[[Request], Any]:
    """One answer after the other; the last one stays."""
    left = list(answers)

    def answer(request: Request) -> Any:
        following = left.pop(0) if len(left) > 1 else left[0]
        return following(request) if callable(following) else following

    return answer


def access(address: str = ADDRESS) -> Access:
    """What it takes to speak to the bay."""
    authority = Authority.make()
    certificate, key = authority.issue("admin", "system:masters")
    return Access(address, authority.pem, certificate, key)
