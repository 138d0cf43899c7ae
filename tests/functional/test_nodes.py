"""Nodes, beyond the contract in gabbi/: tenancy of what must be unique, and what conductors are asked."""

from typing import Any

import pytest

from magnum.common.exception import Unavailable
from magnum.db.session import Database
from tests.functional.conftest import Client, FakeConductor, set_status

OWN = {"type": "bare", "image_id": "debian", "ironic_node_id": "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"}


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


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETE_FAILED"])
@pytest.mark.parametrize("path", ["/v1/nodes", "/v1/nodes?bay_ident=web", "/v1/nodes/detail"])
def test_of_a_bay_that_cannot_be_asked_nobody_knows_how_its_nodes_are(
    alice: Client,
    ready_bay: dict[str, Any],
    bay_node: str,
    database: Database,
    conductor: FakeConductor,
    status: str,
    path: str,
) -> None:
    own = alice.post("/v1/nodes", {"type": "bare"}).json["uuid"]
    set_status(database, ready_bay["uuid"], status)
    conductor.calls.clear()
    rows = {row["uuid"]: row["status"] for row in alice.get(path).json["nodes"]}
    assert rows[bay_node] == "Unknown"
    assert rows.get(own) is None
    assert conductor.calls == []
    assert alice.get(f"/v1/nodes/{bay_node}?bay_ident=web").json["status"] == "Unknown"


def test_another_tenants_ironic_node_is_nobodys_business(alice: Client, mallory: Client) -> None:
    assert alice.post("/v1/nodes", OWN).status_int == 201
    assert mallory.post("/v1/nodes", OWN).status_int == 201
    assert alice.post("/v1/nodes", OWN).status_int == 409
