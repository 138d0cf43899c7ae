"""The one-machine cloud as a whole: in which order its parts come up, go down and are removed.

`up` is the same for a new machine, after a Ctrl-C at any point, and for a cloud that runs: every part looks at what is
there and does what is missing. The long work, making Kubernetes and the node image, goes on beside the services.
"""

import json
import shutil
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magnum.localcloud import (
    bay_times,
    credentials,
    engine,
    heat_service,
    identity,
    kernel_limits,
    keystone_service,
    kubernetes_build,
    loop_devices,
    magnum_services,
    mariadb,
    memcached,
    memory,
    node_image,
    packages,
    postgresql,
    preflight,
    processes,
    rabbit,
    venvs,
)
from magnum.localcloud import settings as cloud_settings
from magnum.localcloud.bay_servers import BayServers
from magnum.localcloud.bay_times import BayTimes
from magnum.localcloud.credentials import Account
from magnum.localcloud.engine import Engine
from magnum.localcloud.files import Secrets, make_private_folder, write_atomically
from magnum.localcloud.heat_service import Heat
from magnum.localcloud.heat_stand_in_service import HeatStandIn
from magnum.localcloud.identity import Endpoint, Identity, Passwords
from magnum.localcloud.keystone_service import Keystone
from magnum.localcloud.magnum_services import Magnum
from magnum.localcloud.mariadb import MariaDB
from magnum.localcloud.paths import CloudPaths, Ports, cache_root, state_root
from magnum.localcloud.postgresql import PostgreSQL
from magnum.localcloud.processes import ServiceError
from magnum.localcloud.rabbit import Rabbit
from magnum.localcloud.settings import STAND_IN, Settings
from magnum.localcloud.steps import Steps

_RABBIT = (rabbit.NAME, rabbit.EPMD)
# What Magnum stands on, in the order in which they are ended: who depends on others first.
_BELOW_MAGNUM = (
    heat_service.NAME,
    keystone_service.NAME,
    *_RABBIT,
    memcached.NAME,
    postgresql.NAME,
    mariadb.NAME,
)
# Keys, databases and what logs tell: what stands in them is readable for many programs that write it.
_PRIVATE_FOLDERS = ("heat", "keystone", "kubeconfig", "logs", "magnum", "mariadb", "rabbitmq", "run")
_STOP_SECONDS = 20.0
_TOOLS = ("curl",)
_USUAL_GATEWAY = "172.17.0.1"
_LOOPBACK = "127.0.0.1"
_MAGNUM = "magnum"
_CHARSET = "utf8mb4"
_DATABASE_PASSWORD = "magnum_database_password"  # noqa: S105 - the name of a secret
_DEMO_PASSWORD = "demo_password"  # noqa: S105 - the name of a secret


@dataclass(frozen=True)
class ServiceState:
    """A service as `status` shows it."""

    name: str
    pid: int | None
    log: Path


class LocalCloud:
    """One cloud of this machine."""

    def __init__(self, paths: CloudPaths, settings: Settings) -> None:
        self.paths = paths
        self.settings = settings
        self.ports = Ports(settings.port_offset)

    def up(self, steps: Steps) -> None:
        """Have all of it running, from whatever state it is in. Call :meth:`check` first."""
        self.paths.root.mkdir(parents=True, exist_ok=True, mode=0o755)
        for name in _PRIVATE_FOLDERS:
            make_private_folder(self.paths.root / name)
        cloud_settings.store(self.paths, self.settings)
        self._install_packages(steps)
        if self._plays:
            self._start_services(_LOOPBACK, steps)
            self._start_magnum(_LOOPBACK, steps)
            return
        kernel_limits.raise_limits()
        with steps.step("Docker Engine"):
            docker = engine.ensure()
        with ThreadPoolExecutor(max_workers=3) as pool:
            images = pool.submit(node_image.ensure_artifacts, docker, self.paths.logs, steps)
            if not self.paths.description.exists():
                self._describe(docker, {"images": {}})
            try:
                self._start_services(docker.gateway, steps)
            except BaseException:
                steps.say("  What runs beside this is brought to its end first, so that it need not be done again.")
                raise
            self._describe(docker, images.result().as_description())
        with steps.step("Servers of bays"):
            BayServers(docker.docker_host, self.paths.name).start()
        self._start_magnum(docker.gateway, steps)

    @property
    def _plays(self) -> bool:
        """Whether its bays have no servers, so that it needs no Docker Engine and no images."""
        return self.settings.heat == STAND_IN

    @property
    def gateway(self) -> str:
        """Where the services listen."""
        return _LOOPBACK if self._plays else engine.ensure().gateway

    def check(self) -> None:
        """Raise PreflightError if this machine cannot run the cloud; changes nothing."""
        gateway = self.gateway if self._plays or engine.is_available() else _USUAL_GATEWAY
        preflight.check(
            self.paths,
            self.ports,
            {
                "Keystone": (gateway, self.ports.keystone),
                "Heat": (gateway, self.ports.heat),
                **({"orders to Heat": (_LOOPBACK, self.ports.heat_control)} if self._plays else {}),
                "Magnum": (gateway, self.ports.magnum),
                "MariaDB": ("127.0.0.1", self.ports.mariadb),
                "memcached": ("127.0.0.1", self.ports.memcached),
                **({"RabbitMQ": ("127.0.0.1", self.ports.rabbit)} if self.settings.bus == "rabbit" else {}),
            },
            builds=not self._plays and not kubernetes_build.is_built(),
        )

    def down(self, steps: Steps) -> None:
        """End every process of this cloud. Its bays' servers are stopped too, and started again by `up`."""
        self._stop_services(steps)
        servers = self._bay_servers()
        if servers is not None and servers.running():
            with steps.step("Stop the servers of bays"):
                servers.stop()
        self._stop_engine(steps)

    def reset(self, steps: Steps) -> None:
        """Remove all that this cloud made; what is cached for the next one stays."""
        self._stop_services(steps)
        if engine.is_available() or (engine.has_data() and not self._plays):
            with steps.step("Remove the servers, networks and volumes of bays"):
                BayServers(engine.ensure().docker_host, self.paths.name).remove()
        if self.paths.root.exists():
            with steps.step(f"Remove {self.paths.root}"):
                loop_devices.detach_below(self.paths.root)
                shutil.rmtree(self.paths.root)
        if not _clouds():
            kernel_limits.restore()
        self._stop_engine(steps)

    def status(self) -> list[ServiceState]:
        """Each service that this cloud consists of, in the order in which they come up."""
        if self.settings.bus == "rabbit":
            magnum = [*magnum_services.conductor_names(self.settings.conductors), magnum_services.API]
            absent: set[str] = set()
        else:
            magnum, absent = [magnum_services.EMBEDDED], {*_RABBIT}
        if self.settings.database != "postgresql":
            absent.add(postgresql.NAME)
        names = [*(name for name in reversed(_BELOW_MAGNUM) if name not in absent), *magnum]
        found = {name: processes.running(self.paths.pid_file(name)) for name in names}
        return [
            ServiceState(name=name, pid=process.pid if process else None, log=self.paths.log(name))
            for name, process in found.items()
        ]

    def remove_cache(self, steps: Steps) -> None:
        """Remove what is kept for all clouds of this machine."""
        others = [root.name for root in _clouds() if root != self.paths.root]
        if others:
            raise ServiceError(f"The cache is in use by the clouds {', '.join(others)}. Reset them first.")
        with steps.step("Remove what was cached"):
            if engine.is_available():
                node_image.remove(engine.ensure())
            engine.remove()
            shutil.rmtree(cache_root(), ignore_errors=True)

    def times_of_bay(self, name: str, uuid: str) -> BayTimes | None:
        """How long a bay took to be made; None where that is no longer told."""
        stack = f"{name}-{uuid.replace('-', '')[:12]}"
        database = self._magnum(self.gateway, Secrets(self.paths.secrets)).connection
        return bay_times.of_bay(database, self.paths.log(heat_service.NAME), uuid, stack)

    def memory(self) -> int:
        """Bytes that this cloud's own processes use, a Docker Engine that was started for it included."""
        return memory.of_processes({*processes.members(self.paths.run), *engine.process_ids()})

    def memory_of_servers(self, names: set[str]) -> int:
        """Bytes that all processes in these servers of bays use."""
        servers = self._bay_servers()
        running = servers.running() if servers else {}
        ids = [identifier for name, identifier in running.items() if name in names]
        return memory.of_processes(memory.processes_of_containers(ids))

    def _install_packages(self, steps: Steps) -> None:
        wanted = {*venvs.PACKAGES, *mariadb.PACKAGES, *memcached.PACKAGES, *_TOOLS}
        if not self._plays:
            wanted.update(_packages_for_servers())
        if self.settings.bus == "rabbit":
            wanted.update(rabbit.PACKAGES)
        if self.settings.database == "postgresql":
            wanted.update(postgresql.PACKAGES)
        missing = packages.missing(wanted)
        if missing:
            with steps.step("Debian packages") as step:
                step.at(f"installing {len(missing)}")
                packages.install(missing)

    def _start_services(self, gateway: str, steps: Steps) -> None:
        secrets = Secrets(self.paths.secrets)
        database = MariaDB(self.paths, self.ports)
        names = ("keystone",) if self._plays else ("keystone", "heat")
        with ThreadPoolExecutor(max_workers=len(names)) as pool:
            environments = {name: pool.submit(_make_environment, name, steps) for name in names}
            with steps.step("MariaDB"):
                database.start()
            with steps.step("memcached"):
                memcached.start(self.paths, self.ports)
            keystone = Keystone(self.paths, self.ports, gateway, environments["keystone"].result(), secrets, database)
            with steps.step("Keystone"):
                keystone.start()
            heat = self._heat(gateway, environments.get("heat"), secrets, database)
            with steps.step("Projects, users and endpoints"):
                self._set_up_identity(keystone, heat, self._magnum(gateway, secrets), secrets)
            with steps.step("Heat"):
                heat.start()

    def _heat(
        self, gateway: str, environment: Future[Path] | None, secrets: Secrets, database: MariaDB
    ) -> Heat | HeatStandIn:
        url = self._keystone_url(gateway)
        if environment is None:
            return HeatStandIn(self.paths, self.ports, gateway, url)
        return Heat(self.paths, self.ports, gateway, url, environment.result(), secrets, database)

    def _set_up_identity(self, keystone: Keystone, heat: Heat | HeatStandIn, magnum: Magnum, secrets: Secrets) -> None:
        identity.set_up(
            Identity(keystone.url, secrets.get(keystone_service.ADMIN_PASSWORD)),
            Passwords(
                demo=secrets.get(_DEMO_PASSWORD),
                heat=secrets.get(heat_service.PASSWORD),
                heat_domain_admin=secrets.get(heat_service.DOMAIN_ADMIN_PASSWORD),
                magnum=secrets.get(magnum_services.PASSWORD),
            ),
            [
                Endpoint("orchestration", "heat", heat.endpoint),
                Endpoint("container", "magnum", magnum.endpoint),
                Endpoint("container-infra", "magnum", magnum.endpoint),
            ],
        )
        credentials.write(
            self.paths,
            keystone.url,
            demo=Account(identity.DEMO, secrets.get(_DEMO_PASSWORD), identity.DEMO),
            admin=Account("admin", secrets.get(keystone_service.ADMIN_PASSWORD), "admin"),
            commands=(Path(sys.executable).parent, kubernetes_build.folder()),
        )

    def _start_magnum(self, gateway: str, steps: Steps) -> None:
        secrets = Secrets(self.paths.secrets)
        if self.settings.bus == "rabbit":
            with steps.step("RabbitMQ"):
                Rabbit(self.paths, self.ports, secrets).start()
        self._make_database(secrets, steps)
        with steps.step("Magnum"):
            self._magnum(gateway, secrets).start()
        if self.settings.bus != "rabbit":
            for name in _RABBIT:
                processes.stop(self.paths.pid_file(name), _STOP_SECONDS)

    def _make_database(self, secrets: Secrets, steps: Steps) -> None:
        if self.settings.database == "postgresql":
            with steps.step("PostgreSQL"):
                server = PostgreSQL(self.paths)
                server.start()
                server.ensure_database(_MAGNUM)
        elif self.settings.database == "mariadb":
            MariaDB(self.paths, self.ports).ensure_database(_MAGNUM, secrets.get(_DATABASE_PASSWORD), _CHARSET)

    def _database_url(self, secrets: Secrets) -> str | None:
        if self.settings.database == "postgresql":
            return PostgreSQL(self.paths).url(_MAGNUM)
        if self.settings.database == "mariadb":
            return MariaDB(self.paths, self.ports).url(_MAGNUM, secrets.get(_DATABASE_PASSWORD), _CHARSET)
        return None

    def _magnum(self, gateway: str, secrets: Secrets) -> Magnum:
        return Magnum(
            self.paths,
            self.ports,
            gateway,
            self._keystone_url(gateway),
            secrets,
            Rabbit(self.paths, self.ports, secrets).transport_url if self.settings.bus == "rabbit" else None,
            self._database_url(secrets),
            self.settings.conductors,
            self.settings.api_workers,
        )

    def _keystone_url(self, gateway: str) -> str:
        return f"http://{gateway}:{self.ports.keystone}/v3"

    def _describe(self, docker: Engine, images: Mapping[str, Any]) -> None:
        description = {
            "name": self.paths.name,
            "docker_host": docker.docker_host,
            "gateway": docker.gateway,
            **images,
        }
        write_atomically(self.paths.description, json.dumps(description, indent=2) + "\n")

    def _stop_services(self, steps: Steps) -> None:
        for name in (*magnum_services.present(self.paths), *_BELOW_MAGNUM):
            if processes.members(self.paths.pid_file(name)):
                with steps.step(f"Stop {name}"):
                    processes.stop(self.paths.pid_file(name), _STOP_SECONDS)

    def _bay_servers(self) -> BayServers | None:
        """The servers of this cloud's bays; None while no engine runs, and so none of them does."""
        return BayServers(engine.ensure().docker_host, self.paths.name) if engine.is_available() else None

    def _stop_engine(self, steps: Steps) -> None:
        """End the Docker Engine if it was started for us and no other cloud of this machine runs."""
        if any(processes.members(root / "run") for root in _clouds()):
            return
        with steps.step("Docker Engine, if it was started for this"):
            engine.stop()


def _packages_for_servers() -> set[str]:
    """What the servers of bays need of this machine, and what makes their image."""
    wanted = set(node_image.PACKAGES)
    if not engine.is_available():
        wanted.update(engine.PACKAGES)
    if not kubernetes_build.is_built():
        wanted.update(kubernetes_build.PACKAGES)
    return wanted


def _make_environment(name: str, steps: Steps) -> Path:
    with steps.step(f"Python environment of {name.capitalize()}"):
        return venvs.ensure(name)


def _clouds() -> list[Path]:
    """The folders of all clouds of this machine."""
    return [path.parent for path in state_root().glob("*/settings.json")]
