"""The whole life of a bay: built, used, grown, shrunk, deleted; each test goes on from the one before.

It is lived twice: with Magnum in one process, and with API and conductor apart on RabbitMQ.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from magnum.localcloud import kubernetes_build
from tests.integration.cloud import EXAMPLES, Cloud, CommandFailed, eventually, local, run, write_baymodel

BAY = "life"


@pytest.fixture(scope="module", params=["memory", "rabbit"])
def bus(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[str]:
    local("up", "--bus", request.param)
    yield request.param
    local("up", "--bus", "memory")


@pytest.fixture(scope="module")
def bay(cloud: Cloud, bus: str) -> dict[str, object]:
    baymodel = f"life-{bus}"
    write_baymodel(cloud, baymodel)
    cloud.text("bay-create", "--name", BAY, "--baymodel", baymodel, "--node-count", "1", "--wait", seconds=300)
    return cloud.bay(BAY)


@pytest.fixture(scope="module")
def kubectl(cloud: Cloud, bay: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("config")
    cloud.text("bay-config", BAY, "--dir", str(folder))
    program = kubernetes_build.folder() / "kubectl"
    return [str(program), f"--kubeconfig={folder / 'config'}", "--request-timeout=10s"]


def node_states(cloud: Cloud, bay: dict[str, object]) -> dict[str, str]:
    return {node["name"]: node["status"] for node in cloud.nodes(str(bay["uuid"]))}


def pods_of(cloud: Cloud, name: str) -> list[dict[str, object]]:
    return [pod for pod in cloud.json("pod-list", "--bay", BAY) if str(pod["name"]).startswith(name)]


def running(cloud: Cloud, name: str) -> int:
    return len([pod for pod in pods_of(cloud, name) if pod["status"] == "Running"])


def started(cloud: Cloud, bay: dict[str, object]) -> dict[str, str]:
    """When each server of the bay was started."""
    return {
        name: cloud.docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}}", id_)
        for name, id_ in cloud.servers(bay).items()
    }


def from_pod(cloud: Cloud, server: str, pod: str, target: str) -> str:
    """What one pod gets from another; asked in its network namespace, as its image has no curl."""
    find = (
        f"for n in $(ip netns list | cut -d' ' -f1); do ip netns exec $n ip -4 addr | grep -qw {pod} && echo $n; done"
    )
    (namespace,) = cloud.inside(server, "sh", "-c", f"{find}; true").split()
    return cloud.inside(server, "ip", "netns", "exec", namespace, "curl", "-s", "-m", "5", f"http://{target}/")


def test_it_is_complete_with_both_nodes_ready(cloud: Cloud, bay: dict[str, object]) -> None:
    assert bay["status"] == "CREATE_COMPLETE"
    assert str(bay["api_address"]).startswith("https://")
    assert sorted(node_states(cloud, bay).values()) == ["Ready", "Ready"]
    assert len(cloud.servers(bay)) == 2


def test_no_private_key_or_password_stands_in_the_user_data(cloud: Cloud, bay: dict[str, object]) -> None:
    for server in cloud.servers(bay).values():
        user_data = cloud.inside(server, "cat", "/var/lib/cloud/seed/nocloud/user-data")
        assert "PRIVATE KEY" not in user_data
        assert "password" not in user_data.lower()


def test_pods_run_and_a_service_answers_from_every_node(cloud: Cloud, bay: dict[str, object]) -> None:
    cloud.text("rc-create", "--bay", BAY, "--manifest", str(EXAMPLES / "rc.yaml"))
    cloud.text("coe-service-create", "--bay", BAY, "--manifest", str(EXAMPLES / "service.yaml"))
    eventually(lambda: running(cloud, "web") == 2, "two pods run", 60)
    (service,) = [item for item in cloud.json("coe-service-list", "--bay", BAY) if item["name"] == "web"]
    address = cloud.json("coe-service-show", service["uuid"])["ip"]
    for server in cloud.servers(bay).values():

        def answered(server: str = server) -> bool:
            try:
                return "web" in cloud.inside(server, "curl", "-s", "-m", "3", f"http://{address}/")
            except CommandFailed:  # the pod is just starting, or the node just hears of the service
                return False

        eventually(answered, f"the service answers on {server}", 30)


def test_a_killed_pod_is_replaced(cloud: Cloud, bay: dict[str, object]) -> None:
    victim = pods_of(cloud, "web")[0]
    cloud.text("pod-delete", str(victim["uuid"]), "--bay", BAY)

    def replaced() -> bool:
        uuids = {pod["uuid"] for pod in pods_of(cloud, "web") if pod["status"] == "Running"}
        return len(uuids) == 2 and victim["uuid"] not in uuids

    eventually(replaced, "another pod runs in its place", 60)


def test_what_kubectl_makes_and_removes_is_seen(cloud: Cloud, kubectl: list[str]) -> None:
    run([*kubectl, "run", "by-hand", "--image=magnum-local/web:1", "--image-pull-policy=IfNotPresent"])
    eventually(lambda: running(cloud, "by-hand") == 1, "the pod is listed", 60)
    run([*kubectl, "delete", "pod", "by-hand", "--now"])
    eventually(lambda: pods_of(cloud, "by-hand") == [], "the pod is gone from the list", 60)


def test_a_wrong_manifest_is_refused_and_nothing_is_made(cloud: Cloud, bay: dict[str, object], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("kind: Pod\nmetadata: {}\n")
    said = cloud.text("pod-create", "--bay", BAY, "--manifest", str(wrong), check=False)
    assert "metadata" in said
    assert "spec" in said
    assert "Traceback" not in said


def test_it_grows_without_touching_what_runs(cloud: Cloud, bay: dict[str, object]) -> None:
    before = started(cloud, bay)
    cloud.text("bay-update", BAY, "replace", "node_count=2", "--wait", seconds=300)
    assert sorted(node_states(cloud, bay).values()) == ["Ready"] * 3
    assert before.items() <= started(cloud, bay).items()


def test_pods_on_different_nodes_reach_each_other(cloud: Cloud, bay: dict[str, object], kubectl: list[str]) -> None:
    manifest = json.loads(run([*kubectl, "get", "rc", "web", "-o", "json"]))
    run([*kubectl, "scale", "rc", "web", "--replicas=6"])
    assert manifest["spec"]["replicas"] == 2
    eventually(lambda: running(cloud, "web") == 6, "six pods run", 60)
    pods = json.loads(run([*kubectl, "get", "pods", "-l", "app=web", "-o", "json"]))["items"]
    hosts = {pod["spec"]["nodeName"]: pod for pod in pods}
    assert len(hosts) == 2, "pods are on both nodes"
    servers = cloud.servers(bay)
    first, second = hosts.values()
    for source, target in ((first, second), (second, first)):
        server = servers[source["spec"]["nodeName"]]
        pod, other = source["status"]["podIP"], target["status"]["podIP"]

        def reaches(
            server: str = server, pod: str = pod, other: str = other, name: str = target["metadata"]["name"]
        ) -> bool:
            try:
                return name in from_pod(cloud, server, pod, other)
            except CommandFailed:  # its server is just starting
                return False

        eventually(reaches, f"{pod} reaches {other}", 30)


def test_it_shrinks_and_the_pods_move(cloud: Cloud, bay: dict[str, object], kubectl: list[str]) -> None:
    cloud.text("bay-update", BAY, "replace", "node_count=1", "--wait", seconds=300)
    assert sorted(node_states(cloud, bay).values()) == ["Ready", "Ready"]
    known = run([*kubectl, "get", "nodes", "-o", "name"]).split()
    assert len(known) == 2, "Kubernetes has forgotten the node"
    eventually(lambda: running(cloud, "web") == 6, "all pods run on what is left", 60)


def test_the_story_is_told(cloud: Cloud, bay: dict[str, object]) -> None:
    told = [event["text"] for event in cloud.json("bay-event-list", BAY)]
    assert told[0] == "Create was accepted."
    assert len([text for text in told if text.startswith("Update to ") and text.endswith(" was accepted.")]) == 2


def test_deleting_leaves_nothing(cloud: Cloud, bay: dict[str, object]) -> None:
    cloud.text("bay-delete", BAY, "--wait", seconds=300)
    assert BAY not in [item["name"] for item in cloud.json("bay-list")]
    label = f"label=magnum-local.stack={bay['stack_id']}"
    assert cloud.docker("ps", "-aq", "--filter", label) == ""
    assert cloud.docker("network", "ls", "-q", "--filter", label) == ""
    assert cloud.docker("volume", "ls", "-q", "--filter", label) == ""
    assert not [user for user in cloud.users("magnum") if str(bay["uuid"]) in user], "the bay's own user is gone"
