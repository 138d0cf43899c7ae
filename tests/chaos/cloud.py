"""The cloud of a run: a local cloud with a Heat that plays, two APIs, three conductors and lines that can be cut."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import requests
import yaml

from magnum.localcloud import health, identity, ini, memcached, postgresql, processes, rabbit, venvs
from magnum.localcloud.files import Secrets, write_private
from magnum.localcloud.heat_stand_in_service import HeatStandIn
from magnum.localcloud.identity import Identity
from magnum.localcloud.keystone_service import ADMIN_PASSWORD, Keystone
from magnum.localcloud.magnum_services import Magnum
from magnum.localcloud.mariadb import MariaDB
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.postgresql import PostgreSQL
from magnum.localcloud.processes import Service
from magnum.localcloud.rabbit import Rabbit
from tests.chaos import plan
from tests.chaos.relay import Place, Relay

NAME = "chaos"
PORT_OFFSET = 5000  # every port below those that the kernel gives to clients
LEASE_SECONDS = 5
DELETE_MINUTES = 3
_ADDRESS = "127.0.0.1"
_POSTGRESQL_SOCKET = ".s.PGSQL.5432"
_COMMAND_SECONDS = 600
_UP_TRIES = 5
_DEATH_SECONDS = 30.0


@dataclass(frozen=True)
class Process:
    """One of the processes that a run kills: how to find it, and how to have it again."""

    name: str
    pid_file: Path
    start: Callable[[], object]

    @property
    def pid(self) -> int | None:
        """Of the process that began it, if it runs."""
        running = processes.running(self.pid_file)
        return running.pid if running else None

    @property
    def runs(self) -> bool:
        return self.pid is not None

    def kill(self) -> None:
        """End it at once, with all its children; as long as one is there, it would be found running."""
        doomed = {pid: processes.start_time_of(pid) for pid in _with_children(self.pid_file)}
        _signal(doomed, signal.SIGKILL)
        end = time.monotonic() + _DEATH_SECONDS
        while left := [pid for pid, began in doomed.items() if began and processes.start_time_of(pid) == began]:
            if time.monotonic() > end:
                raise RuntimeError(f"processes {left} of {self.name} do not end, not even on SIGKILL")
            time.sleep(0.005)

    def freeze(self) -> None:
        _signal(_with_children(self.pid_file), signal.SIGSTOP)

    def thaw(self) -> None:
        _signal(_with_children(self.pid_file), signal.SIGCONT)

    def restart(self) -> None:
        """End it as an upgrade would, and start it again."""
        processes.stop(self.pid_file, 30.0)
        self.have()

    def have(self) -> None:
        """Have it running. On a busy machine with a database that was just away this may take more than one try."""
        for number in range(_UP_TRIES):
            try:
                self.start()
                return
            except processes.ServiceError:
                if number + 1 == _UP_TRIES:
                    raise
                time.sleep(1.0)


def _with_children(pid_file: Path) -> list[int]:
    """The processes of a service, those too that hide whose they are, as PostgreSQL's do."""
    found = {*processes.members(pid_file)}
    running = processes.running(pid_file)
    if running is not None:
        found.add(running.pid)
    parents = {pid: _parent(pid) for pid in (int(item.name) for item in Path("/proc").iterdir() if item.name.isdigit())}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def _signal(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


class ChaosCloud:
    """Brought up anew for each run, and removed after it."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.paths = CloudPaths.named(NAME)
        self.ports = Ports(PORT_OFFSET)
        self.secrets = Secrets(self.paths.secrets)
        self.lines: dict[str, Relay] = {}
        self.processes: dict[str, Process] = {}

    @property
    def keystone_url(self) -> str:
        return f"http://{_ADDRESS}:{self.ports.keystone}/v3"

    @property
    def apis(self) -> tuple[str, ...]:
        return tuple(f"http://{_ADDRESS}:{port}" for port in (self.ports.magnum, self._second_port))

    @property
    def database_url(self) -> str:
        """Where the rows are, not by way of the relay."""
        if self.database == "postgresql":
            return PostgreSQL(self.paths).url("magnum")
        return self._mariadb.url("magnum", self.secrets.get("magnum_database_password"), "utf8mb4")

    def up(self) -> None:
        self._local("reset")
        self.secrets = Secrets(self.paths.secrets)
        self._lay_lines()
        magnum = self._magnum()
        write_private(magnum.own_configuration, self._own_configuration())
        self._local(
            "up",
            "--heat=stand-in",
            "--bus=rabbit",
            f"--database={self.database}",
            f"--conductors={len(plan.CONDUCTORS)}",
        )
        self.secrets = Secrets(self.paths.secrets)
        self._know_processes()
        self.processes[plan.APIS[1]].start()

    def down(self) -> None:
        self._local("reset")

    def order(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> Any:
        """Tell the Heat that plays something, or ask it."""
        url = f"http://127.0.0.1:{self.ports.heat_control}{path}"
        answer = requests.request(method, url, json=dict(data or {}), timeout=20)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def admin(self) -> Identity:
        return Identity(self.keystone_url, self.secrets.get(ADMIN_PASSWORD))

    def admin_account(self) -> dict[str, Any]:
        """What a session of the administrator is made of."""
        found: dict[str, Any] = yaml.safe_load(self.paths.clouds_yaml.read_text())["clouds"]["magnum-local-admin"]
        return dict(found["auth"])

    def _own_configuration(self) -> str:
        return ini.render(
            {
                "DEFAULT": {"transport_url": self._relayed_bus()},
                "bay": {"delete_timeout": DELETE_MINUTES},
                "conductor": {"lease": LEASE_SECONDS, "rpc_timeout": 10},
                "database": {"connection": self._relayed_database()},
                "heat_client": {"timeout": 5},
                "quotas": {"max_bays_per_project": -1},
            }
        )

    # Lines

    @property
    def _relay_port(self) -> int:
        return 25674 + PORT_OFFSET

    @property
    def _relay_folder(self) -> Path:
        return self.paths.root / "relay"

    def _lay_lines(self) -> None:
        self._relay_folder.mkdir(parents=True, mode=0o700)
        there = self.paths.root / "postgresql" / _POSTGRESQL_SOCKET
        if self.database == "mariadb":
            there = self.paths.root / "mariadb" / "mariadb.sock"
        self.lines = {
            "bus": Relay(Place(port=self._relay_port), Place(port=self.ports.rabbit)),
            "database": Relay(Place(path=self._relay_folder / there.name), Place(path=there)),
        }
        for line in self.lines.values():
            line.start()

    def _relayed_bus(self) -> str:
        return self._rabbit.transport_url.replace(f":{self.ports.rabbit}/", f":{self._relay_port}/")

    def _relayed_database(self) -> str:
        folder = "postgresql" if self.database == "postgresql" else "mariadb"
        return self.database_url.replace(str(self.paths.root / folder), str(self._relay_folder))

    # Processes

    @property
    def _second_port(self) -> int:
        return self.ports.magnum + 1

    @property
    def _rabbit(self) -> Rabbit:
        return Rabbit(self.paths, self.ports, self.secrets)

    @property
    def _mariadb(self) -> MariaDB:
        return MariaDB(self.paths, self.ports)

    def _magnum(self) -> Magnum:
        return Magnum(
            self.paths,
            self.ports,
            _ADDRESS,
            self.keystone_url,
            self.secrets,
            self._rabbit.transport_url,
            self.database_url,
            conductors=len(plan.CONDUCTORS),
        )

    def _know_processes(self) -> None:
        for service in self._magnum().services():
            self._know_service(service)
            if service.name == plan.APIS[0]:
                self._know_service(self._second_api(service))
        keystone = Keystone(self.paths, self.ports, _ADDRESS, venvs.ensure("keystone"), self.secrets, self._mariadb)
        heat = HeatStandIn(self.paths, self.ports, _ADDRESS, self.keystone_url)
        self._know("keystone", keystone.start)
        self._know("heat", heat.start)
        self._know(rabbit.NAME, self._rabbit.start)
        self._know(memcached.NAME, lambda: memcached.start(self.paths, self.ports))
        if self.database == "postgresql":
            self._know(postgresql.NAME, PostgreSQL(self.paths).start, plan.DATABASE)
        else:
            self._know("mariadb", self._mariadb.start, plan.DATABASE)

    def _know_service(self, service: Service) -> None:
        self._know(service.name, lambda: processes.ensure(service))

    def _know(self, name: str, start: Callable[[], object], called: str = "") -> None:
        self.processes[called or name] = Process(name, self.paths.pid_file(name), start)

    def _second_api(self, first: Service) -> Service:
        name = plan.APIS[1]
        own = self.paths.root / "magnum" / f"{name}.conf"
        write_private(own, ini.render({"api": {"port": self._second_port}}))
        return replace(
            first,
            name=name,
            argv=(*first.argv, f"--config-file={own}"),
            log=self.paths.log(name),
            pid_file=self.paths.pid_file(name),
            healthy=lambda: health.answers_http(f"http://{_ADDRESS}:{self._second_port}/healthcheck"),
        )

    def _local(self, *arguments: str) -> None:
        command = [str(Path(sys.executable).parent / "magnum-local"), *arguments, "--name", NAME]
        if arguments[0] == "up":
            command += ["--port-offset", str(PORT_OFFSET)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=_COMMAND_SECONDS, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{result.stdout}\n{result.stderr}")


@dataclass(frozen=True)
class Tenant:
    """A project with a user of its own."""

    project_id: str
    token: str
    baymodel: str


def make_tenants(cloud: ChaosCloud) -> list[Tenant]:
    """The tenants of a run, each with a baymodel."""
    return [_make_tenant(cloud, number) for number in range(plan.TENANTS)]


def _make_tenant(cloud: ChaosCloud, number: int) -> Tenant:
    name, password = f"chaos-{number}", cloud.secrets.get(f"chaos_{number}_password")
    admin = cloud.admin()
    project = admin.ensure_project(name)
    admin.grant_on_project("member", admin.ensure_user(name, password), project)
    token = _token(cloud.keystone_url, name, password)
    model = {
        "name": name,
        "coe": "kubernetes",
        "image_id": "debian-kubernetes",
        "flavor_id": "small",
        "keypair_id": "unused",
        "external_network_id": "public",
    }
    answer = requests.post(f"{cloud.apis[0]}/v1/baymodels", json=model, headers={"X-Auth-Token": token}, timeout=30)
    answer.raise_for_status()
    return Tenant(project, token, answer.json()["uuid"])


def _token(keystone_url: str, name: str, password: str) -> str:
    """Taken before the trouble begins, and good for the whole run."""
    domain = {"id": identity.DEFAULT_DOMAIN}
    body = {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": name, "password": password, "domain": domain}},
            },
            "scope": {"project": {"name": name, "domain": domain}},
        }
    }
    answer = requests.post(f"{keystone_url}/auth/tokens", data=json.dumps(body), timeout=30)
    answer.raise_for_status()
    return str(answer.headers["X-Subject-Token"])
