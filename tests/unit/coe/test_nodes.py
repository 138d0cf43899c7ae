"""Nodes of a bay, and how one is emptied before it goes."""

from typing import Any

import pytest

from magnum.coe.kubernetes import KubernetesBay
from magnum.common.exception import RemoteRefusal
from tests.unit.coe.fake_bay import FakeBay, in_turn, refusal, uid

NODE = "/api/v1/nodes/n1"
MARK = "magnum.openstack.org/closed-for-removal"
EVICTION = "/api/v1/namespaces/default/pods/{}/eviction"


def node(name: str = "n1", ready: bool = True, labels: dict[str, str] | None = None) -> dict[str, Any]:
    condition = {
        "type": "Ready",
        "status": "True" if ready else "Unknown",
        "message": "Kubelet stopped posting status.",
    }
    return {
        "metadata": {"uid": uid(name), "name": name, "labels": labels or {}},
        "status": {
            "conditions": [{"type": "MemoryPressure", "status": "False"}, condition],
            "addresses": [
                {"type": "Hostname", "address": name},
                {"type": "ExternalIP", "address": "203.0.113.5"},
                {"type": "InternalIP", "address": "10.0.0.5"},
            ],
            "nodeInfo": {"kubeletVersion": "v1.20.2"},
        },
    }


def pod(name: str, *, host: str = "n1", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid(name), "name": name, "namespace": "default", **metadata},
        "spec": {"nodeName": host},
        "status": {"phase": phase},
    }


BOUND = [
    pod("mirror", annotations={"kubernetes.io/config.mirror": "x"}),
    pod("daemon", ownerReferences=[{"kind": "DaemonSet", "controller": True}]),
    pod("done", phase="Succeeded"),
    pod("failed", phase="Failed"),
]


def test_nodes(bay: KubernetesBay, server: FakeBay) -> None:
    master = node("m1", labels={"node-role.kubernetes.io/control-plane": ""})
    server.answers["GET /api/v1/nodes"] = 200, {"items": [master, node("n1", ready=False), {"metadata": 5}]}
    first, second = bay.list_nodes()
    assert (first.name, first.role, first.ready, first.reason) == ("m1", "master", True, None)
    assert (second.role, second.ready, second.reason) == ("node", False, "Kubelet stopped posting status.")
    assert (first.addresses, first.version, first.uid) == (["10.0.0.5", "203.0.113.5"], "v1.20.2", uid("m1"))


def test_a_node_that_never_reported_is_not_ready(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers["GET /api/v1/nodes"] = 200, {"items": [{"metadata": {"uid": uid("u"), "name": "n"}}]}
    (found,) = bay.list_nodes()
    assert (found.ready, found.reason) == (False, "its kubelet has not reported yet")


def test_pods_are_counted_that_would_have_to_move(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers["GET /api/v1/nodes"] = 200, {"items": [node("n1"), node("n2")]}
    server.answers["GET /api/v1/pods"] = 200, {"items": [*BOUND, pod("a"), pod("b"), pod("c", host="gone")]}
    assert bay.pods_per_node() == {"n1": 2, "n2": 0}


def drainable(server: FakeBay, *listings: list[dict[str, Any]], ready: bool = True, version: str = "v1beta1") -> None:
    """Let the node n1 be drained, with these pods at one look after the other."""
    server.answers[f"GET {NODE}"] = server.answers[f"PATCH {NODE}"] = 200, node(ready=ready)
    resource = {"name": "pods/eviction", "group": "policy", "version": version}
    server.answers["GET /api/v1"] = 200, {"resources": [{"name": "pods"}, resource]}
    server.answers["GET /api/v1/pods"] = in_turn(*((200, {"items": items}) for items in listings))


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_drain_closes_the_node_and_moves_what_can_move(bay: KubernetesBay, server: FakeBay, version: str) -> None:
    drainable(server, [*BOUND, pod("web")], [*BOUND, pod("web", deletionTimestamp="now")], BOUND, version=version)
    server.answers[f"POST {EVICTION.format('web')}"] = 201, {}
    assert bay.drain("n1", timeout=30) == []
    assert server.lines(writes_only=True) == [f"PATCH {NODE}", f"POST {EVICTION.format('web')}"]
    cordon, eviction = (request for request in server.requests if request.method != "GET")
    assert cordon.body == {"metadata": {"annotations": {MARK: ""}}, "spec": {"unschedulable": True}}
    assert cordon.content_type == "application/merge-patch+json"
    assert eviction.body["apiVersion"] == f"policy/{version}"
    listing = next(request for request in server.requests if request.path == "/api/v1/pods")
    assert listing.query["fieldSelector"] == "spec.nodeName=n1"


def test_an_eviction_that_a_budget_refuses_is_asked_for_again(bay: KubernetesBay, server: FakeBay) -> None:
    drainable(server, [pod("web")], [pod("web")], [])
    server.answers[f"POST {EVICTION.format('web')}"] = in_turn(refusal(429, "disruption budget"), (201, {}))
    assert bay.drain("n1", timeout=30) == []


def test_what_is_left_is_told_with_its_reason(bay: KubernetesBay, server: FakeBay) -> None:
    drainable(server, [pod("web"), pod("db", deletionTimestamp="now")])
    server.answers[f"POST {EVICTION.format('web')}"] = refusal(429, "Cannot evict pod: disruption budget.")
    assert bay.drain("n1", timeout=0) == [
        "default/web: Cannot evict pod: disruption budget.",
        "default/db: still terminating",
    ]


def test_nobody_waits_for_pods_on_a_node_that_is_away(bay: KubernetesBay, server: FakeBay) -> None:
    drainable(server, [pod("web")], ready=False)
    server.answers[f"POST {EVICTION.format('web')}"] = 201, {}
    assert bay.drain("n1", timeout=30) == []


def test_a_pod_that_ended_meanwhile_is_no_failure(bay: KubernetesBay, server: FakeBay) -> None:
    drainable(server, [pod("web")], [])
    assert bay.drain("n1", timeout=30) == []


def test_a_node_that_is_gone_is_empty(bay: KubernetesBay, server: FakeBay) -> None:
    assert bay.drain("n1", timeout=30) == []


def test_a_node_that_may_not_be_closed(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"GET {NODE}"] = 200, node()
    server.answers[f"PATCH {NODE}"] = refusal(403, "forbidden")
    with pytest.raises(RemoteRefusal, match="forbidden"):
        bay.drain("n1", timeout=30)


def test_a_node_that_was_closed_before_is_drained_and_not_marked(bay: KubernetesBay, server: FakeBay) -> None:
    drainable(server, [pod("web")])
    server.answers[f"GET {NODE}"] = 200, node() | {"spec": {"unschedulable": True}}
    server.answers[f"POST {EVICTION.format('web')}"] = 201, {}
    assert bay.drain("n1", timeout=0) == ["default/web: still terminating"]
    assert server.lines(writes_only=True) == [f"POST {EVICTION.format('web')}"]


def test_only_a_node_that_was_closed_for_its_removal_is_opened_again(bay: KubernetesBay, server: FakeBay) -> None:
    closed = node() | {"spec": {"unschedulable": True}}
    server.answers[f"GET {NODE}"] = 200, closed
    server.answers[f"PATCH {NODE}"] = 200, node()
    assert bay.uncordon("n1") is False
    closed["metadata"]["annotations"] = {MARK: ""}
    assert bay.uncordon("n1") is True
    (change,) = [request for request in server.requests if request.method == "PATCH"]
    assert change.body == {"metadata": {"annotations": {MARK: None}}, "spec": {"unschedulable": None}}
    assert bay.uncordon("gone") is False


def test_deleting_a_node_that_is_gone_is_fine(bay: KubernetesBay, server: FakeBay) -> None:
    bay.delete_node("n1")
    server.answers[f"DELETE {NODE}"] = 200, {}
    bay.delete_node("n1")
    assert server.lines() == [f"DELETE {NODE}"] * 2
