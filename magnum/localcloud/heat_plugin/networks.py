"""Networks, subnets, ports and floating IPs.

A subnet is a Docker bridge of its own, so tenants are apart as Docker keeps bridges apart, and the host, which routes
to all of them, is their router. Docker cannot have two bridges with overlapping ranges. A subnet whose range is taken
therefore gets a free one of the same size, and an address wanted in the asked range its counterpart in that one: two
tenants can use the same template. The attributes of subnets and ports show what is really used.

A port is an address reserved in the inventory. The host reaches it as it is, and so a floating IP is the address of
the port it is associated with: it reaches the port, and nothing needs to be translated. Security groups, routers and
their interfaces are kept but filter nothing.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from . import addresses, engine, errors, inventory, settings

LOG = logging.getLogger(__name__)

LABEL = "magnum-local"
_ROUTES = Path("/proc/net/route")


def labels(cloud: str, owner: inventory.Owner) -> dict[str, str]:
    """The labels that everything made in Docker for a stack carries."""
    return {LABEL: cloud, f"{LABEL}.stack": owner.stack}


@dataclass(frozen=True)
class FixedIP:
    """An address wanted for a port: in a subnet or any, a certain one or any."""

    subnet: str | None = None
    address: str | None = None


@dataclass(frozen=True)
class PortRequest:
    """A port to be made."""

    id: str
    name: str
    network: str | None = None
    fixed_ips: Sequence[FixedIP] = ()
    mac: str | None = None
    device: str = ""


class Networks:
    """Neutron, in small."""

    def __init__(self, config: settings.Settings, store: inventory.Inventory, docker: engine.Engine) -> None:
        self._config = config
        self._store = store
        self._docker = docker

    def create_subnet(self, subnet: inventory.Record, network: str, wanted: str) -> None:
        """Make a subnet, and its bridge, in a network given by name or id."""
        asked = addresses.parse_range(wanted)
        refused: list[IPv4Network] = []
        while True:
            cidr = self._reserve_range(subnet, network, asked, refused)
            try:
                made = self._docker.create_network(
                    self.bridge(subnet.id),
                    cidr,
                    addresses.gateway(cidr),
                    labels(self._config.name, subnet.owner),
                )
            except errors.LocalCloudError:
                self._forget(subnet.id)
                raise
            if made:
                break
            refused.append(cidr)
        if cidr != asked:
            LOG.info("Subnet %s asked for %s, which is taken here, and has %s", subnet.name, asked, cidr)

    def delete_subnet(self, subnet_id: str) -> None:
        """Remove a subnet and its bridge."""
        self._docker.remove_network(self.bridge(subnet_id))
        self._forget(subnet_id)

    def create_port(self, owner: inventory.Owner, request: PortRequest, data: dict[str, Any]) -> None:
        """Reserve the addresses of a port."""
        with self._store.transaction() as rows:
            subnets = _subnets_of(rows, owner.project, request)
            wanted = list(request.fixed_ips) or [FixedIP(subnets[0].id)]
            port = inventory.Record(request.id, "port", owner, request.name, subnets[0].parent, dict(data))
            port.data |= {
                "mac_address": request.mac or addresses.random_mac(),
                "device_id": request.device,
                "fixed_ips": [_reserve_address(rows, owner.project, subnets, each) for each in wanted],
            }
            rows.put(port)

    def delete_port(self, port_id: str) -> None:
        """Give back the addresses of a port."""
        self._forget(port_id)

    def bind(self, port_id: str, project: str, device: str) -> inventory.Record:
        """Give a port to a server or a load balancer."""
        with self._store.transaction() as rows:
            port = rows.resolve("port", project, port_id)
            if port.data["device_id"] not in ("", device):
                raise errors.Conflict(f"Port {port.id} is in use by {port.data['device_id']}.")
            port.data["device_id"] = device
            rows.put(port)
        return port

    def release(self, device: str) -> None:
        """Take all ports from a device; those made for it alone cease to exist."""
        with self._store.transaction() as rows:
            for port in rows.all("port"):
                if port.data["device_id"] != device:
                    continue
                if port.data.get("made_for_device"):
                    rows.remove(port.id)
                else:
                    port.data["device_id"] = ""
                    rows.put(port)

    def ports_of(self, device: str) -> list[inventory.Record]:
        """The ports of a device."""
        with self._store.transaction() as rows:
            return [port for port in rows.all("port") if port.data["device_id"] == device]

    def endpoints(self, port: inventory.Record) -> list[engine.Endpoint]:
        """Where on Docker's bridges a port is."""
        return [
            engine.Endpoint(self.bridge(fixed["subnet_id"]), fixed["ip_address"], port.data["mac_address"])
            for fixed in port.data["fixed_ips"]
        ]

    def bridge(self, subnet_id: str) -> str:
        """The name of a subnet's Docker network."""
        return f"{LABEL}-{self._config.name}-{subnet_id}"

    def show_network(self, network_id: str) -> dict[str, Any]:
        """A network's attributes."""
        with self._store.transaction() as rows:
            network = rows.get("network", network_id)
            subnets = rows.children("subnet", network_id)
        return _common(network) | {"subnets": [subnet.id for subnet in subnets], "mtu": 1500, "shared": False}

    def show_subnet(self, subnet_id: str) -> dict[str, Any]:
        """A subnet's attributes."""
        with self._store.transaction() as rows:
            subnet = rows.get("subnet", subnet_id)
        return _common(subnet) | {"network_id": subnet.parent}

    def show_port(self, port_id: str) -> dict[str, Any]:
        """A port's attributes."""
        with self._store.transaction() as rows:
            port = rows.get("port", port_id)
        active = "ACTIVE" if port.data["device_id"] else "DOWN"
        subnet_ids = dict.fromkeys(fixed["subnet_id"] for fixed in port.data["fixed_ips"])
        return _common(port) | {
            "status": active,
            "network_id": port.parent,
            "network": self.show_network(str(port.parent)),
            "subnets": [self.show_subnet(subnet_id) for subnet_id in subnet_ids],
        }

    def show_floating_ip(self, floating_ip_id: str) -> dict[str, Any]:
        """A floating IP's attributes; it has no address before it is associated."""
        with self._store.transaction() as rows:
            floating = rows.get("floating_ip", floating_ip_id)
            port_id = floating.data.get("port_id")
            port = rows.get("port", port_id) if port_id else None
        fixed = floating.data.get("fixed_ip_address") or (port.data["fixed_ips"][0]["ip_address"] if port else None)
        return _common(floating) | {"floating_ip_address": fixed, "fixed_ip_address": fixed, "port_id": port_id}

    def _reserve_range(
        self, subnet: inventory.Record, network: str, asked: IPv4Network, refused: list[IPv4Network]
    ) -> IPv4Network:
        in_docker = self._docker.ranges()
        routes = addresses.host_routes(_ROUTES.read_text())
        with self._store.transaction() as rows:
            known = [IPv4Network(row.data["cidr"]) for row in rows.all("subnet") if row.id != subnet.id]
            parent = rows.resolve("network", subnet.owner.project, network)
            cidr = addresses.free_range(asked, [*known, *in_docker, *routes, *refused], self._config.subnet_pools)
            subnet.parent = parent.id
            subnet.data |= {"cidr": str(cidr), "requested_cidr": str(asked), "gateway_ip": str(addresses.gateway(cidr))}
            subnet.data["allocation_pools"] = [
                {key: str(addresses.moved(pool[key], asked, cidr)) for key in ("start", "end")}
                for pool in subnet.data.get("allocation_pools") or []
            ]
            rows.put(subnet)
        return cidr

    def _forget(self, record_id: str) -> None:
        with self._store.transaction() as rows:
            rows.remove(record_id)


def _common(record: inventory.Record) -> dict[str, Any]:
    return {
        "status": "ACTIVE",
        "admin_state_up": True,
        **record.data,
        "id": record.id,
        "name": record.name,
        "tenant_id": record.owner.project,
        "project_id": record.owner.project,
    }


def _subnets_of(rows: inventory.Records, project: str, request: PortRequest) -> list[inventory.Record]:
    """The subnets in which a port can have addresses."""
    if request.network:
        network_id = rows.resolve("network", project, request.network).id
    else:
        named = next((each.subnet for each in request.fixed_ips if each.subnet), None)
        if named is None:
            raise errors.BadRequest(f"Port {request.name} names neither a network nor a subnet.")
        network_id = str(rows.resolve("subnet", project, named).parent)
    subnets = rows.children("subnet", network_id)
    if not subnets:
        raise errors.BadRequest(f"Network {request.network} has no subnet, so port {request.name} can have no address.")
    return subnets


def _reserve_address(
    rows: inventory.Records, project: str, subnets: list[inventory.Record], wanted: FixedIP
) -> dict[str, str]:
    subnet = rows.resolve("subnet", project, wanted.subnet) if wanted.subnet else _subnet_for(subnets, wanted.address)
    actual, asked = IPv4Network(subnet.data["cidr"]), IPv4Network(subnet.data["requested_cidr"])
    used = {
        IPv4Address(fixed["ip_address"])
        for port in rows.all("port")
        for fixed in port.data["fixed_ips"]
        if fixed["subnet_id"] == subnet.id
    }
    if wanted.address:
        address = addresses.moved(wanted.address, asked, actual)
        if address in used or address == addresses.gateway(actual):
            raise errors.Conflict(f"Address {wanted.address} of subnet {subnet.name} is in use.")
    else:
        pools = [
            (IPv4Address(pool["start"]), IPv4Address(pool["end"])) for pool in subnet.data.get("allocation_pools") or []
        ]
        address = addresses.first_free(actual, used, pools)
    return {"subnet_id": subnet.id, "ip_address": str(address)}


def _subnet_for(subnets: list[inventory.Record], address: str | None) -> inventory.Record:
    if address is None:
        return subnets[0]
    ip = IPv4Address(address)
    for subnet in subnets:
        if ip in IPv4Network(subnet.data["requested_cidr"]) or ip in IPv4Network(subnet.data["cidr"]):
            return subnet
    raise errors.BadRequest(f"Address {address} is in no subnet of the network.")
