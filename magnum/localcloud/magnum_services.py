"""Magnum itself in the local cloud: its configuration, its schema, and its processes."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.fernet import Fernet

from magnum.localcloud import health, identity, ini, kubernetes_build, memcached, processes
from magnum.localcloud.files import Secrets, digest_of_sources, digest_of_text, write_private
from magnum.localcloud.keystone_service import REGION
from magnum.localcloud.paths import SOURCE_ROOT, CloudPaths, Ports
from magnum.localcloud.processes import Service, ServiceError

API = "magnum-api"
CONDUCTOR = "magnum-conductor"
EMBEDDED = "magnum-embedded"
PASSWORD = "magnum_password"  # noqa: S105 - the name of a secret
_SOURCES = ("api", "certificates", "clients", "cmd", "coe", "common", "conductor", "conf", "db", "drivers", "policies")
_MIGRATION_SECONDS = 300
_IN_MEMORY = "fake://"
# What differs where nodes are containers that share their host's kernel, cgroups and lack of an internet.
_LABELS = {
    "kube_tag": kubernetes_build.VERSION,
    "preflight_enabled": "false",
    "cgroup_driver": "cgroupfs",
    "fail_swap_on": "false",
    "conntrack_max_per_core": "0",
    "coredns_enabled": "false",
}


@dataclass(frozen=True)
class Magnum:
    """Magnum of one cloud. With a ``transport_url`` API and conductors run apart, without in one process.

    :param database_url: where its rows are; a file of its own where not given
    """

    paths: CloudPaths
    ports: Ports
    gateway: str
    keystone_url: str
    secrets: Secrets
    transport_url: str | None = None
    database_url: str | None = None
    conductors: int = 1
    api_workers: int = 1

    @property
    def endpoint(self) -> str:
        return f"{self._base}/v1"

    @property
    def configuration(self) -> Path:
        return self._root / "magnum.conf"

    @property
    def own_configuration(self) -> Path:
        """What whoever uses the cloud wants to be otherwise; read after the other one, never written here."""
        return self._root / "own.conf"

    @property
    def _base(self) -> str:
        return f"http://{self.gateway}:{self.ports.magnum}"

    @property
    def _root(self) -> Path:
        return self.paths.root / "magnum"

    def start(self) -> bool:
        """Have Magnum running as this checkout has it. True if something had to be started."""
        text = self._configuration_text()
        write_private(self.configuration, text)
        services = self.services()
        current = {service.name for service in services if _is_current(service)}
        for name in present(self.paths):
            if name not in current:
                processes.stop(self.paths.pid_file(name))
        if len(current) < len(services):
            self._upgrade_schema()
        started = [processes.ensure(service) for service in services]
        for service in services:
            if processes.running(service.pid_file) is None:  # the conductor has nothing to be asked whether it is well
                raise ServiceError(
                    f"{service.name} has ended; the end of {service.log}:\n{processes.tail(service.log)}"
                )
        return any(started)

    @property
    def connection(self) -> str:
        """Where its rows are, as SQLAlchemy writes it."""
        return self.database_url or f"sqlite:///{self._sqlite}"

    @property
    def _sqlite(self) -> Path:
        return self._root / "magnum.sqlite"

    def services(self) -> list[Service]:
        """Its processes, as this checkout and the configuration have them."""
        own = self.own_configuration.read_text(encoding="utf-8") if self.own_configuration.exists() else ""
        fingerprint = digest_of_text(self._configuration_text(), own, str(SOURCE_ROOT), _digest_of_magnum())
        if self.transport_url is None:
            return [self._service(EMBEDDED, fingerprint, serves_http=True)]
        names = enumerate(conductor_names(self.conductors), start=1)
        conductors = [self._conductor(name, number, fingerprint) for number, name in names]
        return [*conductors, self._service(API, fingerprint, serves_http=True)]

    def _conductor(self, name: str, number: int, fingerprint: str) -> Service:
        """Each is known by a name of its own, as on hosts of their own, and has a port of its own."""
        own = self._root / f"{name}.conf"
        port = self.ports.conductor_figures(number)
        options: dict[str, dict[str, ini.Value]] = {"DEFAULT": {"host": f"{self._host}-{name}"}}
        write_private(own, ini.render({**options, "metrics": {"conductor_port": port}}))
        service = self._service(CONDUCTOR, fingerprint, serves_http=False)
        return replace(
            service,
            name=name,
            argv=(*service.argv, f"--config-file={own}"),
            log=self.paths.log(name),
            pid_file=self.paths.pid_file(name),
        )

    @property
    def _host(self) -> str:
        return f"magnum-local-{self.paths.name}"

    def _service(self, name: str, fingerprint: str, *, serves_http: bool) -> Service:
        return Service(
            name=name,
            argv=(_command(name), f"--config-file={self.configuration}", *self._own_arguments()),
            environment={"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            log=self.paths.log(name),
            pid_file=self.paths.pid_file(name),
            healthy=(lambda: health.answers_http(f"{self._base}/healthcheck")) if serves_http else (lambda: True),
            fingerprint=fingerprint,
        )

    def _own_arguments(self) -> list[str]:
        return [f"--config-file={self.own_configuration}"] if self.own_configuration.exists() else []

    def _upgrade_schema(self) -> None:
        result = subprocess.run(
            [_command("magnum-db-manage"), f"--config-file={self.configuration}", "upgrade"],
            capture_output=True,
            text=True,
            timeout=_MIGRATION_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ServiceError(f"magnum-db-manage upgrade failed: {(result.stderr or result.stdout)[-1500:]}")
        if self.database_url is None:
            self._sqlite.chmod(0o600)

    def _configuration_text(self) -> str:
        magnum_user: dict[str, ini.Value] = {
            "auth_type": "password",
            "auth_url": self.keystone_url,
            "username": "magnum",
            "password": self.secrets.get(PASSWORD),
            "user_domain_id": identity.DEFAULT_DOMAIN,
            "project_name": identity.SERVICE_PROJECT,
            "project_domain_id": identity.DEFAULT_DOMAIN,
        }
        return ini.render(
            {
                "DEFAULT": {
                    "host": self._host,
                    "transport_url": self.transport_url or _IN_MEMORY,
                },
                "api": {
                    "host": self.gateway,
                    "port": self.ports.magnum,
                    "workers": self.api_workers,
                    "api_paste_config": str(SOURCE_ROOT / "etc" / "magnum" / "api-paste.ini"),
                },
                "baymodel": {"kubernetes_default_network_driver": "bridge"},
                "certificates": {"encryption_key": self.secrets.get_made_by("certificates_key", _new_fernet_key)},
                "database": {"connection": self.connection},
                "heat_client": {"region_name": REGION},
                "keystone_auth": magnum_user,
                "kubernetes": {"default_labels": ",".join(f"{name}:{value}" for name, value in _LABELS.items())},
                "keystone_authtoken": {
                    **magnum_user,
                    "www_authenticate_uri": self.keystone_url,
                    "memcached_servers": memcached.address(self.ports),
                    "service_token_roles_required": True,
                },
                "metrics": {"api_port": self.ports.api_figures},
                "oslo_messaging_rabbit": {"rabbit_quorum_queue": True},
                "trust": {"trustee_domain_name": identity.MAGNUM_DOMAIN},
            }
        )


def conductor_names(count: int) -> list[str]:
    """The names of so many conductors."""
    return [CONDUCTOR, *(f"{CONDUCTOR}-{number}" for number in range(2, count + 1))]


def present(paths: CloudPaths) -> list[str]:
    """Every process of Magnum that was started and not stopped, the API first."""
    return sorted(path.stem for path in paths.run.glob("magnum-*.pid"))


def _command(name: str) -> str:
    """A command of the environment this one runs in."""
    return str(Path(sys.executable).parent / name)


def _digest_of_magnum() -> str:
    package = SOURCE_ROOT / "magnum"
    folders = [package / name for name in _SOURCES]
    return digest_of_sources([*folders, SOURCE_ROOT / "templates", SOURCE_ROOT / "etc" / "magnum"])


def _is_current(service: Service) -> bool:
    found = processes.running(service.pid_file)
    return found is not None and found.fingerprint == service.identity()


def _new_fernet_key() -> str:
    return Fernet.generate_key().decode()
