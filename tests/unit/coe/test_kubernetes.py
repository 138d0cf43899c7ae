"""Workloads of a bay: what is asked of its API, and what is made of the answers."""

from contextlib import suppress
from time import monotonic
from typing import Any

import pytest
import urllib3

from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.kubernetes_api import MAX_ANSWER, MAX_PAGES
from magnum.coe.workloads import Workload
from magnum.common.exception import BayUnreachable, NotFound, RemoteRefusal
from tests.unit.coe.fake_bay import FakeBay, Request, access, in_turn, refusal, uid

PODS = "/api/v1/namespaces/default/pods"
SERVICES = "/api/v1/namespaces/default/services"
RCS = "/api/v1/namespaces/default/replicationcontrollers"


def pod(name: str = "web", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": uid(name), "name": name, "labels": {"app": name}, "resourceVersion": "7"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "nginx", "tty": False}], **spec},
        "status": {"phase": "Running"},
    }


def test_pods(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"GET {PODS}"] = 200, {"items": [pod()]}
    (found,) = bay.list("pod")
    assert (found.uid, found.name, found.labels) == (uid("web"), "web", {"app": "web"})
    assert (found.images, found.status, found.host) == (["nginx"], "Running", "n1")


def test_services(bay: KubernetesBay, server: FakeBay) -> None:
    service = {
        "metadata": {"uid": uid("u"), "name": "web"},
        "spec": {
            "clusterIP": "10.254.1.1",
            "selector": {"app": "web"},
            "ports": [{"port": 80}, {"name": "x", "port": 1}],
        },
    }
    server.answers[f"GET {SERVICES}/web"] = 200, service
    found = bay.get("service", "web")
    assert (found.ip, found.selector) == ("10.254.1.1", {"app": "web"})
    assert found.ports == [{"name": "k8s-service", "port": 80}, {"name": "x", "port": 1}]


def test_rcs_count_the_pods_there_are(bay: KubernetesBay, server: FakeBay) -> None:
    rc = {
        "metadata": {"uid": uid("u"), "name": "web"},
        "spec": {"replicas": 4, "selector": {"app": "web"}, "template": {"spec": {"containers": [{"image": "nginx"}]}}},
        "status": {"replicas": 2},
    }
    server.answers[f"GET {RCS}/web"] = 200, rc
    found = bay.get("rc", "web")
    assert (found.replicas, found.images, found.selector) == (2, ["nginx"], {"app": "web"})


def test_a_list_goes_through_all_pages(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"GET {PODS}"] = in_turn(
        (200, {"items": [pod("a")], "metadata": {"continue": "token"}}), (200, {"items": [pod("b")], "metadata": {}})
    )
    assert [item.name for item in bay.list("pod")] == ["a", "b"]
    assert [request.query.get("continue") for request in server.requests] == [None, "token"]


def test_a_list_without_end_is_given_up(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"GET {PODS}"] = 200, {"items": [], "metadata": {"continue": "again"}}
    with pytest.raises(BayUnreachable, match="lists more than"):
        bay.list("pod")
    assert len(server.requests) == MAX_PAGES


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"items": 5},
        {"items": [5, {"metadata": 7}, {"metadata": {"name": "no-uid"}}], "metadata": []},
        {"items": [{"metadata": {"name": "a", "uid": "not-a-uuid"}}]},
        {"items": [{"metadata": {"name": "a" * 256, "uid": uid("a")}}]},
    ],
)
def test_what_no_object_can_be_is_left_out(bay: KubernetesBay, server: FakeBay, answer: Any) -> None:
    server.answers[f"GET {PODS}"] = 200, answer
    assert bay.list("pod") == []


def test_fields_that_no_row_could_hold_count_as_absent(bay: KubernetesBay, server: FakeBay) -> None:
    metadata = {"uid": uid("u"), "name": "n", "labels": {"a": 1, "b": "c", "d": "\0", "e": "\ud800", "f": "x" * 256}}
    ports = [7, {"port": 80, "name": ["x"], "nodePort": 10**400, "targetPort": {"deep": []}}]
    for kind, path, parts in (
        ("pod", PODS, {"spec": {"containers": [7, {}], "nodeName": 5}, "status": 3}),
        ("service", SERVICES, {"spec": {"ports": ports, "clusterIP": "x" * 46}}),
        ("rc", RCS, {"spec": {"template": []}, "status": {"replicas": 10**400}}),
    ):
        server.answers[f"GET {path}/n"] = 200, {"metadata": metadata, **parts}
        assert bay.get(kind, "n") == Workload(  # type: ignore[arg-type]
            uid=uid("u"),
            name="n",
            labels={"b": "c"},
            replicas=0 if kind == "rc" else None,
            ports=[{"port": 80, "name": "k8s-service"}] if kind == "service" else [],
        )


def test_a_replace_copes_with_nonsense_in_the_live_object(bay: KubernetesBay, server: FakeBay) -> None:
    nonsense = {"metadata": 5, "spec": {"containers": [{"name": []}], "ports": [{"port": [], "nodePort": 1}, 5]}}
    for kind, path, spec in (
        ("pod", PODS, pod()["spec"]),
        ("service", SERVICES, {"type": "NodePort", "ports": [{"port": 1}]}),
    ):
        server.answers[f"GET {path}/web"] = 200, nonsense
        server.answers[f"PUT {path}/web"] = 200, pod()
        assert bay.replace(kind, "web", {"metadata": {"name": "web"}, "spec": spec})  # type: ignore[arg-type]


def test_what_does_not_exist_is_named(bay: KubernetesBay, server: FakeBay) -> None:
    with pytest.raises(NotFound, match="Service gone does not exist in the bay"):
        bay.get("service", "gone")


def test_create_sends_the_manifest_as_it_is(bay: KubernetesBay, server: FakeBay) -> None:
    manifest = {"metadata": {"name": "web"}, "spec": {"fieldOfTomorrow": None, "containers": []}}
    server.answers[f"POST {PODS}"] = 201, pod()
    assert bay.create("pod", manifest).uid == uid("web")
    assert server.requests[0].body == manifest


def test_a_manifest_that_was_read_of_a_cluster_can_be_created(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"POST {PODS}"] = 201, pod()
    bay.create("pod", pod())
    assert "resourceVersion" not in server.requests[0].body["metadata"]


def test_a_refusal_has_kubernetes_own_code_and_words(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"POST {PODS}"] = refusal(409, 'pods "web" already exists')
    with pytest.raises(RemoteRefusal, match="already exists") as refused:
        bay.create("pod", pod())
    assert refused.value.code == 409


def test_a_refusal_says_its_first_line_and_no_dump(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"POST {PODS}"] = refusal(422, "pod updates may not change this\n  core.PodSpec{…}")
    with pytest.raises(RemoteRefusal) as refused:
        bay.create("pod", pod())
    assert refused.value.message == "pod updates may not change this"


def test_a_create_is_never_sent_twice(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"POST {PODS}"] = 503, {}
    with pytest.raises(BayUnreachable, match="answered with code 503"):
        bay.create("pod", pod())
    assert len(server.requests) == 1


def test_a_read_is_tried_again(bay: KubernetesBay, server: FakeBay) -> None:
    broken = urllib3.exceptions.ProtocolError("reset")
    server.answers[f"GET {PODS}"] = in_turn((500, {}), broken, (200, {"items": [pod()]}))
    assert len(bay.list("pod")) == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(401, "Unauthorized"), "does not accept Magnum's certificate"),
        ((302, b""), "answered with code 302"),
        (refusal(500, "etcd is away"), "answered with code 500: etcd is away"),
        ((200, b"<html>"), "not of a Kubernetes API"),
        ((200, b"[" * 100_000), "not of a Kubernetes API"),
        ((200, b"[]"), "not of a Kubernetes API"),
        ((200, b"x" * (MAX_ANSWER + 1)), "more than 16 MiB"),
        (urllib3.exceptions.ReadTimeoutError(None, "/", "slow"), "did not answer within 5 seconds"),  # type: ignore[arg-type]
        (ConnectionRefusedError(), "refuses connections"),
        (urllib3.exceptions.ProtocolError("reset"), "broke off the connection"),
    ],
)
def test_no_usable_answer_is_said_in_plain_words(bay: KubernetesBay, server: FakeBay, answer: Any, said: str) -> None:
    server.answers[f"GET {PODS}"] = answer
    with pytest.raises(BayUnreachable, match="The bay's API at https") as failed:
        bay.list("pod")
    assert said in failed.value.message


def test_an_answer_without_uid_is_not_taken_for_success(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"POST {PODS}"] = 201, {"metadata": {"name": "web"}}
    with pytest.raises(BayUnreachable, match="no name or uid"):
        bay.create("pod", pod())


@pytest.mark.parametrize("address", ["", "None", "http://192.0.2.1:8080", "192.0.2.1"])
def test_a_bay_without_address_is_not_reached(server: FakeBay, address: str) -> None:
    with pytest.raises(BayUnreachable, match="no address"):
        KubernetesBay(access(address), timeout=5)


def test_a_key_stands_in_no_representation() -> None:
    assert "PRIVATE KEY" not in repr(access())


def test_delete_takes_the_pods_of_an_rc_along(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"DELETE {RCS}/web"] = 200, {}
    bay.delete("rc", "web")
    assert server.requests[0].query == {"propagationPolicy": "Background"}


def test_deleting_what_is_gone_is_fine_and_what_is_refused_is_not(bay: KubernetesBay, server: FakeBay) -> None:
    bay.delete("pod", "gone")
    server.answers[f"DELETE {PODS}/held"] = refusal(403, "forbidden")
    with pytest.raises(RemoteRefusal, match="forbidden"):
        bay.delete("pod", "held")


def replaced(bay: KubernetesBay, server: FakeBay, kind: Any, path: str, live: Any, manifest: Any) -> Any:
    """The body sent to replace a live object."""
    server.answers[f"GET {path}"] = 200, live
    server.answers[f"PUT {path}"] = lambda request: (200, request.body)
    bay.replace(kind, "web", manifest)
    return server.requests[-1].body


def test_replacing_an_rc_keeps_what_kubernetes_must_not_lose(bay: KubernetesBay, server: FakeBay) -> None:
    live = {
        "metadata": {
            "uid": uid("u"),
            "name": "web",
            "resourceVersion": "7",
            "finalizers": ["f"],
            "labels": {"old": "1"},
        },
        "spec": {"replicas": 2, "selector": {"app": "web"}},
    }
    manifest = {"metadata": {"name": "web", "uid": uid("u")}, "spec": {"replicas": 4}}
    body = replaced(bay, server, "rc", f"{RCS}/web", live, manifest)
    assert body["metadata"] == {"name": "web", "uid": uid("u"), "resourceVersion": "7", "finalizers": ["f"]}
    assert body["spec"] == {"replicas": 4}


LIVE_SERVICE = {
    "metadata": {"uid": uid("u"), "name": "web", "resourceVersion": "7"},
    "spec": {
        "type": "NodePort",
        "clusterIP": "10.254.1.1",
        "clusterIPs": ["10.254.1.1"],
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}],
    },
}


def test_replacing_a_service_keeps_its_addresses(bay: KubernetesBay, server: FakeBay) -> None:
    manifest = {
        "metadata": {"name": "web", "uid": uid("u")},
        "spec": {"type": "NodePort", "ports": [{"port": 80}, {"port": 81}]},
    }
    body = replaced(bay, server, "service", f"{SERVICES}/web", LIVE_SERVICE, manifest)
    assert (body["spec"]["clusterIP"], body["spec"]["clusterIPs"]) == ("10.254.1.1", ["10.254.1.1"])
    assert body["spec"]["ports"] == [{"port": 80, "nodePort": 30080}, {"port": 81}]


def test_a_service_that_has_no_node_ports_any_more_gets_none(bay: KubernetesBay, server: FakeBay) -> None:
    manifest = {"metadata": {"name": "web", "uid": uid("u")}, "spec": {"ports": [{"port": 80}]}}
    body = replaced(bay, server, "service", f"{SERVICES}/web", LIVE_SERVICE, manifest)
    assert body["spec"]["ports"] == [{"port": 80}]


def test_a_service_that_becomes_a_name_gives_its_address_up(bay: KubernetesBay, server: FakeBay) -> None:
    spec = {"type": "ExternalName", "externalName": "example.org", "ports": [{"port": 80}]}
    body = replaced(
        bay,
        server,
        "service",
        f"{SERVICES}/web",
        LIVE_SERVICE,
        {"metadata": {"name": "web", "uid": uid("u")}, "spec": spec},
    )
    assert body["spec"] == spec


def test_replacing_a_pod_lays_the_manifest_over_what_runs(bay: KubernetesBay, server: FakeBay) -> None:
    live = pod(serviceAccountName="default", volumes=[{"name": "token", "secret": {}}])
    live["spec"]["containers"].append({"name": "injected", "image": "proxy"})
    manifest = {
        "metadata": {"name": "web", "uid": uid("u"), "labels": {"new": "1"}},
        "spec": {"containers": [{"name": "c", "image": "nginx:2"}]},
    }
    body = replaced(bay, server, "pod", f"{PODS}/web", live, manifest)
    assert body["metadata"]["labels"] == {"new": "1"}
    assert body["spec"]["containers"] == [
        {"name": "c", "image": "nginx:2", "tty": False},
        {"name": "injected", "image": "proxy"},
    ]
    assert (body["spec"]["nodeName"], body["spec"]["volumes"]) == ("n1", [{"name": "token", "secret": {}}])


def test_a_replace_that_was_overtaken_starts_from_the_newer_object(bay: KubernetesBay, server: FakeBay) -> None:
    newer = pod()
    newer["metadata"]["resourceVersion"] = "8"
    server.answers[f"GET {PODS}/web"] = in_turn((200, pod()), (200, newer))
    server.answers[f"PUT {PODS}/web"] = in_turn(refusal(409, "modified"), lambda request: (200, request.body | pod()))
    bay.replace("pod", "web", pod())
    sent = [request.body["metadata"]["resourceVersion"] for request in server.requests if request.method == "PUT"]
    assert sent == ["7", "8"]


def test_a_replace_that_is_always_overtaken_says_so(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"GET {PODS}/web"] = 200, pod()
    server.answers[f"PUT {PODS}/web"] = refusal(409, "the object has been modified")
    with pytest.raises(RemoteRefusal, match="modified"):
        bay.replace("pod", "web", pod())
    assert len(server.lines(writes_only=True)) == 4


@pytest.mark.parametrize("answer", [refusal(404, "no"), (200, pod())])
def test_replacing_what_does_not_exist(bay: KubernetesBay, server: FakeBay, answer: Any) -> None:
    server.answers[f"GET {PODS}/web"] = answer
    with pytest.raises(NotFound, match="Pod web does not exist"):
        bay.replace("pod", "web", pod())


@pytest.mark.parametrize(("answer", "healthy"), [((200, b"ok"), True), ((500, b"etcd failed"), False)])
def test_health_is_what_the_api_server_says(bay: KubernetesBay, server: FakeBay, answer: Any, healthy: bool) -> None:
    server.answers["GET /readyz"] = answer
    assert bay.healthy() is healthy


def test_health_of_a_bay_that_is_not_there(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers["GET /readyz"] = ConnectionRefusedError()
    with pytest.raises(BayUnreachable):
        bay.healthy()


def test_version(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers["GET /version"] = 200, {"gitVersion": "v1.20.2"}
    assert bay.version() == "v1.20.2"


def test_names_are_escaped_in_paths(bay: KubernetesBay, server: FakeBay) -> None:
    bay.delete("pod", "a/b?c")
    assert server.requests == [Request("DELETE", f"{PODS}/a%2Fb%3Fc", {"propagationPolicy": "Background"})]


def test_a_visit_of_many_calls_has_an_end(server: FakeBay) -> None:
    server.answers["GET /version"] = 200, {"gitVersion": "v1.20.2"}
    with KubernetesBay(access(), timeout=0.02) as bay:
        end = monotonic() + 6 * 0.02
        while monotonic() < end:
            with suppress(BayUnreachable):
                bay.version()
        with pytest.raises(BayUnreachable, match="did not answer"):
            bay.version()


def test_a_server_that_is_too_busy_to_answer_is_not_one_that_refuses(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"GET {PODS}"] = refusal(429, "too many requests")
    with pytest.raises(BayUnreachable, match="too busy"):
        bay.list("pod")


def test_words_that_nobody_could_store_or_show_are_left_out(bay: KubernetesBay, server: FakeBay) -> None:
    server.answers[f"POST {PODS}"] = 403, b'{"message": "no \\ud800\\u0000\\u001b[31m"}'
    with pytest.raises(RemoteRefusal) as refused:
        bay.create("pod", pod())
    assert refused.value.message == "no    [31m"
