"""Real databases for tests: PostgreSQL and MariaDB from Debian's packages, each in a folder of its own.

A server listens on a socket in its folder only, keeps nothing safe from a crash, and ends with the test session.
``python -m tests.databases`` installs what the servers need.
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from magnum.localcloud import mariadb, packages

NAMES = ("sqlite", "postgresql", "mariadb")
_POSTGRESQL = Path("/usr/lib/postgresql/15/bin")
_START_SECONDS = 60.0
_TRY_SECONDS = 5.0
_MAGNUM = "magnum"


class Server(ABC):
    """A database server in a folder."""

    packages: ClassVar[tuple[str, ...]]
    ending: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends it at once, clients or not."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._said = ""  # by the program that was run last

    @property
    @abstractmethod
    def url(self) -> str:
        """Where Magnum's database is, as SQLAlchemy writes it."""

    @abstractmethod
    def prepare(self) -> None:
        """Make the server's files."""

    @abstractmethod
    def argv(self) -> Sequence[str | Path]:
        """The server's own command."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server takes commands yet."""

    @abstractmethod
    def make_database(self) -> bool:
        """Make Magnum's database; whether that went."""

    @contextmanager
    def running(self) -> Iterator[str]:
        """The server, up; gives the URL of an empty database."""
        self.prepare()
        with (self._folder / "log").open("wb") as log:
            process = subprocess.Popen(self.argv(), stdout=log, stderr=log, user=_user(), group=_user())
            try:
                self._wait(process)
                yield self.url
            finally:
                process.send_signal(self.ending)
                process.wait(_START_SECONDS)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + _START_SECONDS
        while not self.answers():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.argv()[0]} did not start:\n{(self._folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)
        if not self.make_database():
            raise RuntimeError(f"{self.argv()[0]} made no database:\n{self._said}")

    def _run(self, *argv: str | Path, seconds: float = _START_SECONDS) -> bool:
        try:
            result = subprocess.run(
                argv, capture_output=True, timeout=seconds, check=False, cwd="/", user=_user(), group=_user()
            )
        except subprocess.TimeoutExpired as error:
            self._said = str(error)
            return False
        self._said = (result.stdout + result.stderr).decode(errors="replace")[-4000:]
        return result.returncode == 0


def _user() -> int:
    """Who the server runs as: neither takes root, so that becomes nobody."""
    return os.geteuid() or pwd.getpwnam("nobody").pw_uid


class PostgreSQL(Server):
    """PostgreSQL 15."""

    packages = ("postgresql-15",)
    ending = signal.SIGINT

    @property
    def url(self) -> str:
        return f"postgresql+psycopg2://{_MAGNUM}@/{_MAGNUM}?host={self._folder}"

    def prepare(self) -> None:
        initdb = ("--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8", f"--username={_MAGNUM}")
        if not self._run(_POSTGRESQL / "initdb", *initdb, f"--pgdata={self._folder / 'data'}"):
            raise RuntimeError(f"initdb failed in {self._folder}:\n{self._said}")

    def argv(self) -> Sequence[str | Path]:
        careless = [f"-c{name}=off" for name in ("fsync", "synchronous_commit", "full_page_writes")]
        places = ("-D", self._folder / "data", "-k", self._folder, "-clisten_addresses=")
        return (_POSTGRESQL / "postgres", *places, *careless)

    def answers(self) -> bool:
        return self._run(_POSTGRESQL / "pg_isready", "-h", self._folder, seconds=_TRY_SECONDS)

    def make_database(self) -> bool:
        return self._run(_POSTGRESQL / "createdb", "-h", self._folder, "-U", _MAGNUM, _MAGNUM)


class MariaDB(Server):
    """MariaDB 10.11."""

    packages = mariadb.PACKAGES

    @property
    def url(self) -> str:
        return f"mysql+pymysql://root@localhost/{_MAGNUM}?unix_socket={self._socket}&charset=utf8mb4"

    @property
    def _socket(self) -> Path:
        return self._folder / "sock"

    def prepare(self) -> None:
        settings = ("--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db")
        if not self._run("mariadb-install-db", *settings, *self._places()):
            raise RuntimeError(f"mariadb-install-db failed in {self._folder}:\n{self._said}")

    def argv(self) -> Sequence[str | Path]:
        careless = ("--innodb-flush-log-at-trx-commit=0", "--skip-log-bin", "--innodb-buffer-pool-size=32M")
        listening = (f"--socket={self._socket}", "--skip-networking")
        return ("mariadbd", "--no-defaults", *self._places(), *listening, *careless)

    def _places(self) -> Sequence[str]:
        """A server that starts removes all temporary tables in its folder for them, of whatever server they are."""
        return (f"--datadir={self._folder / 'data'}", f"--tmpdir={self._folder}")

    def answers(self) -> bool:
        return self._execute("SELECT 1", _TRY_SECONDS)

    def make_database(self) -> bool:
        return self._execute(f"CREATE DATABASE {_MAGNUM} CHARACTER SET utf8mb4", _START_SECONDS)

    def _execute(self, statement: str, seconds: float) -> bool:
        options = ("--no-defaults", f"--socket={self._socket}", "--user=root", f"--execute={statement}")
        return self._run("mariadb", *options, seconds=seconds)


SERVERS: dict[str, type[Server]] = {"postgresql": PostgreSQL, "mariadb": MariaDB}


@contextmanager
def running(name: str) -> Iterator[str]:
    """A server of this name, up; gives the URL of an empty database."""
    folder = Path(tempfile.mkdtemp(prefix="magnum-"))
    if os.geteuid() == 0:
        shutil.chown(folder, _user(), _user())
    try:
        with SERVERS[name](folder).running() as url:
            yield url
    finally:
        shutil.rmtree(folder)


def main() -> None:
    """Install the packages that are missing."""
    wanted = packages.missing([name for server in SERVERS.values() for name in server.packages])
    if wanted and os.geteuid() != 0:
        sys.exit(
            f"The functional tests on real databases need Debian packages. As root: apt-get install {' '.join(wanted)}"
        )
    if wanted:
        print(f"Installing {', '.join(wanted)} from Debian", flush=True)
        packages.install(wanted)


if __name__ == "__main__":
    main()
