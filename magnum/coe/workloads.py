"""Pods, services and replication controllers: where Kubernetes keeps them, and what we say of one.

What is read here comes from the tenant's own API server and goes into our rows, so a field of the wrong type, or one
that would not fit there, counts as absent.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from magnum.coe.kubernetes_api import Object, as_dict, as_list

WorkloadKind = Literal["pod", "service", "rc"]

COLLECTIONS: Mapping[WorkloadKind, str] = {
    "pod": "/api/v1/namespaces/default/pods",
    "service": "/api/v1/namespaces/default/services",
    "rc": "/api/v1/namespaces/default/replicationcontrollers",
}
TITLES: Mapping[WorkloadKind, str] = {"pod": "Pod", "service": "Service", "rc": "ReplicationController"}


@dataclass(frozen=True)
class Workload:
    """One object as the bay's API has it; what its kind does not have is None or empty."""

    uid: str
    name: str
    labels: dict[str, str] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)
    status: str | None = None
    host: str | None = None
    replicas: int | None = None
    selector: dict[str, str] = field(default_factory=dict)
    ip: str | None = None
    ports: list[dict[str, Any]] = field(default_factory=list)


def workload(kind: WorkloadKind, item: Object) -> Workload | None:
    """What we say of an object; None where it lacks what every object has."""
    identity = identify(item)
    if identity is None:
        return None
    metadata, spec, status = (as_dict(item.get(part)) for part in ("metadata", "spec", "status"))
    uid, name = identity
    return Workload(uid=uid, name=name, labels=as_strings(metadata.get("labels")), **_OWN[kind](spec, status))


def identify(item: Object) -> tuple[str, str] | None:
    """An object's uid, a UUID, and its name; None where it lacks one of them."""
    metadata = as_dict(item.get("metadata"))
    uid, name = as_text(metadata.get("uid")), as_text(metadata.get("name"))
    try:
        return (uid, name) if uid and name and str(uuid.UUID(uid)) == uid else None
    except ValueError:
        return None


def as_text(value: Any, longest: int = 255) -> str | None:
    """The value if it is a string of plain characters, not too long, else None."""
    return value if isinstance(value, str) and len(value) <= longest and value.isprintable() else None


def as_strings(value: Any) -> dict[str, str]:
    """The members of a mapping whose names and values are such strings."""
    members = ((as_text(key, 317), as_text(item)) for key, item in as_dict(value).items())
    return {key: item for key, item in members if key is not None and item is not None}


def _images(spec: Object) -> list[str]:
    containers = (as_dict(container) for container in as_list(spec.get("containers")))
    return [image for image in (as_text(container.get("image"), 1000) for container in containers) if image]


def _pod(spec: Object, status: Object) -> dict[str, Any]:
    return {"images": _images(spec), "status": as_text(status.get("phase"), 24), "host": as_text(spec.get("nodeName"))}


def _service(spec: Object, _status: Object) -> dict[str, Any]:
    ports = [_port(port) for port in as_list(spec.get("ports")) if isinstance(port, dict)]
    return {
        "selector": as_strings(spec.get("selector")),
        "ip": as_text(spec.get("clusterIP"), 45),
        "ports": [{**port, "name": port.get("name") or "k8s-service"} for port in ports],
    }


def _port(port: Object) -> Object:
    return {key: item for key, item in port.items() if as_text(key) and (as_text(item) or _is_count(item))}


def _is_count(value: Any) -> bool:
    """Whether the value is a whole number that a row can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _rc(spec: Object, status: Object) -> dict[str, Any]:
    replicas = status.get("replicas")
    template = as_dict(spec.get("template"))
    return {
        "images": _images(as_dict(template.get("spec"))),
        "selector": as_strings(spec.get("selector")),
        "replicas": replicas if _is_count(replicas) else 0,
    }


_OWN: Mapping[WorkloadKind, Callable[[Object, Object], dict[str, Any]]] = {
    "pod": _pod,
    "service": _service,
    "rc": _rc,
}
