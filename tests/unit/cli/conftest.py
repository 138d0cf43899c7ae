"""A cloud at the boundary of the requests library: Keystone and Magnum as one WSGI application, no sockets."""

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests
from requests.adapters import BaseAdapter
from webob import Request, Response

from magnum.cli import wait
from magnum.cli.shell import Magnum, run

Answer = tuple[int, Any]
Handler = Callable[["Seen"], Answer]

KEYSTONE = "http://keystone.test:5000/v3"
MAGNUM = "http://magnum.test:9511/v1"


@dataclass(frozen=True)
class Seen:
    """A request the stub Magnum got."""

    method: str
    path: str
    params: dict[str, str]
    body: Any
    headers: dict[str, str]


@dataclass
class StubCloud:
    """Answers what `magnum` asks. Handlers are found by `METHOD /path`."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    logins: list[Any] = field(default_factory=list)
    catalog_type: str = "container-infra"
    catalog_url: str = MAGNUM
    away: bool = False
    slow: bool = False
    refused: int | None = None
    """How Keystone refuses a login, where it does."""

    def on(self, route: str, status: int, body: Any = None) -> None:
        """Answer a route always the same."""
        self.handlers[route] = lambda _: (status, body)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        answer = self._keystone(request) if request.host.startswith("keystone") else self._magnum(request)
        return answer(environ, start_response)

    def _keystone(self, request: Request) -> Response:
        auth = request.json["auth"]
        self.logins.append(auth)
        if auth["identity"].get("password", {}).get("user", {}).get("password") == "wrong":
            return Response(status=401, json={"error": {"code": 401, "message": "no", "title": "Unauthorized"}})
        if self.refused is not None:
            return Response(status=self.refused, json={"error": {"code": self.refused, "message": "no", "title": "No"}})
        endpoint = {"interface": "public", "region": "RegionOne", "region_id": "RegionOne", "url": self.catalog_url}
        token = {
            "methods": ["password"],
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2020-01-01T00:00:00.000000Z",
            "user": {"id": "u", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "project": {"id": "p", "name": "demo", "domain": {"id": "default", "name": "Default"}},
            "roles": [],
            "catalog": [{"type": self.catalog_type, "name": "magnum", "id": "m", "endpoints": [endpoint]}],
        }
        return Response(status=201, json={"token": token}, headers={"X-Subject-Token": "the-token"})

    def _magnum(self, request: Request) -> Response:
        body = request.json if request.body else None
        seen = Seen(
            request.method, request.path_info, dict(parse_qsl(request.query_string)), body, dict(request.headers)
        )
        self.seen.append(seen)
        handler = self.handlers.get(f"{seen.method} {seen.path}")
        status, answer = handler(seen) if handler else (404, refusal(f"{seen.method} {seen.path} is not stubbed"))
        if isinstance(answer, str):
            return Response(status=status, text=answer, content_type="text/plain", charset="utf-8")
        return Response(status=status, json=answer) if answer is not None else Response(status=status)


class _WsgiAdapter(BaseAdapter):
    """Carries requests to a WSGI application instead of a socket."""

    def __init__(self, cloud: StubCloud) -> None:
        super().__init__()
        self._cloud = cloud

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if self._cloud.away and "magnum" in str(request.url):
            raise requests.exceptions.ConnectionError("Connection refused")
        if self._cloud.slow and "magnum" in str(request.url):
            raise requests.exceptions.ReadTimeout
        asked = Request.blank(str(request.url), method=request.method, headers=dict(request.headers))
        if request.body:
            asked.body = request.body if isinstance(request.body, bytes) else str(request.body).encode()
        got = asked.get_response(self._cloud)
        response = requests.Response()
        response.status_code, response.url, response.request = got.status_code, str(request.url), request
        response.reason = got.status.partition(" ")[2]
        response.headers.update(got.headers)
        response.raw = io.BytesIO(got.body)
        return response

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, read as JSON."""
        return json.loads(self.out)


@pytest.fixture
def cloud() -> StubCloud:
    return StubCloud()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("OS_", "CLIFF_"))]:
        monkeypatch.delenv(name)
    settings = {"AUTH_URL": KEYSTONE, "USERNAME": "demo", "PASSWORD": "secret", "PROJECT_NAME": "demo"}
    for name, value in settings.items():
        monkeypatch.setenv(f"OS_{name}", value)
    monkeypatch.setattr(wait, "POLL_SECONDS", 0.0)


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers, root.level = handlers, level


@pytest.fixture
def magnum(cloud: StubCloud, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs `magnum` with the given words against the stub cloud."""

    def _run(*argv: str) -> Ran:
        http = requests.Session()
        http.mount("http://", _WsgiAdapter(cloud))
        try:
            code = run(Magnum(http), argv)
        except SystemExit as left:
            code = int(left.code or 0)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return _run


def refusal(detail: str) -> Any:
    """The body of an error, in both forms."""
    fault = {"debuginfo": None, "faultcode": "Client", "faultstring": detail}
    error = {"status": 400, "code": "client", "title": detail.split(".")[0], "detail": detail, "links": []}
    return {"errors": [error], "error_message": json.dumps(fault)}
