"""What Magnum sees and does of itself on a real bay: health, what others do in Heat, what Kubernetes leaves behind.

Each test goes on from the one before.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from heatclient.v1.client import Client

from magnum.localcloud import kubernetes_build
from tests.integration.cloud import Cloud, CommandFailed, eventually, local, run, write_baymodel

BAY = "watched"
INTERVAL = 5
SECONDS = 300
"""For what Heat does, and for a server that starts."""
CALL_SECONDS = 60
CLEANUP_SECONDS = 60
"""A claim goes once its pod has, then its volume is let go, and then that goes. At each of these Kubernetes may have to
come again when it next looks at all volumes, after 15 seconds; the rest is for the pod and for Magnum's own looks."""
DETECTION = 50 + 3 * INTERVAL + 10
"""Kubernetes may see up to 5 seconds late that a node was heard of, says 40 later that it is silent, and looks every 5;
then comes a look, for which a bay that is due a moment too late waits one turn more, and here time for what is slow."""
LOOKS = 4 * INTERVAL
OWN = f"""[conductor]
drift_interval = {INTERVAL}
[kubernetes]
health_interval = {INTERVAL}
[bay]
cleanup_timeout = {CLEANUP_SECONDS}
"""
FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
VOLUME = "volume-of-db"
CLAIM = "data-db-0"


@pytest.fixture(scope="module")
def watchful(cloud: Cloud) -> Iterator[None]:
    """The cloud with short intervals."""
    own = cloud.state / "magnum" / "own.conf"
    own.write_text(OWN)
    local("up")
    yield
    own.unlink()
    local("up")


@pytest.fixture(scope="module")
def bay(cloud: Cloud, watchful: None) -> dict[str, Any]:
    write_baymodel(cloud, "watched")
    cloud.text("bay-create", "--name", BAY, "--baymodel", "watched", "--node-count", "1", "--wait", seconds=SECONDS)
    return cloud.bay(BAY)


@pytest.fixture(scope="module")
def heat(cloud: Cloud) -> Client:
    """Heat, as the tenant has it."""
    return Client(session=cloud.session(), service_type="orchestration")


@pytest.fixture
def kubectl(cloud: Cloud, bay: dict[str, Any], tmp_path: Any) -> list[str]:
    cloud.text("bay-config", BAY, "--dir", str(tmp_path))
    program = kubernetes_build.folder() / "kubectl"
    return [str(program), f"--kubeconfig={tmp_path / 'config'}", "--request-timeout=10s"]


def wait_for_health(cloud: Cloud, health: str, seconds: float, cause: str | None = None) -> dict[str, str]:
    """Wait until a bay is said to be so, and give the reason.

    :param cause: which has to be what is wrong, and all that is
    """
    found: list[dict[str, str]] = []

    def is_so() -> bool:
        bay = cloud.shown(f"/bays/{BAY}")
        found[:] = [bay["health_status_reason"]]
        wrong = {what for what, text in (found[0] or {}).items() if text not in ("ok", "True")}
        return bay["health_status"] == health and (cause is None or wrong == {cause})

    eventually(is_so, lambda: f"the bay is {health} (last seen: {found})", seconds)
    return found[0]


def told(cloud: Cloud, bay: dict[str, Any], text: str) -> list[str]:
    """What the bay's story has that begins like this."""
    events = cloud.json("bay-event-list", bay["uuid"])
    return [event["text"] for event in events if event["text"].startswith(text)]


def stack_status(heat: Client, bay: dict[str, Any]) -> list[str]:
    """Of the bay's stack, while there is one."""
    return [stack.stack_status for stack in heat.stacks.list(filters={"id": bay["stack_id"]})]


def insist(argv: list[str]) -> str:
    """Have a command that may be run again succeed, as a bay may be too busy to answer; gives what it printed."""
    end = time.monotonic() + CALL_SECONDS
    while True:
        try:
            return run(argv)
        except CommandFailed:
            if time.monotonic() > end:
                raise
            time.sleep(1)


def seen(argv: list[str]) -> str:
    """What a command prints that looks at something; nothing where it cannot."""
    try:
        return run(argv)
    except CommandFailed:
        return ""


def make_balancer(kubectl: list[str], name: str, *finalizers: str) -> None:
    metadata = {"name": name, "finalizers": list(finalizers)}
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "none"}}
    apply(kubectl, {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})


def apply(kubectl: list[str], manifest: dict[str, Any]) -> None:
    insist(["sh", "-c", 'printf %s "$0" | "$@" apply -f -', json.dumps(manifest), *kubectl])


def make_volume_in_use(kubectl: list[str]) -> None:
    """A volume as a CSI driver makes it, claimed by a stateful set, whose pod is on a node."""
    size = {"storage": "1Gi"}
    volume = {
        "capacity": size,
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Delete",
        "claimRef": {"namespace": "default", "name": CLAIM},
        "csi": {"driver": "cinder.test", "volumeHandle": VOLUME},
    }
    metadata = {"name": VOLUME, "annotations": {"pv.kubernetes.io/provisioned-by": "cinder.test"}}
    apply(kubectl, {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": volume})
    container = {"name": "db", "image": "busybox", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    claim = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": size}}
    stateful_set = {
        "serviceName": "db",
        "selector": {"matchLabels": {"app": "db"}},
        "template": {
            "metadata": {"labels": {"app": "db"}},
            "spec": {"terminationGracePeriodSeconds": 0, "containers": [container]},
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}],
    }
    apply(kubectl, {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"}, "spec": stateful_set})
    pod = ["get", "pod", "db-0", "--ignore-not-found", "-o", "jsonpath={.spec.nodeName}"]
    eventually(lambda: seen([*kubectl, *pod]) != "", "the pod that uses the volume is on a node", 60)


@contextmanager
def storage(kubectl: list[str]) -> Iterator[None]:
    """The part of a CSI driver that removes a volume, and its object, once Kubernetes has let it go."""
    phases = ["get", "pv", VOLUME, "--watch", "--request-timeout=0", "-o", 'jsonpath={.status.phase}{"\\n"}']
    with subprocess.Popen([*kubectl, *phases], stdout=subprocess.PIPE, text=True) as watching:

        def remove() -> None:
            assert watching.stdout is not None
            assert "Released\n" in watching.stdout, "Kubernetes has let the volume go"  # reads until it is so
            insist([*kubectl, "delete", "pv", VOLUME, "--ignore-not-found", "--wait=false"])

        with ThreadPoolExecutor(1) as pool:
            removal = pool.submit(remove)
            try:
                yield
            finally:
                watching.terminate()
        removal.result()


def test_a_new_bay_is_healthy(cloud: Cloud, bay: dict[str, Any]) -> None:
    reason = wait_for_health(cloud, "HEALTHY", LOOKS)
    names = cloud.servers(bay)
    assert reason == {"api": "ok", **{f"{name}.Ready": "True" for name in names}}


def test_a_node_that_is_down_makes_it_unhealthy_until_it_is_back(
    cloud: Cloud, bay: dict[str, Any], kubectl: list[str]
) -> None:
    (name, server) = next(item for item in cloud.servers(bay).items() if "-node-" in item[0])
    cloud.docker("kill", server)
    wait_for_health(cloud, "UNHEALTHY", DETECTION, cause=f"{name}.Ready")
    assert {node["name"]: node["status"] for node in cloud.nodes(bay["uuid"])}[name] != "Ready"
    cloud.docker("start", server)
    ready = ["get", "node", name, "-o", 'jsonpath={.status.conditions[?(@.type=="Ready")].status}']
    eventually(lambda: seen([*kubectl, *ready]) == "True", f"{name} is back", SECONDS)
    wait_for_health(cloud, "HEALTHY", LOOKS)
    assert told(cloud, bay, f"The bay is UNHEALTHY: {name}.Ready") != []


def test_a_stack_changed_by_hand_is_told_once(cloud: Cloud, bay: dict[str, Any], heat: Client) -> None:
    assert told(cloud, bay, "Somebody") == [], "nothing is told of what Magnum does itself"
    heat.stacks.update(bay["stack_id"], existing=True, tags="by-hand")
    eventually(lambda: stack_status(heat, bay) == ["UPDATE_COMPLETE"], "Heat has changed the stack", SECONDS)
    eventually(lambda: told(cloud, bay, "Somebody changed") != [], "the change is told", LOOKS)
    cloud.text("bay-update", BAY, "replace", "node_count=2", "--wait", seconds=SECONDS)
    assert len(told(cloud, bay, "Somebody")) == 1


def test_a_stack_deleted_by_hand_fails_the_bay_and_retry_builds_it_anew(
    cloud: Cloud, bay: dict[str, Any], heat: Client
) -> None:
    heat.stacks.delete(bay["stack_id"])
    eventually(lambda: stack_status(heat, bay) == [], "Heat has deleted the stack", SECONDS)
    eventually(lambda: cloud.shown(f"/bays/{BAY}")["status"] == "CREATE_FAILED", "the loss is seen", LOOKS)
    assert "deleted it in Heat" in cloud.bay(BAY)["status_reason"]
    assert cloud.nodes(bay["uuid"]) == []
    cloud.text("bay-retry", BAY, "--wait", seconds=SECONDS)
    after = cloud.bay(BAY)
    assert after["status"] == "CREATE_COMPLETE"
    assert after["stack_id"] != bay["stack_id"]
    assert len(cloud.servers(after)) == 3
    wait_for_health(cloud, "HEALTHY", LOOKS)


def test_deletion_waits_for_balancers_and_volumes_and_names_those_that_stay(
    cloud: Cloud, bay: dict[str, Any], kubectl: list[str]
) -> None:
    make_balancer(kubectl, "stays", FINALIZER)
    make_balancer(kubectl, "goes")
    make_volume_in_use(kubectl)
    with storage(kubectl):
        said = cloud.text("bay-delete", BAY, "--wait", seconds=CLEANUP_SECONDS + SECONDS, check=False)
    assert "load balancer of service default/stays" in said
    failed = cloud.bay(BAY)
    assert failed["status"] == "DELETE_FAILED"
    assert [fault["resource"] for fault in failed["faults"]] == ["service default/stays"]
    assert len(cloud.servers(failed)) == 3, "nothing was deleted before"
    left = json.loads(insist([*kubectl, "get", "services", "-o", "json"]))["items"]
    assert "goes" not in [service["metadata"]["name"] for service in left]
    gone = ["get", "statefulsets,pods,persistentvolumeclaims,persistentvolumes", "-o", "name"]
    assert insist([*kubectl, *gone]) == "", "the volume went, and before it what used it"


def test_a_second_deletion_goes_on_without_them(cloud: Cloud, bay: dict[str, Any]) -> None:
    cloud.text("bay-delete", BAY, "--wait", seconds=CLEANUP_SECONDS + SECONDS)
    assert cloud.stacks(BAY) == []
    assert told(cloud, bay, "Left in the project, to be removed by hand: load balancer of service default/stays")
