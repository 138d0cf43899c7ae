"""The real Heat of the local cloud, with the plugin that makes its servers containers of this machine."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from magnum.localcloud import health, identity, ini, memcached, processes
from magnum.localcloud.files import Secrets, digest_of_sources, digest_of_text, write_atomically, write_private
from magnum.localcloud.keystone_service import REGION
from magnum.localcloud.mariadb import MariaDB
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.processes import Service, ServiceError

NAME = "heat"
PASSWORD = "heat_password"  # noqa: S105 - the name of a secret
DOMAIN_ADMIN_PASSWORD = "heat_domain_admin_password"  # noqa: S105
PLUGIN = Path(__file__).parent / "heat_plugin"
_PROCESS = Path(__file__).parent / "heat_process.py"
_COMMAND_SECONDS = 300


@dataclass(frozen=True)
class Heat:
    paths: CloudPaths
    ports: Ports
    gateway: str
    keystone_url: str
    venv: Path
    secrets: Secrets
    database: MariaDB

    @property
    def endpoint(self) -> str:
        """The URL of the catalog, Keystone fills in the project."""
        return f"{self._base}/v1/%(tenant_id)s"

    @property
    def _base(self) -> str:
        return f"http://{self.gateway}:{self.ports.heat}"

    @property
    def _root(self) -> Path:
        return self.paths.root / "heat"

    @property
    def _configuration(self) -> Path:
        return self._root / "heat.conf"

    def start(self) -> bool:
        text = self._configuration_text()
        write_private(self._configuration, text)
        # The service user may look at the stacks of all projects with one call.
        policy = '"stacks:global_index": "role:admin or role:service"\n'
        write_atomically(self._root / "policy.yaml", policy)
        self._prepare(digest_of_text(str(self.venv)))
        return processes.ensure(
            Service(
                name=NAME,
                argv=(
                    str(self.venv / "bin" / "python"),
                    "-P",  # else modules beside the script would hide libraries of the same name
                    str(_PROCESS),
                    "--config-file",
                    str(self._configuration),
                    self.gateway,
                    str(self.ports.heat),
                ),
                environment={
                    "MAGNUM_LOCAL_CLOUD": str(self.paths.description),
                    "MALLOC_ARENA_MAX": "2",
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                log=self.paths.log(NAME),
                pid_file=self.paths.pid_file(NAME),
                healthy=lambda: health.answers_http(f"{self._base}/healthcheck"),
                fingerprint=digest_of_text(
                    text, policy, digest_of_sources([PLUGIN]), _PROCESS.read_text(encoding="utf-8")
                ),
            )
        )

    def _prepare(self, wanted: str) -> None:
        """The schema, once for each version of Heat."""
        done = self._root / "prepared"
        if done.exists() and done.read_text(encoding="ascii") == wanted:
            return
        self.database.ensure_database(NAME, self.secrets.get("heat_database_password"))
        result = subprocess.run(
            [str(self.venv / "bin" / "heat-manage"), f"--config-file={self._configuration}", "db_sync"],
            env={"PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ServiceError(f"heat-manage db_sync failed: {(result.stderr or result.stdout)[-1500:]}")
        write_atomically(done, wanted)

    def _configuration_text(self) -> str:
        heat_user: dict[str, ini.Value] = {
            "auth_type": "password",
            "auth_url": self.keystone_url,
            "username": "heat",
            "password": self.secrets.get(PASSWORD),
            "user_domain_id": identity.DEFAULT_DOMAIN,
        }
        return ini.render(
            {
                "DEFAULT": {
                    "host": "magnum-local",
                    "transport_url": "fake://",
                    "rpc_response_timeout": 120,
                    "plugin_dirs": str(PLUGIN),
                    "auth_encryption_key": self.secrets.get("heat_encryption_key"),
                    "deferred_auth_method": "trusts",
                    "stack_user_domain_name": identity.HEAT_DOMAIN,
                    "stack_domain_admin": identity.HEAT_DOMAIN_ADMIN,
                    "stack_domain_admin_password": self.secrets.get(DOMAIN_ADMIN_PASSWORD),
                    "region_name_for_services": REGION,
                    "server_keystone_endpoint_type": "public",
                    "num_engine_workers": 1,
                    "convergence_engine": True,
                    "max_stacks_per_tenant": 1000,
                    "heat_metadata_server_url": self._base,
                },
                "clients": {"endpoint_type": "publicURL"},
                "clients_keystone": {"auth_uri": self.keystone_url.removesuffix("/v3")},
                "database": {"connection": self.database.url(NAME, self.secrets.get("heat_database_password"))},
                "keystone_authtoken": {
                    **heat_user,
                    "project_name": identity.SERVICE_PROJECT,
                    "project_domain_id": identity.DEFAULT_DOMAIN,
                    "www_authenticate_uri": self.keystone_url,
                    "memcached_servers": memcached.address(self.ports),
                    "service_token_roles_required": True,
                },
                "trustee": heat_user,
                "paste_deploy": {"api_paste_config": str(self.venv / "etc" / "heat" / "api-paste.ini")},
                "oslo_policy": {"policy_file": str(self._root / "policy.yaml")},
            }
        )
