"""The Docker Engine in which the servers of bays run: the one that answers on this machine, else one started here.

An engine that is already there is used as it is and never ended by us. One that is started here keeps its data below
the state folder, listens where docker commands look for it, and ends with the last cloud.
"""

import fcntl
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests.exceptions

from magnum.localcloud import processes
from magnum.localcloud.paths import state_root
from magnum.localcloud.processes import Service, ServiceError

PACKAGES = ("docker.io",)
DEFAULT_GATEWAY = "172.17.0.1"
"""The address of this machine towards containers that an engine of ours chooses, unless that range is taken."""

_SOCKET = Path("/var/run/docker.sock")
_DOCKER_HOST = f"unix://{_SOCKET}"
_SECONDS = 120
_START_SECONDS = 60.0
# It stops its containers first, each with a grace period.
_STOP_SECONDS = 60.0
# Images and nodes are layers of files shared without copying; other drivers copy, or do not work within each other.
_DRIVERS = ("overlay2", "overlayfs")
_INTERFACE_NAME_BYTES = 16
_SIOCGIFADDR = 0x8915


@dataclass(frozen=True)
class Engine:
    """A Docker Engine that answers."""

    docker_host: str
    root: Path
    """Where it keeps its data, on this machine."""
    gateway: str
    """The address at which containers of its default network reach this machine."""

    def client(self, seconds: int = _SECONDS) -> Any:
        """A client of the docker library, whose calls end after ``seconds``."""
        return docker.DockerClient(base_url=self.docker_host, timeout=seconds)


def is_available() -> bool:
    """Whether an engine answers. A socket that an engine left when it was killed is none."""
    if not _SOCKET.exists():
        return False
    try:
        client = docker.DockerClient(base_url=_DOCKER_HOST, timeout=_SECONDS)
    except (docker.errors.DockerException, requests.exceptions.RequestException):
        return False
    client.close()
    return True  # the client has asked for the engine's version already


def ensure() -> Engine:
    """Find the engine that answers, or start one (which needs PACKAGES)."""
    if not is_available():
        processes.ensure(_service())
    return _describe()


def has_data() -> bool:
    """Whether an engine that was started here has left what it kept: servers and networks of bays may be in it."""
    return _data().exists()


def stop() -> bool:
    """End the engine if it was started here; True if it was, and ran."""
    return processes.stop(_pid_file(), _STOP_SECONDS)


def remove() -> None:
    """End the engine if it was started here, and remove all data that such an engine ever kept."""
    stop()
    if is_available() and _describe().root == _data():
        return  # somebody else has an engine use it
    shutil.rmtree(_data(), ignore_errors=True)
    shutil.rmtree(_folder(), ignore_errors=True)


def process_ids() -> list[int]:
    """The processes of an engine that was started here, those of its containers apart; none for any other engine."""
    return processes.members(_pid_file())


def _folder() -> Path:
    return state_root() / "engine"


def _data() -> Path:
    return state_root() / "docker"


def _pid_file() -> Path:
    return _folder() / "dockerd.pid"


def _service() -> Service:
    program = shutil.which("dockerd")
    if program is None:
        raise ServiceError("There is no Docker Engine: dockerd is not installed. Install it: apt-get install docker.io")
    return Service(
        name="Docker Engine",
        argv=(
            program,
            f"--host={_DOCKER_HOST}",
            f"--data-root={_data()}",
            f"--pidfile={_folder() / 'dockerd.own.pid'}",
        ),
        log=_folder() / "dockerd.log",
        pid_file=_pid_file(),
        healthy=is_available,
        start_seconds=_START_SECONDS,
        stop_seconds=_STOP_SECONDS,
    )


def _describe() -> Engine:
    client = docker.DockerClient(base_url=_DOCKER_HOST, timeout=_SECONDS)
    try:
        information = client.info()
        gateway = _address_of(bridge_of(client.networks.get("bridge").attrs))
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise ServiceError(f"The Docker Engine at {_SOCKET} does not answer as it should: {error}") from error
    finally:
        client.close()
    root = Path(information["DockerRootDir"])
    check_storage(str(information["Driver"]), root)
    return Engine(docker_host=_DOCKER_HOST, root=root, gateway=gateway)


def bridge_of(network: dict[str, Any]) -> str:
    """The name of the interface through which this machine is in a network, as the engine describes the network."""
    name = (network.get("Options") or {}).get("com.docker.network.bridge.name")
    if not name:
        raise ServiceError(
            "The Docker Engine's default network `bridge` has no interface here, so the servers of bays could not "
            'reach this machine. Remove "bridge": "none" from /etc/docker/daemon.json and restart the engine.'
        )
    return str(name)


def _address_of(interface: str) -> str:
    """The IPv4 address of one of this machine's interfaces. (The engine itself knows it only after a restart.)"""
    request = struct.pack("256s", interface.encode()[: _INTERFACE_NAME_BYTES - 1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, _SIOCGIFADDR, request)
        except OSError as error:
            raise ServiceError(
                f"The interface {interface} of the Docker Engine's default network has no IPv4 address here "
                f"({error.strerror}). Bays need an engine that runs on this machine, its network `bridge` unchanged."
            ) from error
    return socket.inet_ntoa(answer[20:24])


def check_storage(driver: str, root: Path) -> None:
    """Raise ServiceError if nodes cannot live with the way in which the engine keeps its data."""
    if driver not in _DRIVERS:
        raise ServiceError(
            f"The Docker Engine keeps its data with the driver {driver!r}; bays need overlay2. Have {root} on ext4 or "
            "xfs (for an engine started by magnum-local: export MAGNUM_LOCAL_STATE=FOLDER on such a disk)."
        )
    if not root.is_dir():
        raise ServiceError(
            f"The Docker Engine keeps its data in {root}, which is not on this machine. Bays need an engine that runs "
            "right here: stop forwarding its socket, or run magnum-local where the engine is."
        )
