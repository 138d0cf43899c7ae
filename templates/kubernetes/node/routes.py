#!/usr/bin/env python3
"""Connects the pods of a bay whose network driver is bridge.

Each node has a bridge with a range of pod addresses of its own, and this service keeps a route to every other node's
range. It follows the cluster's nodes with the kubelet's credentials. Packets stay what they are (no tunnel), so the
nodes must be in one network.

A node's range follows from its address: the node with the n-th address of its network has the n-th part of the pods'
network. Addresses are unique, so the ranges are, with nobody to hand them out and nothing to wait for: pods can be
connected before the node has joined. The node enters its range into its Node object, where everybody expects it.
"""

import ipaddress
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cluster
import https
import system

CREDENTIALS = Path("/var/lib/kubelet/pki/kubelet-client-current.pem")
AUTHORITY = Path("/etc/kubernetes/pki/ca.crt")
CNI_FILE = Path("/etc/cni/net.d/10-magnum-bridge.conflist")
PROTOCOL = "77"  # marks our routes in the kernel's table
_WATCH_SECONDS = 300
_RETRY = 0.5
# A kubelet reports how it is when it is given its range, and some not again for ten seconds; it is well a second after
# its start, so the range is entered then.
_SETTLING = 2.0


class Nodes:
    """The nodes of the cluster as last heard: name -> (address, pod range)."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, str]] = {}

    def note(self, node: dict[str, Any]) -> None:
        addresses = [each["address"] for each in node["status"].get("addresses", []) if each["type"] == "InternalIP"]
        pods = node["spec"].get("podCIDR")
        if addresses and pods:
            self.known[node["metadata"]["name"]] = (addresses[0], str(ipaddress.ip_network(pods)))

    def forget(self, name: str) -> None:
        self.known.pop(name, None)


def pod_range(address: str, servers: str, pods: str, prefix_length: int) -> str:
    """Return the range of the node with this address in the network ``servers``."""
    network = ipaddress.ip_network(pods)
    number = int(ipaddress.ip_address(address)) - int(ipaddress.ip_network(servers).network_address)
    room = 1 << (prefix_length - network.prefixlen)
    if number >= room:
        raise system.Failed(f"{address} is number {number} of its network, but {pods} has room for {room} nodes only")
    start = int(network.network_address) + (number << (network.max_prefixlen - prefix_length))
    return f"{ipaddress.ip_address(start)}/{prefix_length}"


def own_network(address: str) -> str:
    """Return the network in which this server has that address."""
    for interface in json.loads(system.run("ip", "-json", "address", "show")):
        for info in interface.get("addr_info", []):
            if info.get("local") == address:
                return str(ipaddress.ip_interface(f"{address}/{info['prefixlen']}").network)
    raise system.Failed(f"no interface has the address {address}")


def cni_config(pods: str) -> dict[str, Any]:
    """The configuration with which containerd connects pods to this node's bridge."""
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pods}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.3.1", "name": "magnum", "plugins": [bridge, portmap]}


def write_cni_config(pods: str) -> None:
    text = json.dumps(cni_config(pods), indent=2)
    if not CNI_FILE.exists() or CNI_FILE.read_text() != text:
        CNI_FILE.parent.mkdir(parents=True, exist_ok=True)
        partial = CNI_FILE.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(CNI_FILE)


def wanted_routes(nodes: Nodes, own_name: str) -> dict[str, str]:
    """Pod range -> address of its node, for all nodes but this one."""
    return {pods: address for name, (address, pods) in nodes.known.items() if name != own_name}


def existing_routes() -> dict[str, str]:
    rows = json.loads(system.run("ip", "-json", "route", "show", "proto", PROTOCOL) or "[]")
    return {row["dst"]: row.get("gateway", "") for row in rows}


def set_routes(wanted: dict[str, str]) -> None:
    existing = existing_routes()
    for pods in existing.keys() - wanted.keys():
        system.run("ip", "route", "del", pods, "proto", PROTOCOL)
    for pods, address in wanted.items():
        if existing.get(pods) != address:
            system.run("ip", "route", "replace", pods, "via", address, "proto", PROTOCOL)


def open_firewall(pods_network: str) -> None:
    """Forward packets of pods, and let those that leave the cluster carry the node's address."""
    rules = (
        ("filter", "FORWARD", "-s", pods_network, "-j", "ACCEPT"),
        ("filter", "FORWARD", "-d", pods_network, "-j", "ACCEPT"),
        ("nat", "POSTROUTING", "-s", pods_network, "!", "-d", pods_network, "-j", "MASQUERADE"),
    )
    for table, chain, *rule in rules:
        present = ["iptables", "-w", "-t", table, "-C", chain, *rule]
        if subprocess.run(present, capture_output=True, check=False).returncode:
            system.run("iptables", "-w", "-t", table, "-A", chain, *rule)


def follow(api: https.Client, own_name: str, own_range: str) -> None:
    """Keep routes right until the connection ends."""
    nodes = Nodes()
    listed = api.call("GET", "/api/v1/nodes")
    for node in listed["items"]:
        note(nodes, node, api, own_name, own_range)
    set_routes(wanted_routes(nodes, own_name))
    version = listed["metadata"]["resourceVersion"]
    path = f"/api/v1/nodes?watch=true&resourceVersion={version}&timeoutSeconds={_WATCH_SECONDS}"
    for event in api.lines(path, timeout=_WATCH_SECONDS + 30):
        if event["type"] == "ERROR":
            return
        before = dict(nodes.known)
        if event["type"] == "DELETED":
            nodes.forget(event["object"]["metadata"]["name"])
        else:
            note(nodes, event["object"], api, own_name, own_range)
        if nodes.known != before:
            set_routes(wanted_routes(nodes, own_name))


def note(nodes: Nodes, node: dict[str, Any], api: https.Client, own_name: str, own_range: str) -> None:
    """Take notice of a node; our own is told its range."""
    nodes.note(node)
    if node["metadata"]["name"] == own_name and not node["spec"].get("podCIDR"):
        time.sleep(_SETTLING)
        spec = {"podCIDR": own_range, "podCIDRs": [own_range]}
        api.call("PATCH", f"/api/v1/nodes/{own_name}", {"spec": spec}, content_type="application/merge-patch+json")


def main() -> int:
    description = json.loads(Path("/etc/magnum/node.json").read_text())
    settings = description["settings"]
    pods_network, prefix_length = settings["pods_network_cidr"], settings["pods_network_node_prefix_length"]
    address = description["address"]
    own_range = pod_range(address, own_network(address), pods_network, prefix_length)
    write_cni_config(own_range)
    open_firewall(pods_network)
    while True:
        try:
            if CREDENTIALS.exists():
                # A new client each time: the kubelet renews its certificate now and then.
                api = https.Client(cluster.url(description), str(AUTHORITY), str(CREDENTIALS))
                follow(api, description["name"], own_range)
        except (https.Unreachable, https.Refused, system.Failed) as error:
            system.log(str(error))
        time.sleep(_RETRY)


if __name__ == "__main__":
    sys.exit(main())
