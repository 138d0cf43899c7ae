"""Fetching a manifest: where from it is refused, and what comes of the answers."""

import io
import socket
from typing import Any

import pytest

from magnum.coe.manifest_url import fetch_manifest
from magnum.coe.sockets import BoundedSocket, Deadline
from magnum.common.exception import Invalid

PUBLIC = "93.184.216.34"


class Connection:
    """A connection that was answered before anything was asked."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self.answer)

    def close(self) -> None:
        pass


class Internet:
    """Names with their addresses, and the answers of hosts by address."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[str]] = {"example.org": [PUBLIC]}
        self.answers: list[Any] = []
        self.reached: list[tuple[str, int]] = []
        self.connections: list[Connection] = []
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)
        monkeypatch.setattr(BoundedSocket, "connect_to", self._connect)

    def _resolve(self, host: str, port: int, **_: Any) -> list[Any]:
        if host not in self.names:
            raise socket.gaierror
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in ip], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in self.names[host]]

    def _connect(self, family: int, address: Any, deadline: Deadline) -> Connection:
        self.reached.append(address)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.connections.append(Connection(answer))
        return self.connections[-1]


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> Internet:
    return Internet(monkeypatch)


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def fetch(url: str, allow_private: bool = False) -> str:
    return fetch_manifest(url, max_size=100, allow_private=allow_private, timeout=5)


def refused(url: str, allow_private: bool = False) -> str:
    with pytest.raises(Invalid) as error:
        fetch(url, allow_private)
    return error.value.message


def test_a_manifest_is_fetched(internet: Internet) -> None:
    internet.answers = [answer("kind: Pöd".encode())]
    assert fetch("http://example.org:8080/a b/c%20d.yaml?x=1") == "kind: Pöd"
    assert internet.reached == [(PUBLIC, 8080)]
    sent = internet.connections[0].sent.decode()
    assert sent.startswith("GET /a%20b/c%20d.yaml?x=1 HTTP/1.1\r\nHost: example.org:8080\r\n")


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.17.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",  # noqa: S104
            "224.0.0.1",
        ),
        *("::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1", "ff02::1"),
        *("::10.0.0.1", "::127.0.0.1", "fec0::1", "64:ff9b:1::a00:1"),
    ],
)
@pytest.mark.parametrize("others", [[], [PUBLIC]])
def test_hosts_of_private_networks_are_not_reached(internet: Internet, address: str, others: list[str]) -> None:
    internet.names["inside.example.org"] = [*others, address]
    assert "a host of no public network" in refused("http://inside.example.org/")
    assert internet.reached == []


def test_private_hosts_are_reached_where_the_operator_allows_it(internet: Internet) -> None:
    internet.names["inside"] = ["10.0.0.1"]
    internet.answers = [answer(b"text")]
    assert fetch("http://inside/", allow_private=True) == "text"


def test_the_next_address_is_tried(internet: Internet) -> None:
    internet.names["example.org"] = ["2001:4860:4860::8888", PUBLIC]
    internet.answers = [OSError("unreachable"), answer(b"text")]
    assert fetch("http://example.org/") == "text"


def test_a_redirect_is_followed(internet: Internet) -> None:
    internet.answers = [answer(status="302 Found", Location="/other"), answer(b"text")]
    assert fetch("http://example.org/one") == "text"
    assert b"GET /other " in internet.connections[1].sent


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("http://inside/", "a host of no public network"),
        ("http://[bad", "not a valid URL"),
    ],
)
def test_a_redirect_must_lead_where_the_tenant_could_go(internet: Internet, location: str, said: str) -> None:
    internet.names["inside"] = ["127.0.0.1"]
    internet.answers = [answer(status="302 Found", Location=location)]
    assert said in refused("http://example.org/")
    assert len(internet.reached) == 1


def test_redirects_come_to_an_end(internet: Internet) -> None:
    internet.answers = [answer(status="301 Moved", Location="/")] * 10
    assert "more than 3 redirects" in refused("http://example.org/")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer(b"x" * 101), "more than the 100 bytes"),
        (answer(b"\xff\xfe"), "not text in UTF-8"),
        (answer(status="404 Not Found"), "answers with code 404"),
        (answer(status="302 Found"), "answers with code 302"),
        (b"nonsense\r\n\r\n", "the connection failed"),
        (ConnectionRefusedError(), "refuses connections"),
        (TimeoutError(), "not there within 5 seconds"),
    ],
)
def test_what_is_no_manifest(internet: Internet, given: Any, said: str) -> None:
    internet.answers = [given]
    assert said in refused("http://example.org/")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "must begin with http:// or https://"),
        ("/etc/passwd", "must begin with http:// or https://"),
        ("file:///etc/passwd", "must begin with http:// or https://"),
        ("http://", "must begin with http:// or https://"),
        ("http://[::1", "not a valid URL"),
        ("http://example.org:99999/", "not a valid URL"),
        (f"http://{'a' * 80}.org/", "not a valid URL"),
        ("http://user:secret@example.org/", "must not hold a user name or password"),
        ("http://nowhere.invalid/", "name cannot be resolved"),
    ],
)
def test_what_is_no_address(internet: Internet, url: str, said: str) -> None:
    told = refused(url)
    assert said in told
    assert "secret" not in told


def test_a_deadline_ends() -> None:
    assert 0 < Deadline(5).left() <= 5
    assert Deadline(5).outlasts(4)
    assert not Deadline(5).outlasts(6)
    with pytest.raises(TimeoutError):
        Deadline(0).left()
