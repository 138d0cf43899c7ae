"""Servers: containers that boot like virtual machines.

The id of a server is chosen by its caller and stored before anything is made here, and the container's name follows
from it. Whatever interrupts a build, deleting by the id finds all there is. Nothing is left to be cleaned up
elsewhere: the data of a node is in anonymous volumes, which go with the container.
"""

import logging
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from docker.utils import parse_bytes

from . import cloud_init, engine, errors, inventory, networks, settings

LOG = logging.getLogger(__name__)

_CONTAINERD = "/var/lib/containerd"
# Where overlay mounts are made, which cannot be stacked on the container's own, and what is written often.
_DATA_FOLDERS = (_CONTAINERD, "/var/lib/docker", "/var/lib/etcd", "/var/lib/kubelet")
# An init that cannot work in its container gives up well before this.
SETTLED_SECONDS = 1.0
_COPY_TIMEOUT = 300


@dataclass(frozen=True)
class Interface:
    """What a server is to be connected to: a port that exists, or a network or subnet in which to make one."""

    port: str | None = None
    network: str | None = None
    fixed_ip: networks.FixedIP = field(default_factory=networks.FixedIP)


@dataclass(frozen=True)
class ServerRequest:
    """A server to be made."""

    id: str
    name: str
    owner: inventory.Owner
    image: str | None
    user_data: bytes
    interfaces: Sequence[Interface]
    key_name: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


class Servers:
    """Nova, in small."""

    def __init__(
        self,
        config: Callable[[], settings.Settings],
        store: inventory.Inventory,
        docker: engine.Engine,
        nets: networks.Networks,
    ) -> None:
        self._config = config
        self._store = store
        self._docker = docker
        self._networks = nets

    def create(self, request: ServerRequest) -> None:
        """Make a server and start it; whether it stays up is for `is_active` to say."""
        config = self._config()
        image = config.image(request.image)
        files = cloud_init.seed(request.id, request.name, request.user_data, self._keys(request))
        if not request.interfaces:
            raise errors.BadRequest(f"Server {request.name} has no network.")
        self._record(request)
        places = self._connect(request)
        container = self.container(request.id)
        hostname = cloud_init.hostname(request.name)
        labels = networks.labels(config.name, request.owner)
        self._docker.create_container(
            engine.ContainerSpec(
                name=container,
                image=image.docker_image,
                hostname=hostname,
                labels=labels,
                endpoint=places[0],
                host_config=host_config(config, labels),
                environment={"container": "docker"},
            )
        )
        for place in places[1:]:
            self._docker.connect(container, place, hostname)
        self._docker.put_files(container, files)
        if image.containerd_store:
            share_store(image.containerd_store, self._mount_source(container, _CONTAINERD))
        self._docker.start(container)

    def is_active(self, server_id: str) -> bool:
        """Whether a server has come up; an error when it has ended instead."""
        found = self._docker.inspect(self.container(server_id))
        with self._store.transaction() as rows:
            name = rows.get("server", server_id).name
        if found is None:
            raise errors.ServerFailed(f"Server {name} was removed while it was being built.")
        state = found["State"]
        if state["Running"]:
            return _age(state["StartedAt"]) >= SETTLED_SECONDS
        if state["Status"] == "created":
            return False
        raise errors.ServerFailed(self._obituary(name, server_id, state))

    def is_running(self, server_id: str) -> bool:
        """Whether a server's container runs now."""
        found = self._docker.inspect(self.container(server_id))
        return found is not None and bool(found["State"]["Running"])

    def delete(self, server_id: str) -> None:
        """Remove a server and all that was made for it; what is already gone is no error."""
        self._docker.remove_container(self.container(server_id))
        self._networks.release(server_id)
        with self._store.transaction() as rows:
            rows.remove(server_id)

    def detach_ports(self, server_id: str) -> None:
        """Free the ports of a server that another is about to replace."""
        for port in self._networks.ports_of(server_id):
            for place in self._networks.endpoints(port):
                self._docker.disconnect(self.container(server_id), place.network)
        self._networks.release(server_id)

    def update(self, server_id: str, name: str | None, data: Mapping[str, Any]) -> None:
        """Change what is only remembered of a server: its name and its metadata."""
        with self._store.transaction() as rows:
            server = rows.get("server", server_id)
            server.name = name or server.name
            server.data |= data
            rows.put(server)

    def show(self, server_id: str) -> dict[str, Any]:
        """A server's attributes, addresses by network name and by network id."""
        with self._store.transaction() as rows:
            server = rows.get("server", server_id)
        addresses: dict[str, list[dict[str, Any]]] = {}
        for port in self._networks.ports_of(server_id):
            shown = self._networks.show_port(port.id)
            entries = [
                {
                    "addr": fixed["ip_address"],
                    "version": 4,
                    "OS-EXT-IPS:type": "fixed",
                    "OS-EXT-IPS-MAC:mac_addr": port.data["mac_address"],
                    "port": port.id,
                    "subnets": shown["subnets"],
                    "network": shown["network"],
                }
                for fixed in port.data["fixed_ips"]
            ]
            for key in (shown["network"]["name"], shown["network_id"]):
                addresses.setdefault(key, []).extend(entries)
        ips = {key: [entry["addr"] for entry in entries] for key, entries in addresses.items()}
        return {
            **server.data,
            "id": server.id,
            "name": server.name,
            "tenant_id": server.owner.project,
            "status": "ACTIVE" if self.is_running(server_id) else "SHUTOFF",
            "addresses": addresses,
            "networks": ips,
            "first_address": next((each[0] for each in ips.values() if each), ""),
            "instance_name": self.container(server_id),
            "accessIPv4": "",
            "accessIPv6": "",
            "console_urls": {},
        }

    def container(self, server_id: str) -> str:
        """The name of a server's container."""
        return f"{networks.LABEL}-{self._config().name}-{server_id}"

    def _record(self, request: ServerRequest) -> None:
        with self._store.transaction() as rows:
            data = {**request.data, "image": request.image, "key_name": request.key_name}
            rows.put(inventory.Record(request.id, "server", request.owner, request.name, None, data))

    def _connect(self, request: ServerRequest) -> list[engine.Endpoint]:
        """Bind the ports of a server, making those that are asked for by network alone."""
        places = []
        for index, interface in enumerate(request.interfaces):
            port_id = interface.port
            if port_id is None:
                port_id = f"{request.id}-{index}"
                fixed = interface.fixed_ip
                wanted = networks.PortRequest(
                    id=port_id,
                    name=f"{request.name}-{index}",
                    network=interface.network,
                    fixed_ips=[fixed] if fixed.subnet or fixed.address else [],
                )
                self._networks.create_port(request.owner, wanted, {"made_for_device": True})
            places += self._networks.endpoints(self._networks.bind(port_id, request.owner.project, request.id))
        return places

    def _keys(self, request: ServerRequest) -> dict[str, str]:
        """The SSH key of a server, when this cloud has it: keys are made by stacks here, or only named."""
        if not request.key_name:
            return {}
        with self._store.transaction() as rows:
            pairs = [pair for pair in rows.all("keypair") if pair.owner.project == request.owner.project]
        return {pair.name: pair.data["public_key"] for pair in pairs if pair.name == request.key_name}

    def _mount_source(self, container: str, target: str) -> Path:
        found = self._docker.inspect(container) or {}
        for mount in found.get("Mounts", []):
            if mount["Destination"] == target:
                return Path(mount["Source"])
        raise errors.LocalCloudError(f"Container {container} has no volume at {target}.")

    def _obituary(self, name: str, server_id: str, state: Mapping[str, Any]) -> str:
        reasons = [f"exit code {state['ExitCode']}"]
        if state.get("OOMKilled"):
            reasons.append("out of memory")
        if state.get("Error"):
            reasons.append(str(state["Error"]))
        last = self._docker.last_line(self.container(server_id))
        if last:
            reasons.append(f"last line of its console: {last}")
        return f"Server {name} stopped while it was being built ({'; '.join(reasons)})."


def host_config(config: settings.Settings, labels: Mapping[str, str]) -> dict[str, Any]:
    """What lets systemd, containerd and kubelet work in a container, in the words of Docker's API.

    An engine that lacks a capability itself cannot give all of them, as `privileged` asks; the same rights but for
    CAP_SYS_RESOURCE are then named one by one.
    """
    rights: dict[str, Any] = {"Privileged": True}
    if not config.privileged:
        rights = {
            "CapAdd": ["ALL"],
            "CapDrop": ["SYS_RESOURCE"],
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            # What `--security-opt systempaths=unconfined` of the docker command stands for.
            "MaskedPaths": [],
            "ReadonlyPaths": [],
            "DeviceCgroupRules": ["a *:* rwm"],
            "Devices": [
                {"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "rwm"},
            ],
        }
    limit = {"Memory": parse_bytes(config.node_memory)} if config.node_memory else {}
    volume = {"Type": "volume", "VolumeOptions": {"Labels": dict(labels)}}
    return {
        **rights,
        **limit,
        "Tmpfs": {"/run": "exec", "/tmp": "exec"},  # noqa: S108 - inside the server
        # Kubelets that saw one tree of cgroups would end each other's pods.
        "CgroupnsMode": "private",
        "Mounts": [{**volume, "Target": folder} for folder in _DATA_FOLDERS],
    }


def share_store(store: Path, volume: Path) -> None:
    """Give a node a containerd store with the images already in it.

    Content and layers are never changed once written, so they are hard links; the databases are, so they are copies.
    Where links cannot be made (another file system) all of it is copied.
    """
    linked = _copy("--archive", "--link", "--force", store, volume)
    if not linked:
        LOG.warning("Files of %s cannot be linked into %s and are copied, which takes time", store, volume)
        if not _copy("--archive", "--force", store, volume):
            raise errors.LocalCloudError(f"The images in {store} could not be copied to {volume}.")
        return
    for database in store.rglob("*.db"):
        target = volume / database.relative_to(store)
        target.unlink()
        shutil.copy2(database, target)


def _copy(*arguments: str | Path) -> bool:
    *options, source, target = map(str, arguments)
    done = subprocess.run(
        ["cp", *options, f"{source}/.", target], capture_output=True, text=True, timeout=_COPY_TIMEOUT, check=False
    )
    if done.returncode != 0:
        LOG.info("cp %s %s: %s", source, target, done.stderr.strip()[:500])
    return done.returncode == 0


def _age(started: str) -> float:
    """Seconds since a time as Docker writes it."""
    return (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
