"""Nodes, by the contract."""

from typing import Any

from magnum.common.exception import Unavailable
from tests.functional.conftest import Client, FakeConductor, sentences

OWN = {"type": "bare", "image_id": "debian", "ironic_node_id": "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"}


def test_registered_by_hand(alice: Client) -> None:
    response = alice.post("/v1/nodes", {**OWN, "name": "ignored", "uuid": None})
    made = response.json
    assert response.status_int == 201
    assert {name: made[name] for name in OWN} == OWN
    assert made["bay_uuid"] is made["name"] is None
    assert made["addresses"] == []
    assert alice.post("/v1/nodes", OWN).status_int == 409
    path = f"/v1/nodes/{made['uuid']}"
    assert alice.get(path).json == made
    assert alice.patch(path, [{"op": "replace", "path": "/type", "value": "virt"}]).json["type"] == "virt"
    for name in ("bay_uuid", "name", "role", "status", "addresses", "uuid"):
        assert alice.patch(path, [{"op": "replace", "path": f"/{name}", "value": "x"}]).status_int == 400
    assert alice.delete(path).status_int == 204
    assert alice.get("/v1/nodes").json == {"nodes": []}


def test_another_tenants_uuid_is_as_if_not_given(alice: Client, mallory: Client) -> None:
    uuid = "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"
    assert alice.post("/v1/nodes", {"type": "bare", "uuid": uuid}).json["uuid"] == uuid
    assert alice.post("/v1/nodes", {"type": "bare", "uuid": uuid}).status_int == 409
    others = mallory.post("/v1/nodes", {"type": "bare", "uuid": uuid})
    assert others.status_int == 201
    assert others.json["uuid"] != uuid
    assert others.headers["Location"].endswith(others.json["uuid"])


def test_nodes_of_a_bay(alice: Client, ready_bay: dict[str, Any], bay_node: str, conductor: FakeConductor) -> None:
    row = alice.get("/v1/nodes?bay_ident=web").json["nodes"][0]
    assert (row["name"], row["role"], row["status"]) == ("web-node-0", "node", "Ready")
    assert (row["addresses"], row["version"], row["bay_uuid"]) == (["10.0.0.5"], "v1.34.2", ready_bay["uuid"])
    assert conductor.calls[-1] == ("workload_refresh", "node", [ready_bay["uuid"]])
    assert alice.get("/v1/nodes/web-node-0").json["uuid"] == bay_node
    conductor.failure = Unavailable("No conductor answered.")
    assert alice.get("/v1/nodes").json["nodes"][0]["status"] == "Unknown"


def test_nodes_of_a_bay_go_with_its_node_count(alice: Client, bay_node: str) -> None:
    for response in (
        alice.delete(f"/v1/nodes/{bay_node}"),
        alice.patch(f"/v1/nodes/{bay_node}", [{"op": "replace", "path": "/type", "value": "virt"}]),
    ):
        assert response.status_int == 400
        assert "node_count" in sentences(response)[0]


def test_another_tenants_ironic_node_is_nobodys_business(alice: Client, mallory: Client) -> None:
    assert alice.post("/v1/nodes", OWN).status_int == 201
    assert mallory.post("/v1/nodes", OWN).status_int == 201
    assert alice.post("/v1/nodes", OWN).status_int == 409
