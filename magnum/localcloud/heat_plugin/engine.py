"""Docker Engine as far as this plugin needs it: plain calls, each with a timeout, each safe to repeat.

Each thread has a client of its own, because a requests session is not promised to be safe between threads.
"""

import io
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import docker
import docker.errors
import requests.exceptions

from . import errors

# A container's create can wait for the disk of a busy machine.
_TIMEOUT = 180
_POLL = 0.5
# What Docker says, for want of a code of its own.
_BEING_REMOVED = "already in progress"
_NOT_CONNECTED = "is not connected"


@dataclass(frozen=True)
class Endpoint:
    """A place on a bridge: its network's Docker name, and the addresses that were reserved there."""

    network: str
    address: str
    mac: str | None = None

    def settings(self, alias: str) -> dict[str, Any]:
        """This place in the words of Docker's API."""
        wanted: dict[str, Any] = {"IPAMConfig": {"IPv4Address": self.address}, "Aliases": [alias]}
        return wanted | ({"MacAddress": self.mac} if self.mac else {})


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be made."""

    name: str
    image: str
    hostname: str
    labels: Mapping[str, str]
    endpoint: Endpoint
    host_config: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    command: tuple[str, ...] | None = None


@dataclass(frozen=True)
class File:
    """A file to be put into a container."""

    path: str
    content: bytes
    mode: int = 0o600


class Engine:
    """The calls."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._local = threading.local()

    def ranges(self) -> list[IPv4Network]:
        """The IPv4 ranges of all Docker networks."""
        with _translated("list the networks"):
            networks = self._api.networks()
        configs = (config for network in networks for config in (network.get("IPAM") or {}).get("Config") or [])
        return [IPv4Network(config["Subnet"]) for config in configs if "." in config.get("Subnet", "")]

    def create_network(self, name: str, cidr: IPv4Network, gateway: IPv4Address, labels: Mapping[str, str]) -> bool:
        """Make a bridge; False when Docker says that its range is taken."""
        ipam = {"Driver": "default", "Config": [{"Subnet": str(cidr), "Gateway": str(gateway)}]}
        try:
            with _translated(f"make the network {name}"):
                self._api.create_network(name, driver="bridge", ipam=ipam, labels=dict(labels), check_duplicate=True)
        except errors.LocalCloudError as error:
            if "overlaps" in str(error):
                return False
            raise
        return True

    def remove_network(self, name: str) -> None:
        """Remove a bridge, if it is there."""
        with _translated(f"remove the network {name}"), _ignoring_absence():
            self._api.remove_network(name)

    def create_container(self, spec: ContainerSpec) -> None:
        """Make a container, not yet started."""
        endpoint = spec.endpoint
        with _translated(f"make the container of {spec.hostname}"):
            self._api.create_container(
                spec.image,
                command=list(spec.command) if spec.command else None,
                name=spec.name,
                hostname=spec.hostname,
                labels=dict(spec.labels),
                environment=dict(spec.environment),
                host_config=dict(spec.host_config) | {"NetworkMode": endpoint.network},
                networking_config={"EndpointsConfig": {endpoint.network: endpoint.settings(spec.hostname)}},
                mac_address=endpoint.mac,
            )

    def connect(self, container: str, endpoint: Endpoint, alias: str) -> None:
        """Put a container on a further bridge."""
        with _translated(f"connect {alias} to {endpoint.network}"):
            self._api.connect_container_to_network(
                container, endpoint.network, ipv4_address=endpoint.address, aliases=[alias]
            )

    def disconnect(self, container: str, network: str) -> None:
        """Take a container off a bridge, if it is there."""
        with _translated(f"disconnect {container} from {network}"), _ignoring_absence(_NOT_CONNECTED):
            self._api.disconnect_container_from_network(container, network, force=True)

    def put_files(self, container: str, files: list[File]) -> None:
        """Write files into a container; their folders are made."""
        with _translated(f"write files into {container}"):
            self._api.put_archive(container, "/", _archive(files))

    def start(self, container: str) -> None:
        """Start a container."""
        with _translated(f"start {container}"):
            self._api.start(container)

    def signal(self, container: str, name: str) -> None:
        """Send a signal to a container's first process."""
        with _translated(f"signal {container}"):
            self._api.kill(container, name)

    def inspect(self, container: str) -> dict[str, Any] | None:
        """What Docker knows of a container, or None when there is none."""
        with _translated(f"look at {container}"):
            try:
                found: dict[str, Any] = self._api.inspect_container(container)
            except docker.errors.NotFound:
                return None
        return found

    def last_line(self, container: str) -> str:
        """The last line that a container wrote to its console."""
        with _translated(f"read the console of {container}"):
            text = self._api.logs(container, tail=5).decode(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200] if lines else ""

    def run(self, container: str, command: list[str]) -> str:
        """Run a command in a container; its output, or an error when it fails."""
        with _translated(f"run {command[0]} in {container}"):
            job = self._api.exec_create(container, command)["Id"]
            output = self._api.exec_start(job).decode(errors="replace").strip()
            code = self._api.exec_inspect(job)["ExitCode"]
        if code != 0:
            raise errors.LocalCloudError(f"{command[0]} failed in {container}: {output[:200]}")
        return str(output)

    def remove_container(self, container: str) -> None:
        """Remove a container with its anonymous volumes, if it is there, running or not."""
        with _translated(f"remove {container}"):
            try:
                self._api.remove_container(container, v=True, force=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if _BEING_REMOVED not in str(error):
                    raise
                # Another asked before; the container's bridge is busy until that is done.
                self._await_absence(container)

    def has_image(self, name: str) -> bool:
        """Whether the engine has that image."""
        with _translated(f"look for the image {name}"):
            try:
                self._api.inspect_image(name)
            except docker.errors.NotFound:
                return False
        return True

    def build_image(self, name: str, dockerfile: str, labels: Mapping[str, str]) -> None:
        """Build an image from a Dockerfile that needs no other files."""
        last = ""
        with _translated(f"build the image {name}"):
            lines = self._api.build(
                fileobj=io.BytesIO(dockerfile.encode()),
                tag=name,
                labels=dict(labels),
                network_mode="host",
                rm=True,
                decode=True,
            )
            for line in lines:
                if "error" in line:
                    raise errors.LocalCloudError(f"Image {name} could not be built: {line['error']} {last}".strip())
                last = (line.get("stream") or "").strip() or last

    def _await_absence(self, container: str) -> None:
        deadline = time.monotonic() + _TIMEOUT
        while self.inspect(container) is not None:
            if time.monotonic() > deadline:
                raise errors.LocalCloudError(f"Container {container} is being removed for too long.")
            time.sleep(_POLL)

    @property
    def _api(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None:
            with _translated("connect"):
                client = self._local.client = docker.APIClient(base_url=self._host, version="auto", timeout=_TIMEOUT)
        return client


@contextmanager
def _translated(action: str) -> Iterator[None]:
    """Give failures of the engine as an error that says what was being done."""
    try:
        yield
    except docker.errors.APIError as error:
        detail = error.explanation or str(error)
        raise errors.LocalCloudError(f"Docker Engine could not {action}: {detail}") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise errors.LocalCloudError(f"Docker Engine did not answer the request to {action}.") from error


@contextmanager
def _ignoring_absence(also: str | None = None) -> Iterator[None]:
    try:
        yield
    except docker.errors.NotFound:
        return
    except docker.errors.APIError as error:
        if also is None or also not in str(error):
            raise


def _archive(files: list[File]) -> bytes:
    """A tar of the files and the folders they need."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for folder in sorted({parent for file in files for parent in _parents(file.path)}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(entry)
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode = len(file.content), file.mode
            tar.addfile(entry, io.BytesIO(file.content))
    return buffer.getvalue()


def _parents(path: str) -> Iterator[str]:
    parts = path.strip("/").split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join(parts[:count])
