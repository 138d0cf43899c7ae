"""The HTTP server of the API as a process of its own on the loopback address; no local cloud is needed for this."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from cryptography.fernet import Fernet

from tests.integration.services import free_port, who_takes_nothing

_START_SECONDS = 60
_TRY_SECONDS = 2
_SECONDS = 20
_THREADS = 4
WORKERS = {"magnum-api": 2, "magnum-embedded": 1}
_HALVES = (
    b"GET / HTTP/1.1\r\nHost: x\r\n",
    b"POST /v1/bays HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{",
    b"POST /v1/bays HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
)


@dataclass
class Api:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=_SECONDS)

    def say(self, data: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send these bytes; status, headers and body of the answer."""
        with self.connect() as connection:
            connection.sendall(data)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body

    def stop(self) -> float:
        """Tell it to end; the seconds this took."""
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(_SECONDS)
        return time.monotonic() - begun


@pytest.fixture(scope="module", params=WORKERS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One for all tests that let it live."""
    with _running(request.param, tmp_path_factory.mktemp("api")) as api:
        yield api


@contextmanager
def _running(command: str, folder: Path) -> Iterator[Api]:
    port = free_port()
    conf = folder / "magnum.conf"
    conf.write_text(
        "[DEFAULT]\ntransport_url = fake://\n"
        f"[api]\nport = {port}\nworkers = {WORKERS['magnum-api']}\nthreads = {_THREADS}\n"
        f"[certificates]\nencryption_key = {Fernet.generate_key().decode()}\n"
        f"[database]\nconnection = sqlite:///{folder}/magnum.sqlite\n"
        "[keystone_authtoken]\nauth_type = none\nwww_authenticate_uri = http://keystone.invalid\n"
        "service_token_roles_required = true\n"
    )
    bin_folder = Path(sys.executable).parent
    subprocess.run([bin_folder / "magnum-db-manage", f"--config-file={conf}", "upgrade"], check=True, timeout=60)
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [bin_folder / command, f"--config-file={conf}"], stdout=stream, stderr=subprocess.STDOUT
        )
    api = Api(process, port, log)
    try:
        _wait_until_it_serves(api, WORKERS[command])
        yield api
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_SECONDS)


def _wait_until_it_serves(api: Api, workers: int) -> None:
    """Not only with the first of its workers: the others take its processor while they start."""
    deadline = time.monotonic() + _START_SECONDS
    while not (_serving(api.process.pid) == workers and _answers(api)):
        assert api.process.poll() is None, api.log.read_text()
        assert time.monotonic() < deadline, api.log.read_text()
        time.sleep(0.1)


def _serving(pid: int) -> int:
    """How many children of a process have the threads that serve: these are made last."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    try:
        return sum(len(list(Path(f"/proc/{child}/task").iterdir())) > _THREADS for child in children)
    except FileNotFoundError:  # one has ended
        return 0


def _answers(api: Api) -> bool:
    try:
        requests.get(api.url, timeout=_TRY_SECONDS)
    except requests.RequestException:
        return False
    return True


@pytest.mark.parametrize("command", WORKERS)
def test_half_requests_keep_nobody_waiting(command: str, tmp_path: Path) -> None:
    with _running(command, tmp_path) as api, ExitStack() as halves:
        for number in range(40):
            halves.enter_context(api.connect()).sendall(_HALVES[number % len(_HALVES)])
        time.sleep(0.5)
        for _ in range(10):
            answer = requests.get(api.url, timeout=1)
            assert answer.status_code == 200
        assert api.stop() < 10


def test_many_connections_make_room(api: Api) -> None:
    with ExitStack() as halves:
        for _ in range(900):
            halves.enter_context(api.connect()).sendall(_HALVES[0])
        time.sleep(0.5)
        for _ in range(5):
            assert requests.get(api.url, timeout=2).status_code == 200


@pytest.mark.parametrize(("number", "times"), [(2 * _THREADS, 150), (900, 1)], ids=["threads", "room"])
def test_who_takes_no_answers_holds_nothing(tmp_path: Path, number: int, times: int) -> None:
    document = b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with _running("magnum-embedded", tmp_path) as api, ExitStack() as clients:
        for _ in range(number):
            clients.enter_context(who_takes_nothing(api.port)).sendall(times * document)
        written = -1
        while written != (written := api.log.stat().st_size):
            time.sleep(1)  # until all is answered, or nothing is any more
        for _ in range(5):
            assert requests.get(api.url, timeout=_SECONDS).status_code == 200


def test_who_sends_many_requests_at_once_gets_the_first_answer(api: Api) -> None:
    status, headers, body = api.say(10 * b"GET /v1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status == 200
    assert headers["connection"] == "close"
    assert len(body) == int(headers["content-length"])


def test_request_in_many_pieces(api: Api) -> None:
    with api.connect() as connection:
        for byte in b"GET /v1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
            connection.sendall(bytes([byte]))
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Auth-Token: a\x01b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + b"a" * 30000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 30000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (b"POST /v1/bays HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST /v1/bays HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    ],
    ids=["request line", "control character", "length", "large header", "long path", "large body", "encoding"],
)
def test_what_is_no_request_gets_both_error_bodies(api: Api, data: bytes, status: int) -> None:
    code, headers, body = api.say(data)
    document = json.loads(body)
    assert code == status
    assert headers["content-type"] == "application/json"
    assert document["errors"][0]["status"] == status
    assert document["errors"][0]["request_id"] == headers["x-openstack-request-id"]
    assert json.loads(document["error_message"])["faultstring"] == document["errors"][0]["detail"]


def test_access_log_names_the_request(api: Api) -> None:
    answer = requests.get(f"{api.url}/v1", timeout=_SECONDS)
    request_id = answer.headers["x-openstack-request-id"]
    deadline = time.monotonic() + _SECONDS
    lines: list[str] = []
    while not lines and time.monotonic() < deadline:  # written after the answer
        time.sleep(0.05)
        lines = [line for line in api.log.read_text().splitlines() if line.endswith(request_id)]
    assert len(lines) == 1
    assert lines[0].startswith('127.0.0.1 "GET /v1 HTTP/1.1" 200 ')
