"""A Docker Engine in memory, as far as the Heat plugin uses one."""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from magnum.localcloud.heat_plugin import engine, errors, inventory, networks, servers, settings
from magnum.localcloud.heat_plugin.networks import FixedIP, PortRequest

OWNER = inventory.Owner("project-a", "stack-a")
OTHER = inventory.Owner("project-b", "stack-b")


@dataclasses.dataclass
class FakeContainer:
    """A container: what it was made of, and what was done to it."""

    spec: engine.ContainerSpec
    endpoints: list[engine.Endpoint]
    status: str = "created"
    exit_code: int = 0
    started: datetime = dataclasses.field(default_factory=lambda: datetime.now(UTC))
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    commands: list[list[str]] = dataclasses.field(default_factory=list)
    signals: list[str] = dataclasses.field(default_factory=list)


class FakeEngine(engine.Engine):
    """The engine's calls, remembered."""

    def __init__(self, volumes: Path | None = None) -> None:
        self.bridges: dict[str, IPv4Network] = {}
        self.labels: dict[str, Mapping[str, str]] = {}
        self.containers: dict[str, FakeContainer] = {}
        self.images = {"node-image"}
        self.foreign_ranges: list[IPv4Network] = []
        self.hidden_ranges: list[IPv4Network] = []
        self.fail_on: str | None = None
        self.console = ""
        self._volumes = volumes

    def _maybe_fail(self, call: str) -> None:
        if self.fail_on == call:
            raise errors.LocalCloudError(f"Docker Engine could not {call}")

    def ranges(self) -> list[IPv4Network]:
        return [*self.bridges.values(), *self.foreign_ranges]

    def create_network(self, name: str, cidr: IPv4Network, gateway: IPv4Address, labels: Mapping[str, str]) -> bool:
        self._maybe_fail("create_network")
        if any(cidr.overlaps(other) for other in [*self.ranges(), *self.hidden_ranges]):
            return False
        self.bridges[name] = cidr
        self.labels[name] = labels
        return True

    def remove_network(self, name: str) -> None:
        self.bridges.pop(name, None)

    def create_container(self, spec: engine.ContainerSpec) -> None:
        self._maybe_fail("create_container")
        self.containers[spec.name] = FakeContainer(spec, [spec.endpoint])

    def connect(self, container: str, endpoint: engine.Endpoint, alias: str) -> None:
        self.containers[container].endpoints.append(endpoint)

    def disconnect(self, container: str, network: str) -> None:
        found = self.containers[container]
        found.endpoints = [endpoint for endpoint in found.endpoints if endpoint.network != network]

    def put_files(self, container: str, files: list[engine.File]) -> None:
        self.containers[container].files |= {file.path: file.content for file in files}

    def start(self, container: str) -> None:
        self._maybe_fail("start")
        self.containers[container].status = "running"

    def signal(self, container: str, name: str) -> None:
        self.containers[container].signals.append(name)

    def inspect(self, container: str) -> dict[str, Any] | None:
        found = self.containers.get(container)
        if found is None:
            return None
        mounts = [
            {"Destination": mount["Target"], "Source": f"{self._volumes}{mount['Target']}"}
            for mount in found.spec.host_config.get("Mounts", [])
        ]
        state = {
            "Status": found.status,
            "Running": found.status == "running",
            "StartedAt": found.started.isoformat().replace("+00:00", "Z"),
            "ExitCode": found.exit_code,
        }
        return {"State": state, "Mounts": mounts}

    def last_line(self, container: str) -> str:
        return self.console

    def run(self, container: str, command: list[str]) -> str:
        self._maybe_fail(command[0])
        self.containers[container].commands.append(command)
        return ""

    def remove_container(self, container: str) -> None:
        self.containers.pop(container, None)

    def has_image(self, name: str) -> bool:
        return name in self.images

    def build_image(self, name: str, dockerfile: str, labels: Mapping[str, str]) -> None:
        self.images.add(name)

    def age(self, container: str, seconds: float) -> None:
        """Let a container have been started that long ago."""
        self.containers[container].started = datetime.now(UTC) - timedelta(seconds=seconds)


@dataclasses.dataclass
class World:
    """A local cloud over a fake engine."""

    settings: settings.Settings
    store: inventory.Inventory
    docker: FakeEngine
    networks: networks.Networks
    servers: servers.Servers

    def add_network(self, network_id: str, owner: inventory.Owner = OWNER) -> None:
        """A network named `private`."""
        with self.store.transaction() as rows:
            rows.put(inventory.Record(network_id, "network", owner, "private"))

    def add_subnet(
        self,
        subnet_id: str,
        network_id: str,
        cidr: str = "10.0.0.0/24",
        owner: inventory.Owner = OWNER,
        **data: Any,
    ) -> None:
        """A subnet with its bridge."""
        record = inventory.Record(subnet_id, "subnet", owner, subnet_id, data=data)
        self.networks.create_subnet(record, network_id, cidr)

    def add_port(self, port_id: str, network_id: str | None, *fixed: FixedIP) -> dict[str, Any]:
        """A port; its attributes."""
        request = PortRequest(port_id, port_id, network_id, fixed)
        self.networks.create_port(OWNER, request, {})
        return self.networks.show_port(port_id)

    def count(self, kind: str) -> int:
        """How many rows of a kind there are."""
        with self.store.transaction() as rows:
            return len(rows.all(kind))


def make_world(folder: Path, monkeypatch: pytest.MonkeyPatch, containerd_store: Path | None = None) -> World:
    """An empty cloud with one image, on a machine without routes."""
    routes = folder / "routes"
    routes.write_text("Iface\tDestination\n")
    monkeypatch.setattr(networks, "_ROUTES", routes)
    config = settings.Settings(
        name="test",
        docker_host="unix:///nowhere",
        state=folder,
        images={"debian": settings.Image("node-image", containerd_store)},
    )
    store = inventory.Inventory(config.inventory)
    docker = FakeEngine(folder / "volumes")
    nets = networks.Networks(config, store, docker)
    return World(config, store, docker, nets, servers.Servers(lambda: config, store, docker, nets))
