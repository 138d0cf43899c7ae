"""A running Kubernetes bay: its pods, services, replication controllers and nodes.

    with KubernetesBay(access, timeout=10) as bay:
        bay.list("pod")

Every call ends within the timeout. `BayUnreachable` says that the bay's API gave no usable answer, `RemoteRefusal` that
it refused and why, with its own code; `NotFound` that it has no such object. Pages of a list and repeated reads share
one timeout. An object belongs to one thread; bays share nothing.
"""

import builtins
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeGuard

from magnum.coe import drain as draining
from magnum.coe import leftovers
from magnum.coe.kubernetes_api import Access, KubernetesApi, Object, as_dict, as_list
from magnum.coe.leftovers import Leftover
from magnum.coe.manifests import Manifest
from magnum.coe.nodes import Node, has_ended, is_bound_to_node, node
from magnum.coe.workloads import COLLECTIONS, TITLES, Workload, WorkloadKind, as_text, workload
from magnum.common.exception import BayUnreachable, NotFound, RemoteRefusal

_REPLACE_ATTEMPTS = 4
_KEPT_METADATA = ("finalizers", "ownerReferences")
_KEPT_SERVICE = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "healthCheckNodePort")


class KubernetesBay:
    """One bay; a context manager that closes its connections."""

    def __init__(self, access: Access, timeout: float) -> None:
        self._api = KubernetesApi(access, timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._api.close()

    # Workloads, all in the namespace `default`.

    def list(self, kind: WorkloadKind) -> builtins.list[Workload]:
        """All objects of a kind."""
        found = (workload(kind, item) for item in self._api.members(COLLECTIONS[kind]))
        return [item for item in found if item is not None]

    def get(self, kind: WorkloadKind, name: str) -> Workload:
        """One object."""
        return _complete(kind, self._live(kind, name))

    def create(self, kind: WorkloadKind, manifest: Manifest) -> Workload:
        """Create an object from a checked manifest. After `BayUnreachable` it may exist or not.

        One that was read of a cluster has the version it had there, which Kubernetes answers with 500: it is left out.
        """
        metadata = {name: value for name, value in manifest["metadata"].items() if name != "resourceVersion"}
        body = {**manifest, "metadata": metadata}
        return _complete(kind, self._api.call("POST", COLLECTIONS[kind], body=body))

    def replace(self, kind: WorkloadKind, name: str, manifest: Manifest) -> Workload:
        """Make an object what its manifest says, keeping what Kubernetes gave it and does not let go of.

        Of a pod Kubernetes lets little be changed, mainly images and labels, and refuses the rest.
        """
        for _ in range(_REPLACE_ATTEMPTS - 1):
            try:
                return self._replace_once(kind, name, manifest)
            except RemoteRefusal as refusal:
                # The status of a busy object changes all the time, and its version with it.
                if refusal.code != 409:
                    raise
        return self._replace_once(kind, name, manifest)

    def delete(self, kind: WorkloadKind, name: str) -> None:
        """Delete an object and what it owns; one that is gone already is fine."""
        self._delete(COLLECTIONS[kind] + "/{name}", name)

    # Nodes

    def list_nodes(self) -> builtins.list[Node]:
        """All nodes, masters among them."""
        found = (node(item) for item in self._api.members("/api/v1/nodes"))
        return [item for item in found if item is not None]

    def pods_per_node(self) -> dict[str, int]:
        """For every node the number of running pods that would have to move if it went."""
        counts = {item.name: 0 for item in self.list_nodes()}
        for pod in self._api.members("/api/v1/pods"):
            host = as_text(as_dict(pod.get("spec")).get("nodeName"))
            if host in counts and not is_bound_to_node(pod) and not has_ended(pod):
                counts[host] += 1
        return counts

    def drain(self, name: str, timeout: float) -> builtins.list[str]:
        """Close a node to new pods and move its pods away, for at most that many seconds; 0 makes one pass.

        Answers the pods that are left, each with the reason; an empty list means that the node can go.
        """
        return draining.drain(self._api, name, timeout)

    def uncordon(self, name: str) -> bool:
        """Open a node to pods again that `drain` has closed; answers whether it was one."""
        return draining.uncordon(self._api, name)

    def delete_node(self, name: str) -> None:
        """Forget a node; one that is gone already is fine."""
        self._delete("/api/v1/nodes/{name}", name)

    # The bay as a whole

    def remove_leftovers(self) -> builtins.list[Leftover]:
        """Make one pass at removing what Kubernetes made in the cloud; answers what is still there."""
        return leftovers.remove(self._api)

    def healthy(self) -> bool:
        """Whether the API server says that it, and all it stands on, is ready."""
        return self._api.is_ready()

    def version(self) -> str:
        """The version of the API server, such as v1.20.2."""
        return as_text(self._api.get("/version").get("gitVersion")) or ""

    def _delete(self, path: str, name: str) -> None:
        try:
            # A replication controller's pods would stay behind by default.
            self._api.call("DELETE", path, {"name": name}, query={"propagationPolicy": "Background"})
        except RemoteRefusal as refusal:
            if refusal.code != 404:
                raise

    def _replace_once(self, kind: WorkloadKind, name: str, manifest: Manifest) -> Workload:
        body = _replacement(kind, self._live(kind, name), manifest)
        with _naming(kind, name):
            return _complete(kind, self._api.call("PUT", COLLECTIONS[kind] + "/{name}", {"name": name}, body=body))

    def _live(self, kind: WorkloadKind, name: str) -> Object:
        with _naming(kind, name):
            return self._api.get(COLLECTIONS[kind] + "/{name}", {"name": name})


@contextmanager
def _naming(kind: WorkloadKind, name: str) -> Iterator[None]:
    """Within it Kubernetes' 404 is about one object, and is said so."""
    try:
        yield
    except RemoteRefusal as refusal:
        if refusal.code == 404:
            raise NotFound(f"{TITLES[kind]} {name} does not exist in the bay.") from refusal
        raise


def _complete(kind: WorkloadKind, item: Object) -> Workload:
    found = workload(kind, item)
    if found is None:
        raise BayUnreachable(f"The bay's API answered for a {TITLES[kind]} with an object that has no name or uid.")
    return found


def _replacement(kind: WorkloadKind, live: Object, manifest: Manifest) -> Object:
    """The manifest with what the live object must not lose in being replaced."""
    metadata = as_dict(live.get("metadata"))
    kept = {key: metadata[key] for key in _KEPT_METADATA if key in metadata}
    body = {
        **manifest,
        "metadata": {**kept, **manifest["metadata"], "resourceVersion": metadata.get("resourceVersion")},
    }
    live_spec, spec = as_dict(live.get("spec")), manifest["spec"]
    if kind == "pod":
        body["spec"] = _overlay(live_spec, spec)
    elif kind == "service":
        body["spec"] = _service_spec(live_spec, spec)
    return body


def _overlay(live: Object, wanted: Object) -> Object:
    """A pod's live spec with what the manifest says laid over: Kubernetes added to it and wants all of it back."""
    merged = dict(live)
    for key, value in wanted.items():
        current = live.get(key)
        if isinstance(value, dict) and isinstance(current, dict):
            merged[key] = _overlay(current, value)
        elif _is_named(value) and _is_named(current):
            merged[key] = _overlay_named(current, value)
        else:
            merged[key] = value
    return merged


def _is_named(value: Any) -> TypeGuard[builtins.list[Object]]:
    return isinstance(value, list) and bool(value) and all(isinstance(as_dict(item).get("name"), str) for item in value)


def _overlay_named(live: builtins.list[Object], wanted: builtins.list[Object]) -> builtins.list[Object]:
    """Lists whose members have names (containers, volumes, variables): by name, in the live order, new ones last."""
    by_name = {item["name"]: item for item in wanted}
    merged = [_overlay(item, by_name.pop(item["name"], {})) for item in live]
    return merged + list(by_name.values())


def _service_spec(live: Object, wanted: Object) -> Object:
    """A service's spec with its addresses and node ports, unless the manifest gives its own."""
    if wanted.get("type") == "ExternalName":
        return wanted
    kept = {key: live[key] for key in _KEPT_SERVICE if key in live}
    node_ports = {
        _port_key(port): port["nodePort"] for port in as_list(live.get("ports")) if "nodePort" in as_dict(port)
    }
    if wanted.get("type") not in ("NodePort", "LoadBalancer"):
        node_ports = {}
    ports = [
        {"nodePort": node_ports[_port_key(port)], **port} if _port_key(port) in node_ports else port
        for port in wanted["ports"]
    ]
    return {**kept, **wanted, "ports": ports}


def _port_key(port: Object) -> tuple[str, str]:
    return str(port.get("port")), str(port.get("protocol") or "TCP")
