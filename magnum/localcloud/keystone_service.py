"""The real Keystone of the local cloud: MariaDB, fernet tokens, a memcached in front of everything it looks up."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from magnum.localcloud import health, ini, memcached, processes
from magnum.localcloud.files import Secrets, digest_of_text, write_atomically, write_private
from magnum.localcloud.mariadb import MariaDB
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.processes import Service, ServiceError

NAME = "keystone"
REGION = "RegionOne"
ADMIN_PASSWORD = "admin_password"  # noqa: S105 - the name of a secret, not the secret
TOKEN_SECONDS = 4 * 3600
_PROCESS = Path(__file__).parent / "keystone_process.py"
_COMMAND_SECONDS = 300


@dataclass(frozen=True)
class Keystone:
    paths: CloudPaths
    ports: Ports
    gateway: str
    venv: Path
    secrets: Secrets
    database: MariaDB

    @property
    def url(self) -> str:
        return f"http://{self.gateway}:{self.ports.keystone}/v3"

    @property
    def _root(self) -> Path:
        return self.paths.root / "keystone"

    @property
    def _configuration(self) -> Path:
        return self._root / "keystone.conf"

    def start(self) -> bool:
        """Have Keystone running with its administrator and its own endpoint."""
        text = self._configuration_text()
        write_private(self._configuration, text)
        self._make_keys("fernet-keys")
        self._make_keys("credential-keys")
        self._prepare(digest_of_text(text, self.url, str(self.venv)))
        return processes.ensure(
            Service(
                name=NAME,
                argv=(
                    str(self.venv / "bin" / "python"),
                    "-P",  # else modules beside the script would hide libraries of the same name
                    str(_PROCESS),
                    self.gateway,
                    str(self.ports.keystone),
                ),
                environment={
                    "OS_KEYSTONE_CONFIG_DIR": str(self._root),
                    "OS_KEYSTONE_CONFIG_FILES": "keystone.conf",
                    "MALLOC_ARENA_MAX": "2",
                    "PYTHONUNBUFFERED": "1",
                },
                log=self.paths.log(NAME),
                pid_file=self.paths.pid_file(NAME),
                healthy=lambda: health.answers_http(self.url),
                fingerprint=digest_of_text(text, _PROCESS.read_text(encoding="utf-8")),
            )
        )

    def _make_keys(self, folder: str) -> None:
        # What `keystone-manage fernet_setup` does, without its four seconds of start-up: key 0 is staged, 1 primary.
        keys = self._root / folder
        keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        for number in ("0", "1"):
            if not (keys / number).exists():
                write_private(keys / number, Fernet.generate_key().decode())

    def _prepare(self, wanted: str) -> None:
        """Schema and administrator, once for each configuration."""
        done = self._root / "prepared"
        if done.exists() and done.read_text(encoding="ascii") == wanted:
            return
        self.database.ensure_database(NAME, self.secrets.get("keystone_database_password"))
        self._manage("db_sync")
        self._manage(
            "bootstrap",
            f"--bootstrap-region-id={REGION}",
            f"--bootstrap-public-url={self.url}",
            f"--bootstrap-internal-url={self.url}",
            f"--bootstrap-admin-url={self.url}",
            password=self.secrets.get(ADMIN_PASSWORD),
        )
        write_atomically(done, wanted)

    def _manage(self, *arguments: str, password: str = "") -> None:
        result = subprocess.run(
            [str(self.venv / "bin" / "keystone-manage"), f"--config-file={self._configuration}", *arguments],
            env={"PATH": "/usr/bin:/bin", "OS_BOOTSTRAP_PASSWORD": password},
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ServiceError(f"keystone-manage {arguments[0]} failed: {(result.stderr or result.stdout)[-1500:]}")

    def _configuration_text(self) -> str:
        return ini.render(
            {
                "DEFAULT": {"public_endpoint": self.url.removesuffix("/v3")},
                "database": {"connection": self.database.url(NAME, self.secrets.get("keystone_database_password"))},
                "cache": {
                    "enabled": True,
                    "backend": "dogpile.cache.pymemcache",
                    "memcache_servers": memcached.address(self.ports),
                    "socket_timeout": 1,
                },
                "token": {"provider": "fernet", "expiration": TOKEN_SECONDS},
                "fernet_tokens": {"key_repository": str(self._root / "fernet-keys")},
                "fernet_receipts": {"key_repository": str(self._root / "fernet-keys")},
                "credential": {"key_repository": str(self._root / "credential-keys")},
                # Slow hashing protects passwords that people choose. These are random and 128 bits long, and every
                # command of a user pays for the hash.
                "identity": {"password_hash_rounds": 4},
            }
        )
