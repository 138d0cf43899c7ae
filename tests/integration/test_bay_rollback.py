"""An update that fails for real is undone by Heat: the bay is what it was, says why, and works on."""

from typing import Any

import pytest
import yaml
from keystoneauth1 import identity, session

from tests.integration.cloud import Cloud, CommandFailed, eventually, write_baymodel

BAY = "back"


@pytest.fixture(scope="module")
def bay(cloud: Cloud) -> dict[str, Any]:
    write_baymodel(cloud, "back")
    cloud.text("bay-create", "--name", BAY, "--baymodel", "back", "--node-count", "1", "--wait", seconds=300)
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


def kill_new_server(cloud: Cloud, bay: dict[str, Any], known: set[str]) -> None:
    """Kill the next server of the bay that comes up, while it is still being built."""

    def is_killed() -> bool:
        try:
            new = [id_ for name, id_ in cloud.servers(bay).items() if name not in known]
            cloud.docker("kill", new[0])
        except (CommandFailed, IndexError):  # another has just gone, or it does not run yet
            return False
        return True

    eventually(is_killed, "a new server is killed", 60)


def ended(cloud: Cloud) -> dict[str, Any]:
    """The bay when nothing is done to it any more, and all it was until then."""
    seen: list[str] = []

    def is_over() -> bool:
        seen.append(cloud.shown(f"/bays/{BAY}")["status"])  # quicker than a command: a rollback is soon over
        return not seen[-1].endswith("_IN_PROGRESS")

    eventually(is_over, "the update has ended", 300)
    return {**cloud.bay(BAY), "seen": set(seen)}


def started(cloud: Cloud, bay: dict[str, Any]) -> dict[str, str]:
    return {
        name: cloud.docker("inspect", "-f", "{{.State.StartedAt}}", id_) for name, id_ in cloud.servers(bay).items()
    }


def test_a_node_that_dies_while_it_is_built(cloud: Cloud, bay: dict[str, Any]) -> None:
    before = started(cloud, bay)
    update(cloud, 2)
    kill_new_server(cloud, bay, set(before))
    after = ended(cloud)
    assert after["status"] == "ROLLBACK_COMPLETE", after["status_reason"]
    assert after["node_count"] == 1
    assert after["seen"] >= {"ROLLBACK_IN_PROGRESS"}
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
    servers = cloud.servers(bay)
    master = next(id_ for name, id_ in servers.items() if "-master-" in name)
    lost = max(name for name in servers if "-node-" in name)
    cloud.inside(master, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "delete", "node", lost)
    update(cloud, 3)
    kill_new_server(cloud, bay, set(servers))
    after = ended(cloud)
    assert after["status"] == "ROLLBACK_COMPLETE", after["status_reason"]
    assert after["node_count"] == 2
    assert sorted(node["status"] for node in cloud.nodes(str(bay["uuid"]))) == ["Ready"] * 3
    cloud.text("bay-delete", BAY, "--wait", seconds=300)
