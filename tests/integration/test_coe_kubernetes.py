"""A bay's API over the wire: a real API server, and servers that mean ill."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.kubernetes_api import Access
from magnum.coe.manifest_url import fetch_manifest
from magnum.common.exception import BayUnreachable, Invalid, NotFound, RemoteRefusal
from magnum.localcloud import kubernetes_build
from tests.integration.apiserver import api_server, with_client
from tests.pki import Authority

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "web", "image": "nginx"}]},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80}]},
}
RC: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ReplicationController",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"app": "web"},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "nginx"}]},
        },
    },
}

# Of servers that mean ill: a call with a deadline of a second ends soon, and one without it would take as long.
_SOON = 10
_LONG = 30


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    binary = kubernetes_build.folder() / "kube-apiserver"
    assert binary.exists(), "`magnum-local up` makes it"
    with api_server(binary, tmp_path_factory.mktemp("apiserver")) as administrator:
        yield administrator


@pytest.fixture
def bay(access: Access) -> Iterator[KubernetesBay]:
    with KubernetesBay(access, timeout=5) as connection:
        yield connection


def test_the_api_server_itself(bay: KubernetesBay) -> None:
    assert bay.healthy()
    assert bay.version().startswith("v1.")


def test_a_pod_lives_and_dies(bay: KubernetesBay) -> None:
    created = bay.create("pod", POD)
    assert (created.status, created.images, created.labels) == ("Pending", ["nginx"], {"app": "web"})
    assert created.uid in {pod.uid for pod in bay.list("pod")}
    with pytest.raises(RemoteRefusal, match="already exists") as refused:
        bay.create("pod", POD)
    assert refused.value.code == 409

    changed = {**POD, "metadata": {"name": "web", "labels": {"tier": "front"}}}
    changed["spec"] = {**POD["spec"], "containers": [{"name": "web", "image": "nginx:2"}]}
    replaced = bay.replace("pod", "web", changed)
    assert (replaced.uid, replaced.images, replaced.labels) == (created.uid, ["nginx:2"], {"tier": "front"})
    changed["spec"] = {**changed["spec"], "hostNetwork": True}
    with pytest.raises(RemoteRefusal, match="pod updates may not change fields") as refused:
        bay.replace("pod", "web", changed)
    assert refused.value.code == 422

    bay.delete("pod", "web")
    bay.delete("pod", "web")
    with pytest.raises(NotFound):
        bay.get("pod", "web")


def test_a_service_keeps_its_address(bay: KubernetesBay) -> None:
    created = bay.create("service", SERVICE)
    spec = {**SERVICE["spec"], "ports": [{"name": "http", "port": 80}, {"name": "admin", "port": 81}]}
    replaced = bay.replace("service", "web", {**SERVICE, "spec": spec})
    assert replaced.ip == created.ip
    assert replaced.ports[0]["nodePort"] == created.ports[0]["nodePort"]
    assert [port["name"] for port in replaced.ports] == ["http", "admin"]
    bay.delete("service", "web")


def test_an_rc_is_scaled(bay: KubernetesBay) -> None:
    bay.create("rc", RC)
    replaced = bay.replace("rc", "web", {**RC, "spec": {**RC["spec"], "replicas": 4}})
    assert (replaced.images, replaced.selector) == (["nginx"], {"app": "web"})
    bay.delete("rc", "web")


def test_a_wrong_manifest_is_refused_in_kubernetes_own_words(bay: KubernetesBay) -> None:
    wrong = {**POD, "metadata": {"name": "wrong"}, "spec": {**POD["spec"], "restartPolicy": "Sometimes"}}
    with pytest.raises(RemoteRefusal, match=r"spec\.restartPolicy: Unsupported value"):
        bay.create("pod", wrong)


def test_lists_of_many_pages(access: Access, bay: KubernetesBay) -> None:
    made = [f"many-{number}" for number in range(260)]
    with KubernetesBay(access, timeout=60) as patient:
        for name in made:
            patient.create("pod", {**POD, "metadata": {"name": name}})
        names = [pod.name for pod in bay.list("pod") if pod.name.startswith("many-")]
        assert sorted(names) == sorted(made)
        for name in names:
            patient.delete("pod", name)


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda access: with_client(access, Authority.make()), "does not accept Magnum's certificate"),
        (lambda access: replace(access, ca=Authority.make().pem), "has a certificate that is not the bay's"),
        (lambda access: replace(access, api_address="https://127.0.0.1:1"), "refuses connections"),
        (lambda access: replace(access, api_address="https://nowhere.invalid:6443"), "cannot be resolved"),
    ],
)
def test_a_bay_that_cannot_be_spoken_to(access: Access, broken: Callable[[Access], Access], said: str) -> None:
    with KubernetesBay(broken(access), timeout=5) as bay, pytest.raises(BayUnreachable, match=said):
        bay.list("pod")


class Hostile(BaseHTTPRequestHandler):
    """A server that answers according to the last part of its path, or of its folder for an API server's."""

    protocol_version = "HTTP/1.1"
    paths: list[str]

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.paths.append(self.path)
        try:
            getattr(self, self.path.split("/")[1])()
        except OSError:
            return

    def trickled_head(self) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-More: x\r\n" * 100:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def trickled_body(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" ")
            time.sleep(0.05)

    def silent(self) -> None:
        time.sleep(_LONG)

    def huge(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b"x" * 1_000_000)

    def busy_then_silent(self) -> None:
        if len(self.paths) > 1:
            self.silent()
        self.send_error(503)

    def redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def hostile_server(authority: Authority | None, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The server's address, and the paths it was asked for; with an authority it speaks TLS."""
    paths: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Hostile,), {"paths": paths}))
    if authority:
        (folder / "server.pem").write_text("".join(authority.issue("server", "test", "127.0.0.1")))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"{'https' if authority else 'http'}://127.0.0.1:{server.server_port}", paths
    finally:
        server.shutdown()
        thread.join(10)


@contextmanager
def hostile_bay(folder: Path, mode: str, timeout: float) -> Iterator[tuple[KubernetesBay, list[str]]]:
    """A bay that is such a server, and the paths it was asked for."""
    authority = Authority.make()
    certificate, key = authority.issue("admin", "test")
    with hostile_server(authority, folder) as (address, paths):
        access = Access(f"{address}/{mode}", authority.pem, certificate, key)
        with KubernetesBay(access, timeout=timeout) as bay:
            yield bay, paths


@pytest.mark.parametrize("mode", ["trickled_head", "trickled_body", "silent"])
def test_a_hostile_bay_ends_at_the_deadline(tmp_path: Path, mode: str) -> None:
    with hostile_bay(tmp_path, mode, timeout=1) as (bay, paths):
        start = time.monotonic()
        with pytest.raises(BayUnreachable, match="did not answer within 1 seconds"):
            bay.list("pod")
        assert time.monotonic() - start < _SOON
        assert len(paths) == 1, "one deadline is for all tries"


@pytest.mark.parametrize(("mode", "said"), [("huge", "an answer of more than"), ("redirect", "answered with code 302")])
def test_nobody_asks_twice_for_what_stays_the_same(tmp_path: Path, mode: str, said: str) -> None:
    with hostile_bay(tmp_path, mode, timeout=_LONG) as (bay, paths):
        with pytest.raises(BayUnreachable, match=said):
            bay.list("pod")
        assert len(paths) == 1


def test_a_deadline_in_a_second_try_leaves_what_the_first_was_told(tmp_path: Path) -> None:
    with hostile_bay(tmp_path, "busy_then_silent", timeout=2) as (bay, paths):
        with pytest.raises(BayUnreachable, match="answered with code 503"):
            bay.list("pod")
        assert len(paths) == 2


def test_a_bay_that_is_silent_before_tls() -> None:
    authority = Authority.make()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        access = Access(
            f"https://127.0.0.1:{listener.getsockname()[1]}", authority.pem, *authority.issue("admin", "test")
        )
        start = time.monotonic()
        with KubernetesBay(access, timeout=1) as bay, pytest.raises(BayUnreachable, match="did not answer within 1 s"):
            bay.version()
        assert time.monotonic() - start < _SOON


@pytest.mark.parametrize(
    ("mode", "timeout", "said"),
    [
        ("trickled_head", 1, "not there within 1 seconds"),
        ("trickled_body", 1, "not there within 1 seconds"),
        ("silent", 1, "not there within 1 seconds"),
        ("huge", _LONG, "more than the 1000 bytes"),
    ],
)
def test_a_hostile_manifest_url_ends_at_the_deadline(tmp_path: Path, mode: str, timeout: float, said: str) -> None:
    with hostile_server(None, tmp_path) as (address, _):
        start = time.monotonic()
        with pytest.raises(Invalid, match=said):
            fetch_manifest(f"{address}/{mode}", max_size=1000, allow_private=True, timeout=timeout)
        assert time.monotonic() - start < _SOON
