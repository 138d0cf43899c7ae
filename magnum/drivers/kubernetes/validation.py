"""What keeps a baymodel from being built as a Kubernetes bay.

Everything is judged here, and all of it at once: the person who asks gets one list to mend. What is wrong by itself is
left out of the checks that compare it with something else.
"""

import ipaddress
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from magnum.common.ssh_keys import public_key_line
from magnum.drivers.addresses import is_http_url, is_name_server
from magnum.drivers.kubernetes import networks
from magnum.drivers.labels import LabelSchema

_TAKEN_PORTS = (2379, 2380, 2381, 10248, 10249, 10250, 10256, 10257, 10259)  # etcd, kubelet, proxy, controllers
_NODE_PORTS = range(30000, 32768)
_FEWEST_NODES = 2
_MOST_NODES = 1 << 16  # kubeadm refuses more parts of a pod network
_PROXY = re.compile(r"https?://[A-Za-z0-9._~:@%/\[\]-]+")
_NO_PROXY = re.compile(r"[A-Za-z0-9._:/*,\[\]-]+")
_NEEDED = {"image_id": "an image", "flavor_id": "a flavor"}
_UNSUPPORTED = {
    "tls_disabled": "the API of Kubernetes is served over TLS only",
    "registry_enabled": "no registry is run in bays; use container_infra_prefix to take images from one",
}


def bay_problems(model: Mapping[str, Any]) -> list[str]:
    """What a baymodel may lack or ask for as long as no bay is made of it."""
    return [
        *(f"A Kubernetes bay needs {what}: set {name}." for name, what in _NEEDED.items() if not model.get(name)),
        *(f"{name} cannot be true: {why}." for name, why in _UNSUPPORTED.items() if model.get(name)),
    ]


def problems(
    model: Mapping[str, Any], schema: LabelSchema, network_drivers: Sequence[str], volume_drivers: Sequence[str]
) -> list[str]:
    """What is wrong with what the baymodel says, a sentence each."""
    labels = model.get("labels") or {}
    return [
        *_driver_problems("network_driver", model, network_drivers),
        *_driver_problems("volume_driver", model, volume_drivers),
        *_port_problems(model.get("apiserver_port")),
        *_proxy_problems(model),
        *_name_server_problems(model.get("dns_nameserver")),
        *_key_problems(model.get("ssh_authorized_key")),
        *schema.validate(labels),
        *_network_problems(model, schema, labels),
    ]


def split(text: str | None) -> list[str]:
    """The parts of a list that is written with commas."""
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _driver_problems(field: str, model: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    wanted = model.get(field)
    if not wanted or wanted in known:
        return []
    remedy = f"it is one of {', '.join(known)}" if known else "leave it unset"
    return [f"{field} cannot be {wanted[:80]!r} for Kubernetes; {remedy}."]


def _port_problems(port: int | None) -> list[str]:
    if port not in _TAKEN_PORTS and port not in _NODE_PORTS:
        return []
    return [f"apiserver_port cannot be {port}: Kubernetes itself uses it on masters. Choose another, such as 6443."]


def _proxy_problems(model: Mapping[str, Any]) -> list[str]:
    wrong = [
        f"{name} must be an http or https URL with a host, without blanks or quotes."
        for name in ("http_proxy", "https_proxy")
        if model.get(name) and not (_PROXY.fullmatch(model[name]) and is_http_url(model[name]))
    ]
    if model.get("no_proxy") and not _NO_PROXY.fullmatch(model["no_proxy"]):
        wrong.append("no_proxy must be hosts, domains and networks, separated by commas without blanks.")
    return wrong


def _name_server_problems(text: str | None) -> list[str]:
    return [
        f"dns_nameserver cannot be {address[:80]!r}: it takes the IPv4 address of a name server, such as 8.8.8.8."
        for address in split(text)
        if not is_name_server(address)
    ]


def _key_problems(text: str | None) -> list[str]:
    try:
        if text:
            public_key_line(text)
    except ValueError as error:
        return [f"ssh_authorized_key is no public key. {error}"]
    return []


def _network_problems(model: Mapping[str, Any], schema: LabelSchema, labels: Mapping[str, str]) -> list[str]:
    fixed = model.get("fixed_network") or ""
    wrong_fixed = _fixed_network_problems(fixed, schema)
    wrong = {name for name, text in labels.items() if schema.validate({name: text})}
    values = schema.values({name: text for name, text in labels.items() if name not in wrong})
    ranges = networks.ranges({} if wrong_fixed else model, values)
    if wrong_fixed:
        wrong.add(networks.SERVERS)
    elif networks.is_range(fixed):
        wrong.discard(networks.SERVERS)  # it is not the label that says it
    known = {name: cidr for name, cidr in ranges.items() if name not in wrong}
    found = [*wrong_fixed, *_overlaps(known)]
    if not wrong & {networks.PODS, networks.PODS_OF_NODE}:
        found += _room_problems(known, values[networks.PODS_OF_NODE], networks.network_driver(model))
    return found


def _fixed_network_problems(name: str, schema: LabelSchema) -> list[str]:
    if networks.is_range(name):
        wrong = schema.validate({networks.SERVERS: name})
        return [problem.replace(f"Label {networks.SERVERS}", "fixed_network", 1) for problem in wrong]
    if not name.isprintable() or set(name) & set("\"'`\\") or name != name.strip():
        return ["fixed_network must be the name or id of a network, without quotes or control characters, or a range."]
    return []


def _overlaps(ranges: Mapping[str, str]) -> list[str]:
    pairs = itertools.combinations(ranges.items(), 2)
    return [
        f"{name} {cidr} and {other_name} {other_cidr} overlap; choose ranges that do not."
        for (name, cidr), (other_name, other_cidr) in pairs
        if ipaddress.IPv4Network(cidr).overlaps(ipaddress.IPv4Network(other_cidr))
    ]


def _room_problems(ranges: Mapping[str, str], prefix_length: int, network_driver: str) -> list[str]:
    pods, servers = ranges[networks.PODS], ranges.get(networks.SERVERS)
    room = 1 << max(prefix_length - ipaddress.IPv4Network(pods).prefixlen, 0)
    problem = ""
    if room < _FEWEST_NODES:
        problem = f"pods_network_cidr {pods} has no room for parts of prefix length {prefix_length}, one for each node."
    elif room > _MOST_NODES:
        problem = (
            f"pods_network_cidr {pods} has more than {_MOST_NODES} parts of prefix length {prefix_length}, which "
            "Kubernetes does not take; choose a smaller network or a shorter pods_network_node_prefix_length."
        )
    elif servers and network_driver == "bridge" and ipaddress.IPv4Network(servers).num_addresses > room:
        problem = (
            f"With network_driver bridge every address of {servers} has its part of pods_network_cidr, but {pods} has "
            f"only {room} of prefix length {prefix_length}; make one of the networks smaller or the other larger."
        )
    return [problem] if problem else []
