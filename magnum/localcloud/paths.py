"""Where a local cloud keeps its things, and on which ports it listens."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT_NAME = "demo"
LARGEST_OFFSET = 39000
"""Further up there would be no port for the last service."""
SOURCE_ROOT = Path(__file__).resolve().parents[2]
"""The checkout (or the folder that holds the installed package)."""

_LONGEST_ROOT = 85
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")


def cache_root() -> Path:
    """What is made once per machine and outlives every cloud: environments, Kubernetes, images."""
    return Path(os.environ.get("MAGNUM_LOCAL_CACHE", "/var/cache/magnum-local"))


def state_root() -> Path:
    """What the clouds of this machine keep while they exist."""
    return Path(os.environ.get("MAGNUM_LOCAL_STATE", "/var/lib/magnum-local"))


@dataclass(frozen=True)
class CloudPaths:
    """The files of the cloud called ``name``."""

    name: str
    root: Path

    @classmethod
    def named(cls, name: str) -> "CloudPaths":
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot name a cloud: use at most 31 lower-case letters, digits and dashes, a letter first"
            )
        root = state_root() / name
        if len(str(root)) > _LONGEST_ROOT:
            raise ValueError(
                f"{root} is too long a name: sockets below it must fit. Choose another MAGNUM_LOCAL_STATE."
            )
        return cls(name=name, root=root)

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets.json"

    @property
    def settings(self) -> Path:
        """The options the cloud was brought up with."""
        return self.root / "settings.json"

    @property
    def description(self) -> Path:
        """What Heat's plugin needs to know of this cloud."""
        return self.root / "cloud.json"

    @property
    def openrc(self) -> Path:
        return self.root / "openrc"

    @property
    def admin_openrc(self) -> Path:
        return self.root / "openrc-admin"

    @property
    def clouds_yaml(self) -> Path:
        return self.root / "clouds.yaml"

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def pid_file(self, service: str) -> Path:
        return self.run / f"{service}.pid"


@dataclass(frozen=True)
class Ports:
    """The ports of a cloud; ``offset`` moves all of them, so that two clouds fit beside each other."""

    offset: int = 0

    @property
    def keystone(self) -> int:
        return 5000 + self.offset

    @property
    def heat(self) -> int:
        return 8004 + self.offset

    @property
    def heat_control(self) -> int:
        """Where a Heat that only plays takes orders."""
        return 8005 + self.offset

    @property
    def magnum(self) -> int:
        return 9511 + self.offset

    @property
    def api_figures(self) -> int:
        """Where Prometheus fetches figures, once they are switched on."""
        return 9512 + self.offset

    def conductor_figures(self, number: int) -> int:
        """The same of a conductor; they are counted from 1."""
        return self.api_figures + number

    @property
    def mariadb(self) -> int:
        return 13306 + self.offset

    @property
    def memcached(self) -> int:
        return 21211 + self.offset

    @property
    def rabbit(self) -> int:
        return 25672 + self.offset

    @property
    def rabbit_distribution(self) -> int:
        """Where Erlang nodes talk to each other (rabbitmqctl uses it)."""
        return 25673 + self.offset

    @property
    def epmd(self) -> int:
        """Erlang's port mapper, one of our own."""
        return 14369 + self.offset
