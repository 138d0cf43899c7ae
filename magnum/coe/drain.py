"""Emptying a node before it goes.

The node is closed to new pods, then every pod that could live elsewhere is evicted: eviction, other than deletion,
respects the tenant's disruption budgets, so a refused one is asked for again until the time is up. Pods on a node that
is not ready are evicted but not waited for, as nobody there can confirm their end.

A node that is closed here gets a mark, so that one a tenant has closed is not opened again in their place.

Every pass starts from what is true now, so that one that was broken off is simply done again.
"""

import time

from magnum.coe.kubernetes_api import KubernetesApi, Object, as_dict, as_list
from magnum.coe.nodes import has_ended, is_bound_to_node, node
from magnum.coe.workloads import as_text
from magnum.common.exception import RemoteRefusal

_PAUSE = 1.0
_MARK = "magnum.openstack.org/closed-for-removal"
_PATH = "/api/v1/nodes/{name}"


def drain(api: KubernetesApi, name: str, timeout: float) -> list[str]:
    """Drain a node; answers the pods left when the time is up, each with the reason. A node that is gone is empty."""
    end = time.monotonic() + timeout
    ready = _cordon(api, name)
    if ready is None:
        return []
    version = _eviction_version(api)
    while True:
        left = [_evict(api, pod, version) for pod in _pods_to_move(api, name)]
        waited_for = [reason for reason, terminating in left if ready or not terminating]
        if not waited_for or time.monotonic() + _PAUSE > end:
            return waited_for
        time.sleep(_PAUSE)


def uncordon(api: KubernetesApi, name: str) -> bool:
    """Open a node again that `drain` has closed; answers whether it was one. A node that is gone is none."""
    try:
        if _MARK not in as_dict(as_dict(api.get(_PATH, {"name": name}).get("metadata")).get("annotations")):
            return False
        _change(api, name, {"metadata": {"annotations": {_MARK: None}}, "spec": {"unschedulable": None}})
    except RemoteRefusal as refusal:
        if refusal.code == 404:
            return False
        raise
    return True


def _cordon(api: KubernetesApi, name: str) -> bool | None:
    """Close the node to new pods; answers whether it is ready, None where there is none of that name."""
    try:
        found = api.get(_PATH, {"name": name})
        if not as_dict(found.get("spec")).get("unschedulable"):
            found = _change(api, name, {"metadata": {"annotations": {_MARK: ""}}, "spec": {"unschedulable": True}})
    except RemoteRefusal as refusal:
        if refusal.code == 404:
            return None
        raise
    state = node(found)
    return state is not None and state.ready


def _change(api: KubernetesApi, name: str, body: Object) -> Object:
    return api.call("PATCH", _PATH, {"name": name}, body=body, content_type="application/merge-patch+json")


def _eviction_version(api: KubernetesApi) -> str:
    """The version of the eviction this server takes: v1 came with 1.22, v1beta1 went with 1.25."""
    for resource in as_list(api.get("/api/v1").get("resources")):
        resource = as_dict(resource)
        if resource.get("name") == "pods/eviction":
            return f"policy/{resource.get('version') or 'v1'}"
    return "policy/v1"


def _pods_to_move(api: KubernetesApi, name: str) -> list[Object]:
    pods = api.members("/api/v1/pods", {"fieldSelector": f"spec.nodeName={name}"})
    return [pod for pod in pods if not is_bound_to_node(pod) and not has_ended(pod)]


def _evict(api: KubernetesApi, pod: Object, version: str) -> tuple[str, bool]:
    """Ask for one eviction; answers what to say of the pod if it stays, and whether it is on its way out."""
    metadata = as_dict(pod.get("metadata"))
    place = {key: as_text(metadata.get(key)) or "" for key in ("name", "namespace")}
    label = f"{place['namespace']}/{place['name']}"
    if metadata.get("deletionTimestamp"):
        return f"{label}: still terminating", True
    try:
        api.call(
            "POST",
            "/api/v1/namespaces/{namespace}/pods/{name}/eviction",
            place,
            body={"apiVersion": version, "kind": "Eviction", "metadata": place},
        )
    except RemoteRefusal as refusal:
        if refusal.code != 404:
            return f"{label}: {refusal.message}", False
    return f"{label}: still terminating", True
