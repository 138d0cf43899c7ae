"""As much of a bay's API as is asked for when nodes and pods are listed; and one that takes calls and never answers."""

import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from magnum.common.idents import new_uuid

_HOST = "127.0.0.1"
_PODS = 20


class FakeBay:
    """Serves in threads, from the beginning of the context to its end; every bay may claim to be it.

    :param certificate: PEM of its certificate
    :param key: PEM of its key
    """

    def __init__(self, folder: Path, certificate: str, key: str) -> None:
        path = folder / "bay.pem"
        path.touch(0o600)
        path.write_text(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        self._server = _Server((_HOST, 0), _Handler)
        # The handshake is done in the connection's own thread, at its first read.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> "FakeBay":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


class SilentBay:
    """Lets everybody connect and says nothing."""

    def __init__(self) -> None:
        self._socket = socket.create_server((_HOST, 0), backlog=512)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def __enter__(self) -> "SilentBay":
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        content = _LISTS.get(self.path.partition("?")[0])
        self.send_response(200 if content else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content or b"{}")))
        self.end_headers()
        self.wfile.write(content or b"{}")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _list(kind: str, items: list[dict[str, Any]]) -> bytes:
    return json.dumps({"kind": f"{kind}List", "apiVersion": "v1", "metadata": {}, "items": items}).encode()


def _node() -> dict[str, Any]:
    return {
        "metadata": {"name": "node-0", "uid": new_uuid(), "labels": {}},
        "spec": {},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "192.0.2.11"}],
            "nodeInfo": {"kubeletVersion": "v1.20.2"},
        },
    }


def _pod(number: int) -> dict[str, Any]:
    return {
        "metadata": {"name": f"pod-{number}", "uid": new_uuid(), "labels": {"app": "web"}},
        "spec": {"containers": [{"image": "nginx"}], "nodeName": "node-0"},
        "status": {"phase": "Running"},
    }


_LISTS = {
    "/api/v1/nodes": _list("Node", [_node()]),
    "/api/v1/namespaces/default/pods": _list("Pod", [_pod(number) for number in range(_PODS)]),
}
