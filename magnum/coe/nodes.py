"""Nodes of a bay as Kubernetes sees them."""

from dataclasses import dataclass

from magnum.coe.kubernetes_api import Object, as_dict, as_list
from magnum.coe.workloads import as_text, identify

_MASTER_LABELS = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True)
class Node:
    """One node; `reason` says why it is not ready."""

    uid: str
    name: str
    role: str  # master or node
    ready: bool
    reason: str | None
    addresses: list[str]
    version: str | None


def node(item: Object) -> Node | None:
    """What we say of a Node object; None where it lacks what every object has."""
    identity = identify(item)
    if identity is None:
        return None
    metadata, status = as_dict(item.get("metadata")), as_dict(item.get("status"))
    ready, reason = _ready(status)
    labels = as_dict(metadata.get("labels"))
    return Node(
        uid=identity[0],
        name=identity[1],
        role="master" if any(label in labels for label in _MASTER_LABELS) else "node",
        ready=ready,
        reason=reason,
        addresses=_addresses(status),
        version=as_text(as_dict(status.get("nodeInfo")).get("kubeletVersion")),
    )


def _ready(status: Object) -> tuple[bool, str | None]:
    for condition in as_list(status.get("conditions")):
        condition = as_dict(condition)
        if condition.get("type") == "Ready":
            if condition.get("status") == "True":
                return True, None
            return False, as_text(condition.get("message"), 1000) or as_text(condition.get("reason")) or "not ready"
    return False, "its kubelet has not reported yet"


def _addresses(status: Object) -> list[str]:
    entries = [as_dict(entry) for entry in as_list(status.get("addresses"))]
    addresses = []
    for kind in ("InternalIP", "ExternalIP"):
        addresses += [as_text(entry.get("address")) for entry in entries if entry.get("type") == kind]
    return [address for address in addresses if address]


def is_bound_to_node(pod: Object) -> bool:
    """Whether a pod lives and dies with its node: static pods and those of DaemonSets."""
    metadata = as_dict(pod.get("metadata"))
    if "kubernetes.io/config.mirror" in as_dict(metadata.get("annotations")):
        return True
    owners = [as_dict(owner) for owner in as_list(metadata.get("ownerReferences"))]
    return any(owner.get("kind") == "DaemonSet" and owner.get("controller") for owner in owners)


def has_ended(pod: Object) -> bool:
    """Whether nothing of a pod runs any more."""
    return as_dict(pod.get("status")).get("phase") in ("Succeeded", "Failed")
