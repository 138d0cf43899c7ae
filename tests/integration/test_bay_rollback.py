"""An update that fails for real is undone by Heat: the bay is what it was, says why, and works on."""

import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest
import yaml
from keystoneauth1 import identity, session

from magnum.localcloud.heat_plugin import servers
from tests.integration.cloud import Cloud, eventually, write_baymodel

BAY = "back"


@pytest.fixture(scope="module")
def bay(cloud: Cloud) -> dict[str, Any]:
    write_baymodel(cloud, "back")
    arguments = ("--name", BAY, "--baymodel", "back", "--node-count", "1", "--timeout", "5")
    cloud.text("bay-create", *arguments, "--wait", seconds=360)
    return cloud.bay(BAY)


def update(cloud: Cloud, node_count: int) -> None:
    """Change the number of nodes, with rollback."""
    auth = yaml.safe_load((cloud.state / "clouds.yaml").read_text())["clouds"]["magnum-local"]["auth"]
    asking = session.Session(auth=identity.V3Password(**auth), timeout=20)
    asking.patch(
        f"/bays/{BAY}?rollback=True",
        json=[{"op": "replace", "path": "/node_count", "value": node_count}],
        headers={"OpenStack-API-Version": "container-infra 1.3"},
        endpoint_filter={"service_type": "container-infra"},
    )


def update_and_lose_a_server(cloud: Cloud, bay: dict[str, Any], node_count: int) -> None:
    """Change the number of nodes, and kill the first new server while it is still being built.

    That takes a second only, so the engine tells of it.
    """
    known = set(cloud.servers(bay).values())
    begun = time.time()
    update(cloud, node_count)
    filters = ("event=start", "event=die", f"label=magnum-local.stack={bay['stack_id']}")
    argv = ["docker", "events", "--since", f"{begun:.6f}", "--format", "{{.Action}} {{.Actor.ID}} {{.TimeNano}}"]
    argv += [f"--filter={each}" for each in filters]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as events, ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_first, cloud, events.stdout or (), known)
        try:
            while not wait([killing], 0.5).done and status(cloud) == "UPDATE_IN_PROGRESS":
                pass
        finally:
            events.kill()
    ran = killing.result()
    after = cloud.bay(BAY)
    assert ran is not None, f"no new server has started; {after['status']}: {after['status_reason']}"
    assert ran < servers.SETTLED_SECONDS, f"the server ran for {ran:.2f} s before it was killed, and may be built"


def kill_first(cloud: Cloud, events: Iterable[str], known: set[str]) -> float | None:
    """Kill the first server to start that is not known; the seconds it ran, None where there are no more events."""
    started: dict[str, int] = {}
    for event in events:
        action, server, nanoseconds = event.split()
        if action == "start" and server not in known and not started:
            cloud.docker("kill", server)
            started[server] = int(nanoseconds)
        elif action == "die" and server in started:
            return (int(nanoseconds) - started[server]) / 1e9
    return None


def status(cloud: Cloud) -> str:
    """The bay's; quicker than a command."""
    return str(cloud.shown(f"/bays/{BAY}")["status"])


def ended(cloud: Cloud) -> dict[str, Any]:
    """The bay when nothing is done to it any more."""
    eventually(lambda: not status(cloud).endswith("_IN_PROGRESS"), "the update has ended", 300)
    return cloud.bay(BAY)


def started(cloud: Cloud, bay: dict[str, Any]) -> dict[str, str]:
    return {
        name: cloud.docker("inspect", "-f", "{{.State.StartedAt}}", id_) for name, id_ in cloud.servers(bay).items()
    }


def test_a_node_that_dies_while_it_is_built(cloud: Cloud, bay: dict[str, Any]) -> None:
    before = started(cloud, bay)
    update_and_lose_a_server(cloud, bay, 2)
    after = ended(cloud)
    assert after["status"] == "ROLLBACK_COMPLETE", after["status_reason"]
    assert after["node_count"] == 1
    assert "node 1" in after["status_reason"]
    assert after["faults"][0]["resource"] == "nodes.1.server"
    assert started(cloud, bay) == before, "what was there was not touched, and nothing is left of what failed"
    assert sorted(node["status"] for node in cloud.nodes(str(bay["uuid"]))) == ["Ready", "Ready"]
    told = [event["text"] for event in cloud.json("bay-event-list", BAY)]
    assert any(text.startswith("Update failed and is rolled back: node 1") for text in told)


def test_it_can_grow_after_that(cloud: Cloud, bay: dict[str, Any]) -> None:
    update(cloud, 2)
    after = ended(cloud)
    assert (after["status"], after["node_count"]) == ("UPDATE_COMPLETE", 2)
    assert sorted(node["status"] for node in cloud.nodes(str(bay["uuid"]))) == ["Ready"] * 3


def test_nodes_that_are_replaced_are_built_anew_by_the_rollback(cloud: Cloud, bay: dict[str, Any]) -> None:
    before = cloud.servers(bay)
    master = next(id_ for name, id_ in before.items() if "-master-" in name)
    lost = max(name for name in before if "-node-" in name)
    cloud.inside(master, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "delete", "node", lost)
    update_and_lose_a_server(cloud, bay, 3)
    after = ended(cloud)
    assert after["status"] == "ROLLBACK_COMPLETE", after["status_reason"]
    assert after["node_count"] == 2
    assert sorted(node["status"] for node in cloud.nodes(str(bay["uuid"]))) == ["Ready"] * 3
    cloud.text("bay-delete", BAY, "--wait", seconds=300)
