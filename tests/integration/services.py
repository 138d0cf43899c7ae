"""Magnum's services as processes of their own on the loopback address; no local cloud is needed for these."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from oslo_config import cfg
from oslo_db import options as database_options

from magnum.db.session import Database
from magnum.localcloud import ini

SECONDS = 30
_BIN = Path(sys.executable).parent


def free_port() -> int:
    return free_ports(1)[0]


def free_ports(number: int) -> list[int]:
    """Each another one: asked for in turn, the second may be the first again."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [int(probe.getsockname()[1]) for probe in probes]


def who_takes_nothing(port: int) -> socket.socket:
    """A client for whom next to nothing of an answer goes into the buffers of the kernel."""
    client = socket.socket()
    client.settimeout(SECONDS)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    client.connect(("127.0.0.1", port))
    return client


def configure(folder: Path, name: str = "magnum", **sections: Mapping[str, object]) -> Path:
    """Write a configuration, of which these sections say more; gives its file."""
    path = folder / f"{name}.conf"
    key = folder / "key"
    if not key.exists():
        key.write_text(Fernet.generate_key().decode())
    values: dict[str, dict[str, object]] = {
        "DEFAULT": {"transport_url": "fake://", "host": name},
        "certificates": {"encryption_key": key.read_text()},
        "database": {"connection": f"sqlite:///{folder}/magnum.sqlite"},
        "keystone_authtoken": {"auth_type": "none", "www_authenticate_uri": "http://keystone.invalid"},
    }
    for section, more in sections.items():
        values.setdefault(section, {}).update(more)
    path.write_text(
        ini.render({section: {key: str(each) for key, each in of.items()} for section, of in values.items()})
    )
    return path


def upgrade(conf: Path) -> None:
    """Make the tables."""
    subprocess.run([_BIN / "magnum-db-manage", f"--config-file={conf}", "upgrade"], check=True, timeout=60)


def database_at(url: str) -> Database:
    """A way into the database of the services, for the test itself."""
    conf = cfg.ConfigOpts()
    conf.register_opts(database_options.database_opts, group="database")
    conf([], default_config_files=[])
    conf.set_override("connection", url, group="database")
    return Database(conf)


@contextmanager
def running(command: str, conf: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A service, until the end of the test at the latest; its log stands beside its configuration."""
    with log_of(conf).open("wb") as stream:
        process = subprocess.Popen(
            [_BIN / command, f"--config-file={conf}"], stdout=stream, stderr=subprocess.STDOUT, cwd=conf.parent
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(SECONDS + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(SECONDS)


def log_of(conf: Path) -> Path:
    """Where a service with this configuration writes."""
    return conf.with_suffix(".log")


def eventually(happened: Callable[[], object], conf: Path, seconds: float = SECONDS) -> None:
    """Wait for it; the service's log is shown where it does not happen."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, log_of(conf).read_text()[-4000:]
        time.sleep(0.1)
