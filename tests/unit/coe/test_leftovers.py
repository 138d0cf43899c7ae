"""What Kubernetes made in the cloud goes before the bay does."""

from typing import Any

from magnum.coe.kubernetes import KubernetesBay
from tests.unit.coe.fake_bay import FakeBay, refusal

SERVICES = "GET /api/v1/services"
VOLUMES = "GET /api/v1/persistentvolumes"
CLAIM = "/api/v1/namespaces/default/persistentvolumeclaims/data"
DONE: tuple[int, dict[str, Any]] = (200, {})


def service(name: str, kind: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default", **metadata}, "spec": {"type": kind}}


def volume(policy: str = "Delete", phase: str = "Bound", **spec: Any) -> dict[str, Any]:
    reference = {"namespace": "default", "name": "data"}
    return {
        "metadata": {"name": "pv-1"},
        "spec": {"persistentVolumeReclaimPolicy": policy, "claimRef": reference, **(spec or {"csi": {}})},
        "status": {"phase": phase},
    }


def there_is(server: FakeBay, services: list[Any] | None = None, volumes: list[Any] | None = None) -> None:
    server.answers[SERVICES] = 200, {"items": services or []}
    server.answers[VOLUMES] = 200, {"items": volumes or []}


def test_nothing_there_means_nothing_to_do(bay: KubernetesBay, server: FakeBay) -> None:
    there_is(server, [service("web", "ClusterIP"), service("api", "NodePort")])
    assert bay.remove_leftovers() == []
    assert server.lines(writes_only=True) == []


def test_load_balancers_go_with_their_services(bay: KubernetesBay, server: FakeBay) -> None:
    there_is(server, [service("web", "LoadBalancer"), service("old", "LoadBalancer", deletionTimestamp="now")])
    server.answers["DELETE /api/v1/namespaces/default/services/web"] = DONE
    assert list(map(str, bay.remove_leftovers())) == [
        "load balancer of service default/web",
        "load balancer of service default/old",
    ]
    assert server.lines(writes_only=True) == ["DELETE /api/v1/namespaces/default/services/web"]


def test_volumes_go_with_their_claims_and_what_uses_these(bay: KubernetesBay, server: FakeBay) -> None:
    there_is(server, volumes=[volume()])
    uses = {"volumes": [{"persistentVolumeClaim": {"claimName": "data"}}]}
    server.answers["GET /api/v1/nodes"] = 200, {"items": [{"metadata": {"name": "n1"}, "spec": {}}]}
    server.answers["PATCH /api/v1/nodes/n1"] = DONE
    stateful_set = {"metadata": {"name": "db", "namespace": "default"}}
    server.answers["GET /apis/apps/v1/statefulsets"] = 200, {"items": [stateful_set]}
    server.answers["DELETE /apis/apps/v1/namespaces/default/statefulsets/db"] = DONE
    server.answers[f"DELETE {CLAIM}"] = DONE
    pods = [
        {"metadata": {"name": "db-0", "namespace": "default"}, "spec": uses},
        {"metadata": {"name": "db-0", "namespace": "other"}, "spec": uses},
        {"metadata": {"name": "web", "namespace": "default"}, "spec": {}},
    ]
    server.answers["GET /api/v1/pods"] = 200, {"items": pods}
    server.answers["DELETE /api/v1/namespaces/default/pods/db-0"] = DONE
    assert list(map(str, bay.remove_leftovers())) == ["volume of claim default/data"]
    assert server.lines(writes_only=True) == [
        "PATCH /api/v1/nodes/n1",
        "DELETE /apis/apps/v1/namespaces/default/statefulsets/db",
        f"DELETE {CLAIM}",
        "DELETE /api/v1/namespaces/default/pods/db-0",
    ]


def test_a_volume_that_was_let_go_is_only_waited_for(bay: KubernetesBay, server: FakeBay) -> None:
    there_is(server, volumes=[volume(phase="Released")])
    assert len(bay.remove_leftovers()) == 1
    assert server.lines(writes_only=True) == []


def test_volumes_that_are_to_stay_or_are_in_the_node_stay(bay: KubernetesBay, server: FakeBay) -> None:
    there_is(server, volumes=[volume("Retain"), volume(hostPath={"path": "/data"})])
    assert bay.remove_leftovers() == []


def test_what_a_hostile_bay_lists_is_bounded(bay: KubernetesBay, server: FakeBay) -> None:
    odd: list[Any] = [{"metadata": "x", "spec": 3}, {"spec": {"type": "LoadBalancer"}, "metadata": {"name": ["x"]}}]
    there_is(server, [*odd, *(service("x" * 5000 + str(n), "LoadBalancer", deletionTimestamp=1) for n in range(200))])
    left = bay.remove_leftovers()
    assert len(left) == 100
    assert all(len(str(item)) < 600 for item in left)


def test_one_that_is_refused_keeps_nobody_from_the_others(bay: KubernetesBay, server: FakeBay) -> None:
    there_is(server, [service("guarded", "LoadBalancer"), service("web", "LoadBalancer")])
    server.answers["DELETE /api/v1/namespaces/default/services/guarded"] = refusal(403, "a webhook says no")
    server.answers["DELETE /api/v1/namespaces/default/services/web"] = DONE
    assert [item.owner for item in bay.remove_leftovers()] == ["service default/guarded", "service default/web"]
    assert server.lines(writes_only=True)[-1] == "DELETE /api/v1/namespaces/default/services/web"
