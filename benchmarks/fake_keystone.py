"""As much of Keystone as gives and checks tokens, on loopback: a token is good for the project of the same name."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# As many as a small cloud has, but none that Magnum asks whether an image or a flavor exists.
_SERVICES = {
    "identity": "keystone",
    "orchestration": "heat",
    "container-infra": "magnum",
    "block-storage": "cinder",
    "dns": "designate",
    "object-store": "swift",
}
_INTERFACES = ("public", "internal", "admin")
_REGION = "RegionOne"
SERVICE = "service"
"""The project of Magnum's own user, who is an administrator."""


class FakeKeystone:
    """Serves in a thread, from the beginning of the context to its end.

    :param heat: where the catalog says that Heat is; nowhere by default
    """

    def __init__(self, heat: str = "") -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.heat = heat
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v3"

    def __enter__(self) -> "FakeKeystone":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    heat = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        if self.path.rstrip("/") == "/v3":
            self._answer(200, {"version": {"id": "v3.14", "status": "stable", "links": [self._link("self")]}})
        else:
            self._answer(200, self._token(self.headers.get("X-Subject-Token", "")))

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
        project = asked.get("auth", {}).get("scope", {}).get("project", {}).get("id") or SERVICE
        self._answer(201, self._token(project), {"X-Subject-Token": project})

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    @property
    def _url(self) -> str:
        return f"http://{self.headers['Host']}/v3"

    def _token(self, project: str) -> dict[str, Any]:
        heat = f"{self.server.heat}/v1/{project}" if self.server.heat else self._url
        return _token(self._url, heat, project)

    def _link(self, relation: str) -> dict[str, str]:
        return {"rel": relation, "href": self._url}

    def _answer(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _token(url: str, heat: str, project: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    domain = {"id": "default", "name": "Default"}
    return {
        "token": {
            "methods": ["password"],
            "audit_ids": ["3T2dc1CGQxyJsHdDu1xkcw"],
            "issued_at": now.isoformat(),
            "expires_at": (now + timedelta(hours=1)).isoformat(),
            "user": {"id": "user", "name": "user", "domain": domain, "password_expires_at": None},
            "project": {"id": project, "name": project, "domain": domain},
            "is_domain": False,
            "roles": [{"id": name, "name": name} for name in _roles(project)],
            "catalog": [_entry(kind, name, heat if name == "heat" else url) for kind, name in _SERVICES.items()],
        }
    }


def _roles(project: str) -> tuple[str, ...]:
    return ("member", "reader", "admin") if project == SERVICE else ("member", "reader")


def _entry(kind: str, name: str, url: str) -> dict[str, Any]:
    endpoint = {"url": url, "region": _REGION, "region_id": _REGION}
    return {
        "id": f"{kind}-id",
        "type": kind,
        "name": name,
        "endpoints": [
            {**endpoint, "id": f"{kind}-{word}", "interface": word} for word in ("public", "internal", "admin")
        ],
    }
