"""A PostgreSQL of our own, for Magnum alone (`--database postgresql`).

It does not run as root, so it runs as the user that Debian's package makes. It listens on a socket only, in a folder
that nobody else may enter, and so needs no passwords.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from magnum.localcloud import processes
from magnum.localcloud.files import digest_of_text
from magnum.localcloud.paths import CloudPaths
from magnum.localcloud.processes import Service, ServiceError

PACKAGES = ("postgresql-15",)
NAME = "postgresql"
_COMMANDS = Path("/usr/lib/postgresql/15/bin")
_USER = "postgres"
_AS_USER = ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--init-groups", "--")
# What is committed outlives a kill -9, though not a power cut: the kernel has it, and nobody waits for its disk.
_OPTIONS = ("-clisten_addresses=", "-cmax_connections=300", "-cshared_buffers=32MB", "-cfsync=off")
_INITDB = ("--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
_COMMAND_SECONDS = 120


@dataclass(frozen=True)
class PostgreSQL:
    paths: CloudPaths

    @property
    def _root(self) -> Path:
        return self.paths.root / "postgresql"

    @property
    def _data(self) -> Path:
        return self._root / "data"

    def start(self) -> bool:
        self._make_data()
        argv = (*_AS_USER, str(_COMMANDS / "postgres"), "-D", str(self._data), "-k", str(self._root), *_OPTIONS)
        return processes.ensure(
            Service(
                name=NAME,
                argv=argv,
                log=self.paths.log(NAME),
                pid_file=self.paths.pid_file(NAME),
                healthy=lambda: self._run("pg_isready", "-h", str(self._root)).returncode == 0,
                fingerprint=digest_of_text(*argv),
                stop_seconds=30.0,
            )
        )

    def ensure_database(self, name: str) -> None:
        """Have a database of that name."""
        result = self._run("createdb", "-h", str(self._root), name)
        if result.returncode != 0 and "already exists" not in result.stderr:
            raise ServiceError(f"PostgreSQL refused to make a database: {result.stderr.strip()[-400:]}")

    def url(self, name: str) -> str:
        return f"postgresql+psycopg2://{_USER}@/{name}?host={self._root}"

    def _make_data(self) -> None:
        if self._data.exists():
            return
        partial = self._root / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        self._root.mkdir(mode=0o700, exist_ok=True)
        shutil.chown(self._root, _USER, _USER)
        result = self._run("initdb", *_INITDB, f"--pgdata={partial}")
        if result.returncode != 0:
            raise ServiceError(f"initdb failed: {(result.stderr or result.stdout).strip()[-800:]}")
        partial.rename(self._data)

    def _run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*_AS_USER, str(_COMMANDS / command), *arguments],
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
            cwd="/",
        )
