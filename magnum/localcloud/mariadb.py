"""A MariaDB of our own: for Heat, which SQLite cannot serve, and for Keystone, as one server then costs less than two.

Its data, socket, port and folder for temporary tables are the cloud's; a server that Debian runs on this machine is
neither used nor disturbed. The folder matters: a server that starts removes all temporary tables that it finds there.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from magnum.localcloud import health, processes
from magnum.localcloud.files import digest_of_text, write_atomically
from magnum.localcloud.paths import CloudPaths, Ports
from magnum.localcloud.processes import Service, ServiceError

PACKAGES = ("mariadb-server-core", "mariadb-client-core")
NAME = "mariadb"
_STATEMENT_SECONDS = 60


@dataclass(frozen=True)
class MariaDB:
    paths: CloudPaths
    ports: Ports

    @property
    def _root(self) -> Path:
        return self.paths.root / "mariadb"

    @property
    def _data(self) -> Path:
        return self._root / "data"

    @property
    def _temporary(self) -> Path:
        return self._root / "tmp"

    @property
    def _socket(self) -> Path:
        return self._root / "mariadb.sock"

    @property
    def _configuration(self) -> Path:
        return self._root / "my.cnf"

    def start(self) -> bool:
        text = self._configuration_text()
        write_atomically(self._configuration, text)
        self._temporary.mkdir(mode=0o700, exist_ok=True)
        self._make_data()
        return processes.ensure(
            Service(
                name=NAME,
                argv=("mariadbd", f"--defaults-file={self._configuration}"),
                log=self.paths.log(NAME),
                pid_file=self.paths.pid_file(NAME),
                healthy=lambda: health.accepts_unix(self._socket),
                fingerprint=digest_of_text(text),
                stop_seconds=30.0,
            )
        )

    def ensure_database(self, name: str, password: str, charset: str = "utf8") -> None:
        """Have a database and a user of that name who may use it, and nothing else."""
        self._execute(
            f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET {charset};"
            f"CREATE USER IF NOT EXISTS '{name}'@'localhost' IDENTIFIED BY '{password}';"
            f"CREATE USER IF NOT EXISTS '{name}'@'127.0.0.1' IDENTIFIED BY '{password}';"
            f"GRANT ALL ON `{name}`.* TO '{name}'@'localhost';"
            f"GRANT ALL ON `{name}`.* TO '{name}'@'127.0.0.1';"
        )

    def url(self, name: str, password: str, charset: str = "utf8") -> str:
        return f"mysql+pymysql://{name}:{password}@localhost/{name}?unix_socket={self._socket}&charset={charset}"

    def _make_data(self) -> None:
        if self._data.exists():
            return
        partial = self._root / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        result = subprocess.run(
            ["mariadb-install-db", f"--defaults-file={self._configuration}", f"--datadir={partial}", "--skip-test-db"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if result.returncode != 0:
            raise ServiceError(f"mariadb-install-db failed: {(result.stderr or result.stdout).strip()[-800:]}")
        partial.rename(self._data)

    def _execute(self, statements: str) -> None:
        # By standard input: a password among the arguments would show in every process list.
        result = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self._socket}", "--user=root", "--batch"],
            input=statements,
            capture_output=True,
            text=True,
            timeout=_STATEMENT_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise ServiceError(f"MariaDB refused to set up a database: {result.stderr.strip()[-400:]}")

    def _configuration_text(self) -> str:
        # Small, and quick rather than safe from a power cut: this is a cloud to develop and try things on.
        return f"""[mariadbd]
user = root
datadir = {self._data}
tmpdir = {self._temporary}
socket = {self._socket}
pid-file = {self._root}/mariadbd.pid
bind-address = 127.0.0.1
port = {self.ports.mariadb}
performance-schema = off
innodb-buffer-pool-size = 64M
innodb-log-file-size = 32M
innodb-flush-log-at-trx-commit = 2
aria-pagecache-buffer-size = 8M
key-buffer-size = 1M
max-connections = 400
table-open-cache = 400
skip-log-bin
skip-name-resolve
"""
