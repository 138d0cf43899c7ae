"""What a bay's Kubernetes made in the cloud that Heat knows nothing of: load balancers and volumes.

They have to go while the bay still runs, as nobody knows of them afterwards: their ports keep the bay's network from
being deleted, and the rest is paid for by the tenant for ever. Kubernetes removes a load balancer when its service is
deleted, and a volume when its claim is. A claim stays as long as a pod that uses it is on a node, and its controller
would make both anew; so the nodes are closed to new pods first and stateful sets deleted.

Every pass starts from what is true now, so that one that was broken off is simply done again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oslo_log import log

from magnum.coe.kubernetes_api import KubernetesApi, Object, as_dict, as_list
from magnum.coe.workloads import as_text
from magnum.common.exception import RemoteRefusal

LOG = log.getLogger(__name__)

MOST = 100
"""As many are told of at most."""

_IN_THE_CLOUD = ("csi", "cinder")
_LONGEST_NAME = 253
_IN_NAMESPACE = "/namespaces/{namespace}/"
_CLOSED: Object = {"spec": {"unschedulable": True}}


@dataclass(frozen=True)
class Leftover:
    """Something in the cloud that is there because of an object in the bay."""

    what: str
    owner: str
    """The object: its kind, namespace and name."""

    def __str__(self) -> str:
        return f"{self.what} of {self.owner}"


def remove(api: KubernetesApi) -> list[Leftover]:
    """Ask for all of them to be removed; answers those that are still there."""
    return [*_remove_balancers(api), *_remove_volumes(api)][:MOST]


def _remove_balancers(api: KubernetesApi) -> Iterator[Leftover]:
    for service in api.members("/api/v1/services"):
        if as_dict(service.get("spec")).get("type") == "LoadBalancer":
            _delete(api, "/api/v1" + _IN_NAMESPACE + "services/{name}", service)
            yield Leftover("load balancer", f"service {_label(service)}")


def _remove_volumes(api: KubernetesApi) -> list[Leftover]:
    volumes = [volume for volume in api.members("/api/v1/persistentvolumes") if _goes_with_its_claim(volume)]
    claims = {_label(claim): claim for claim in map(_claim, volumes) if claim}
    if claims:
        _keep_pods_away(api)
        for claim in claims.values():
            _delete(api, "/api/v1" + _IN_NAMESPACE + "persistentvolumeclaims/{name}", claim)
        for pod in api.members("/api/v1/pods"):
            if _claims_of(pod) & claims.keys():
                _delete(api, "/api/v1" + _IN_NAMESPACE + "pods/{name}", pod)
    return [Leftover("volume", _owner_of(volume)) for volume in volumes]


def _goes_with_its_claim(volume: Object) -> bool:
    spec = as_dict(volume.get("spec"))
    return spec.get("persistentVolumeReclaimPolicy") == "Delete" and any(kind in spec for kind in _IN_THE_CLOUD)


def _claim(volume: Object) -> Object | None:
    """What claims a volume, as an object of which the name and namespace are known; none once it was let go."""
    reference = as_dict(as_dict(volume.get("spec")).get("claimRef"))
    phase = as_dict(volume.get("status")).get("phase")
    return {"metadata": reference} if reference and phase not in ("Released", "Failed") else None


def _owner_of(volume: Object) -> str:
    reference = as_dict(as_dict(volume.get("spec")).get("claimRef"))
    return f"claim {_label({'metadata': reference})}" if reference else f"volume {_names(volume)['name']}"


def _keep_pods_away(api: KubernetesApi) -> None:
    for node in api.members("/api/v1/nodes"):
        if not as_dict(node.get("spec")).get("unschedulable"):
            with _seen_by_the_next_pass():
                merge = "application/merge-patch+json"
                api.call("PATCH", "/api/v1/nodes/{name}", _names(node), body=_CLOSED, content_type=merge)
    for stateful_set in api.members("/apis/apps/v1/statefulsets"):
        _delete(api, "/apis/apps/v1" + _IN_NAMESPACE + "statefulsets/{name}", stateful_set)


def _claims_of(pod: Object) -> set[str]:
    namespace = _names(pod)["namespace"]
    volumes = [as_dict(volume) for volume in as_list(as_dict(pod.get("spec")).get("volumes"))]
    claims = [as_dict(volume.get("persistentVolumeClaim")).get("claimName") for volume in volumes]
    return {f"{namespace}/{claim}" for claim in claims if isinstance(claim, str)}


def _delete(api: KubernetesApi, path: str, found: Object) -> None:
    if not as_dict(found.get("metadata")).get("deletionTimestamp"):
        with _seen_by_the_next_pass():
            api.call("DELETE", path, _names(found), query={"propagationPolicy": "Background"})


@contextmanager
def _seen_by_the_next_pass() -> Iterator[None]:
    """Within it a refusal is about one object, and keeps nobody from the others: what is still there is told."""
    try:
        yield
    except RemoteRefusal as refusal:
        LOG.debug("A bay refused to remove something: %s", refusal.message)


def _names(found: Object) -> dict[str, str]:
    metadata = as_dict(found.get("metadata"))
    return {key: (as_text(metadata.get(key)) or "")[:_LONGEST_NAME] for key in ("name", "namespace")}


def _label(found: Object) -> str:
    names = _names(found)
    return f"{names['namespace']}/{names['name']}"
