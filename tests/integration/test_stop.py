"""Services that are told to end, with all their hands full and with what they need away."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import requests

from magnum.common.context import RequestContext
from magnum.db import models, operations
from magnum.db.session import Database
from tests import databases
from tests.integration.services import (
    SECONDS,
    configure,
    database_at,
    eventually,
    free_port,
    log_of,
    running,
    upgrade,
    who_takes_nothing,
)

BOUND = 30.0
LEASE = 600
WORKERS = 8
PROJECTS = 4
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def silence() -> Iterator[int]:
    """The port of somebody who takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        yield listening.getsockname()[1]


def a_conductor(folder: Path, name: str, silence: int, **sections: dict[str, object]) -> Path:
    """The configuration of a conductor whose Keystone never answers."""
    identity = {
        "auth_type": "password",
        "auth_url": f"http://127.0.0.1:{silence}/v3",
        "username": "magnum",
        "password": "secret",
        "project_name": "service",
        "user_domain_name": "Default",
        "project_domain_name": "Default",
        "timeout": 600,
    }
    working = {"workers": WORKERS, "lease": LEASE}
    return configure(folder, name, **{"keystone_auth": identity, "conductor": working, **sections})


def make_bays(database: Database, number: int) -> None:
    """Bays of as many projects as it takes to have all workers of a conductor."""
    model = {"server_type": "vm", "cluster_distro": "debian", "coe": "kubernetes"}
    for each in range(number):
        context = RequestContext(project_id=f"p{each % PROJECTS}", user_id="u", overwrite=False)
        with database.writer() as session:
            bay = models.Bay(name="b", baymodel_id="m", baymodel=model)
            operations.accept_create(session, context, bay, {}, timedelta(hours=1))


def owners(database: Database) -> list[str]:
    """Who works at operations, by the host of each."""
    with database.reader() as session:
        rows = session.query(models.Operation).filter(models.Operation.lease_until.is_not(None))
        return [(row.owner or "").partition(":")[0] for row in rows]


def stop(process: subprocess.Popen[bytes]) -> float:
    """Tell a service to end; the seconds this took."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(2 * BOUND)
    return time.monotonic() - begun


@pytest.mark.parametrize("bus", ["fake://", "rabbit://magnum:secret@127.0.0.1:1/"], ids=["bus", "no bus"])
def test_another_conductor_goes_on_at_once(tmp_path: Path, silence: int, bus: str) -> None:
    one, two = (a_conductor(tmp_path, name, silence, DEFAULT={"transport_url": bus}) for name in ("one", "two"))
    upgrade(one)
    database = database_at(f"sqlite:///{tmp_path}/magnum.sqlite")
    make_bays(database, 2 * WORKERS)
    with running("magnum-conductor", one) as first:
        eventually(lambda: owners(database) == ["one"] * WORKERS, one)
        with running("magnum-conductor", two) as second:
            eventually(lambda: sorted(owners(database)) == ["one"] * WORKERS + ["two"] * WORKERS, two)
            second.kill()
            second.wait(SECONDS)
        assert stop(first) < BOUND
        assert first.returncode == 0, log_of(one).read_text()
        assert sorted(owners(database)) == ["two"] * WORKERS  # of the one that was killed, until their leases end
        three = configure_again(two, "three")
        with running("magnum-conductor", three):
            eventually(lambda: sorted(owners(database)) == ["three"] * WORKERS + ["two"] * WORKERS, three)
    database.dispose()


def configure_again(conf: Path, host: str) -> Path:
    """The same for a conductor of another name."""
    copy = conf.with_stem(host)
    copy.write_text(conf.read_text().replace(f"host = {conf.stem}", f"host = {host}"))
    return copy


@pytest.mark.parametrize("name", list(databases.SERVERS))
def test_a_conductor_ends_while_the_database_hangs(tmp_path: Path, silence: int, name: str) -> None:
    with databases.running(name) as url:
        conf = a_conductor(tmp_path, "one", silence, database={"connection": url})
        upgrade(conf)
        database = database_at(url)
        make_bays(database, 2)
        with running("magnum-conductor", conf) as process:
            eventually(lambda: owners(database) == ["one"] * 2, conf)
            with frozen():
                time.sleep(2)
                assert stop(process) < BOUND
            assert process.returncode == 0
        database.dispose()


@contextmanager
def frozen() -> Iterator[None]:
    """Meanwhile the database does nothing at all."""
    servers = [process for process in psutil.Process().children(recursive=True) if _is_of_a_database(process)]
    assert servers
    for server in servers:
        with suppress(psutil.NoSuchProcess):  # PostgreSQL's come and go
            server.suspend()
    try:
        yield
    finally:
        for server in servers:
            if server.is_running():
                server.resume()


def _is_of_a_database(process: psutil.Process) -> bool:
    try:
        return process.name().startswith(("postgres", "mariadbd"))
    except psutil.NoSuchProcess:
        return False


class SlowKeystone(BaseHTTPRequestHandler):
    """Takes its time to say that it has trouble."""

    seconds = 1.0

    def do_POST(self) -> None:
        time.sleep(self.seconds)
        self.send_error(503)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_arguments: object) -> None:
        return


@pytest.fixture
def slow_keystone() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowKeystone)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


@pytest.mark.parametrize("command", ["magnum-api", "magnum-embedded"])
def test_an_api_answers_what_it_has_before_it_ends(tmp_path: Path, slow_keystone: int, command: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{slow_keystone}/v3"
    identity = {"auth_type": "password", "auth_url": url, "www_authenticate_uri": url, "username": "m", "password": "p",
                "project_name": "s", "user_domain_id": "default", "project_domain_id": "default",
                "http_request_max_retries": 0}  # fmt: skip
    conf = configure(tmp_path, api={"port": port, "workers": 1}, keystone_authtoken=identity)
    upgrade(conf)
    answers: list[tuple[int, str | None]] = []

    def ask() -> None:
        answer = requests.get(f"http://127.0.0.1:{port}/v1/bays", headers={"X-Auth-Token": "t"}, timeout=SECONDS)
        answers.append((answer.status_code, answer.headers.get("Connection")))

    with running(command, conf) as process:
        eventually(lambda: accepts(port), conf)
        asking = [threading.Thread(target=ask) for _ in range(3)]
        for each in asking:
            each.start()
        eventually(lambda: connections(process, port) + len(answers) == len(asking), conf)
        assert stop(process) < BOUND
        for each in asking:
            each.join(SECONDS)
    assert answers == [(503, "close")] * 3
    assert not accepts(port)


@pytest.mark.parametrize("command", ["magnum-api", "magnum-embedded"])
def test_an_api_answers_who_came_just_before_it_ends(tmp_path: Path, command: str) -> None:
    port = free_port()
    conf = configure(tmp_path, api={"port": port, "workers": 1})
    upgrade(conf)
    with running(command, conf) as process, ExitStack() as clients:
        eventually(lambda: accepts(port), conf)
        (worker,) = psutil.Process(process.pid).children()
        taken = connect(clients, port)
        eventually(lambda: connections(process, port) == 1, conf)
        worker.suspend()
        try:
            eventually(lambda: worker.status() == psutil.STATUS_STOPPED, conf)  # else it may be told before it stops
            waiting = [connect(clients, port) for _ in range(3)]
            for each in (taken, *waiting):
                each.sendall(REQUEST)
            process.send_signal(signal.SIGTERM)
            eventually(lambda: is_told(worker.pid), conf)
        finally:
            worker.resume()
        assert [each.recv(15) for each in (taken, *waiting)] == [b"HTTP/1.1 200 OK"] * 4
        assert process.wait(BOUND) == 0


def test_an_api_that_ends_reads_what_still_comes_and_leaves_who_takes_nothing(tmp_path: Path) -> None:
    port = free_port()
    conf = configure(tmp_path, api={"port": port, "workers": 1})
    upgrade(conf)
    document = b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
    with running("magnum-api", conf) as process, ExitStack() as clients:
        eventually(lambda: accepts(port), conf)
        for silent in (b"GET / HT", REQUEST + b"GET"):
            connect(clients, port).sendall(silent)
        clients.enter_context(who_takes_nothing(port)).sendall(document)
        slow, refused = connect(clients, port), connect(clients, port)
        slow.sendall(b"POST /v1/bays HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{")
        refused.sendall(b"POST /v1/bays HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n")
        eventually(lambda: "413" in log_of(conf).read_text(), conf)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        refused.sendall(b" " * 100_000)
        for byte in b"            }":
            time.sleep(0.25)
            slow.sendall(bytes([byte]))
        assert slow.recv(13) == b"HTTP/1.1 401 "
        assert refused.recv(13) == b"HTTP/1.1 413 "
        assert process.wait(BOUND) == 0
        assert time.monotonic() - begun < BOUND / 2
    assert "SIGKILL" not in log_of(conf).read_text()


def test_who_asks_one_thing_after_the_other_is_told_which_answer_is_the_last(tmp_path: Path) -> None:
    port = free_port()
    conf = configure(tmp_path, api={"port": port, "workers": 1})
    upgrade(conf)
    counted: list[int] = []

    def ask() -> requests.Response:
        with requests.Session() as session:
            while "Connection" not in (answer := session.get(f"http://127.0.0.1:{port}/", timeout=SECONDS)).headers:
                counted.append(answer.status_code)
                time.sleep(0.01)
        return answer

    with running("magnum-api", conf) as process, ThreadPoolExecutor(4) as pool:
        eventually(lambda: accepts(port), conf)
        asking = [pool.submit(ask) for _ in range(4)]
        eventually(lambda: len(counted) > 100, conf)
        assert stop(process) < BOUND / 2
        assert [(each.result().status_code, each.result().headers["Connection"]) for each in asking] == [
            (200, "close")
        ] * 4


def test_both_in_one_process_end_while_a_turn_hangs(tmp_path: Path, silence: int) -> None:
    port = free_port()
    conf = a_conductor(tmp_path, "one", silence, api={"port": port})
    upgrade(conf)
    database = database_at(f"sqlite:///{tmp_path}/magnum.sqlite")
    make_bays(database, 2)
    with running("magnum-embedded", conf) as process, ExitStack() as clients:
        eventually(lambda: owners(database) == ["one"] * 2, conf)
        eventually(lambda: accepts(port), conf)
        connect(clients, port).sendall(b"GET")
        assert stop(process) < BOUND
        assert process.returncode == 0
        assert owners(database) == []
    assert "SIGKILL" not in log_of(conf).read_text()
    database.dispose()


def connect(clients: ExitStack, port: int) -> socket.socket:
    """A client that says nothing by itself, for as long as the others."""
    return clients.enter_context(socket.create_connection(("127.0.0.1", port), SECONDS))


def is_told(pid: int) -> bool:
    """Whether SIGTERM waits for a process that stands."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (pending,) = (int(line.split()[1], 16) for line in lines if line.startswith("ShdPnd"))
    return bool(pending & 1 << (signal.SIGTERM - 1))


def connections(process: "subprocess.Popen[bytes]", port: int) -> int:
    """How many clients a service has taken."""
    mine = psutil.Process(process.pid)
    found = [each for part in (mine, *mine.children()) for each in part.net_connections("tcp")]
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == port for each in found)


def accepts(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/", timeout=SECONDS).status_code == 200
    except requests.ConnectionError:
        return False


def test_the_check_before_an_upgrade_says_what_to_do(tmp_path: Path) -> None:
    conf = configure(tmp_path)
    command = [Path(sys.executable).parent / "magnum-status", f"--config-file={conf}", "upgrade", "check"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 2
    assert "magnum-db-manage" in found.stdout
