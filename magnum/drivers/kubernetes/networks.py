"""The address ranges of a Kubernetes bay: of its servers, pods and services."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from magnum.conf import CONF

PODS = "pods_network_cidr"
PODS_OF_NODE = "pods_network_node_prefix_length"
SERVERS = "fixed_subnet_cidr"
LABELS = (PODS, "service_cluster_ip_range", SERVERS)
_RANGE = re.compile(r"[0-9]+(\.[0-9]+){3}(/.*)?", re.DOTALL)


def network_driver(model: Mapping[str, Any]) -> str:
    """What carries packets between the pods of bays of this baymodel."""
    return str(model.get("network_driver") or CONF.baymodel.kubernetes_default_network_driver)


def is_range(fixed_network: str) -> bool:
    """Whether this is, or is meant to be, a range of addresses rather than the name or id of a network."""
    return _RANGE.fullmatch(fixed_network) is not None


def ranges(model: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the bay's address ranges by label; servers in an existing network have none that Magnum knows."""
    networks = {name: str(values[name]) for name in LABELS}
    fixed = model.get("fixed_network")
    if fixed and is_range(fixed):
        networks[SERVERS] = str(ipaddress.IPv4Network(fixed))
    elif fixed:
        del networks[SERVERS]
    return networks
