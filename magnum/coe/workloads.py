"""Pods, services and replication controllers: where Kubernetes keeps them, and what we say of one.

What is read here comes from the tenant's own API server, so a field of the wrong type counts as absent.
"""

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
    metadata, spec, status = (as_dict(item.get(part)) for part in ("metadata", "spec", "status"))
    uid, name = as_text(metadata.get("uid")), as_text(metadata.get("name"))
    if not uid or not name:
        return None
    return Workload(uid=uid, name=name, labels=as_strings(metadata.get("labels")), **_OWN[kind](spec, status))


def as_text(value: Any) -> str | None:
    """The value if it is a string, else None."""
    return value if isinstance(value, str) else None


def as_strings(value: Any) -> dict[str, str]:
    """The members of a mapping whose values are strings."""
    return {key: item for key, item in as_dict(value).items() if isinstance(item, str)}


def _images(spec: Object) -> list[str]:
    containers = (as_dict(container) for container in as_list(spec.get("containers")))
    return [image for image in (as_text(container.get("image")) for container in containers) if image]


def _pod(spec: Object, status: Object) -> dict[str, Any]:
    return {"images": _images(spec), "status": as_text(status.get("phase")), "host": as_text(spec.get("nodeName"))}


def _service(spec: Object, _status: Object) -> dict[str, Any]:
    ports = [port for port in as_list(spec.get("ports")) if isinstance(port, dict)]
    return {
        "selector": as_strings(spec.get("selector")),
        "ip": as_text(spec.get("clusterIP")),
        "ports": [{**port, "name": port.get("name") or "k8s-service"} for port in ports],
    }


def _rc(spec: Object, status: Object) -> dict[str, Any]:
    replicas = status.get("replicas")
    template = as_dict(spec.get("template"))
    return {
        "images": _images(as_dict(template.get("spec"))),
        "selector": as_strings(spec.get("selector")),
        "replicas": replicas if isinstance(replicas, int) else 0,
    }


_OWN: Mapping[WorkloadKind, Callable[[Object, Object], dict[str, Any]]] = {
    "pod": _pod,
    "service": _service,
    "rc": _rc,
}
