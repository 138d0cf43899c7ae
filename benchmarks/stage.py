"""What the benchmark of the API runs on: servers of its own on loopback, a database of its own, all gone at its end."""

import getpass
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.fernet import Fernet
from fake_keystone import FakeKeystone

from magnum import conf
from magnum.api.resources.baymodels import BayModels
from magnum.common import clock
from magnum.common.idents import new_uuid
from magnum.common.states import Health
from magnum.db import models
from magnum.db.session import Database

HOST = "127.0.0.1"
MAGNUM, BARE = "Magnum", "bare"
BAYMODELS = 256
"""How many each project has: patches of one and the same at once are a conflict."""
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_BIN = Path(sys.executable).parent


class NotStarted(Exception):
    """A server did not come up; with the end of what it logged."""


@dataclass(frozen=True)
class Objects:
    """What is in the database for those who ask; a project's name is the token that is good for it."""

    baymodels: dict[str, list[str]]
    """Project, and the uuids of its baymodels."""
    bay: str
    """Uuid of a bay of the first project."""


@dataclass(frozen=True)
class Stage:
    """The two servers, by name, and what they have."""

    ports: dict[str, int]
    objects: Objects


@contextmanager
def stage(rows: dict[str, int], workers: int, threads: int) -> Iterator[Stage]:
    """Both servers on the same database.

    :param rows: how many bays each project has
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="magnum-benchmark-")))
        keystone = stack.enter_context(FakeKeystone())
        memcached, *rest = free_ports(3)
        argv = ["memcached", "-u", getpass.getuser(), "-l", HOST, "-p", str(memcached), "-U", "0"]
        _start(stack, argv, folder / "memcached.log", memcached)
        ports = dict(zip((MAGNUM, BARE), rest, strict=True))
        settings = {"workers": str(workers), "threads": str(threads)}
        key = Fernet.generate_key().decode()
        for name, port in ports.items():
            _configure(folder, name, settings | {"port": str(port)}, key, keystone.url, f"{HOST}:{memcached}")
        upgrade = [str(_BIN / "magnum-db-manage"), f"--config-file={folder / MAGNUM}.conf", "upgrade"]
        subprocess.run(upgrade, check=True, capture_output=True, timeout=60)
        objects = _fill(folder / f"{MAGNUM}.conf", rows)
        bare = str(Path(__file__).with_name("bare_api.py"))
        for name, command in {MAGNUM: [str(_BIN / "magnum-api")], BARE: [sys.executable, bare]}.items():
            argv = [*command, f"--config-file={folder / name}.conf"]
            _start(stack, argv, folder / f"{name}.log", ports[name])
        yield Stage(ports, objects)


def _configure(folder: Path, name: str, api: dict[str, str], key: str, keystone: str, memcached: str) -> None:
    sections = {
        "DEFAULT": {"transport_url": "fake://"},
        "api": api,
        "certificates": {"encryption_key": key},
        "database": {"connection": f"sqlite:///{folder}/magnum.sqlite"},
        "quotas": {"max_bays_per_project": "-1"},
        "keystone_authtoken": {
            "auth_type": "password",
            "auth_url": keystone,
            "www_authenticate_uri": keystone,
            "username": "magnum",
            "password": "none",
            "user_domain_id": "default",
            "project_name": "service",
            "project_domain_id": "default",
            "memcached_servers": memcached,
            "service_token_roles_required": "true",
        },
    }
    lines = []
    for section, values in sections.items():
        lines += [f"[{section}]", *(f"{option} = {value}" for option, value in values.items())]
    (folder / f"{name}.conf").write_text("\n".join(lines) + "\n")


def _fill(configuration: Path, rows: dict[str, int]) -> Objects:
    database = Database(conf.load([f"--config-file={configuration}"]))
    baymodels: dict[str, list[str]] = {}
    bays: list[models.Bay] = []
    for project, count in rows.items():
        owner = {"project_id": project, "user_id": "user"}
        made = [_baymodel(owner, f"small-{number}") for number in range(BAYMODELS)]
        baymodels[project] = [baymodel.uuid for baymodel in made]
        names = [name for name in BayModels().full() if not name.endswith("_at")]
        copy = {**owner, **{name: getattr(made[0], name) for name in names}}
        bays += [_bay(owner, f"bay-{number}", copy) for number in range(count)]
        with database.writer() as session:
            session.add_all(made)
    with database.writer() as session:
        session.add_all(bays)
    database.dispose()
    return Objects(baymodels, bays[0].uuid)


def _baymodel(owner: dict[str, str], name: str) -> models.BayModel:
    return models.BayModel(
        **owner,
        uuid=new_uuid(),
        name=name,
        coe="kubernetes",
        image_id="debian-kubernetes",
        flavor_id="small",
        network_driver="bridge",
        labels={"kube_tag": "v1.20.2"},
        registry_enabled=False,
        tls_disabled=False,
        public=False,
        server_type="vm",
    )


def _bay(owner: dict[str, str], name: str, baymodel: dict[str, object]) -> models.Bay:
    return models.Bay(
        **owner,
        uuid=new_uuid(),
        name=name,
        baymodel_id=baymodel["uuid"],
        baymodel=baymodel,
        node_count=3,
        master_count=1,
        bay_create_timeout=60,
        status="CREATE_COMPLETE",
        stack_id=new_uuid(),
        api_address="https://192.0.2.10:6443",
        coe_version="v1.20.2",
        master_addresses=["192.0.2.10"],
        node_addresses=["192.0.2.11", "192.0.2.12", "192.0.2.13"],
        health_status=Health.HEALTHY,
        health_status_reason={"api": "ok"},
        health_checked_at=clock.now(),
    )


def _start(stack: ExitStack, argv: list[str], log: Path, port: int) -> None:
    """Start a server that ends with this stack, or with this process where that is killed."""
    bound = ["setpriv", "--pdeathsig", "TERM", "--", *argv]
    with log.open("wb") as stream:
        process = subprocess.Popen(bound, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
    stack.callback(end, process)
    deadline = time.monotonic() + _START_SECONDS
    while not _accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NotStarted(f"{argv[0]} did not start: {log.read_text(errors='replace')[-1500:]}")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(_STOP_SECONDS)


def free_ports(number: int) -> list[int]:
    """Ports nobody listens on, each another one: asked for in turn, the second may be the first again."""
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(number)]
        return [int(server.getsockname()[1]) for server in servers]


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=_START_SECONDS).close()
    except OSError:
        return False
    return True
