"""Who may do what: another tenant's objects are not there, and within a project the role decides."""

from pathlib import Path
from typing import Any

import pytest

from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, MODELS, Client, People
from tests.functional.test_workloads import POD

CHANGES: dict[str, list[dict[str, Any]]] = {
    "baymodels": [{"op": "replace", "path": "/name", "value": "x"}],
    "bays": [{"op": "replace", "path": "/node_count", "value": 2}],
    "nodes": [{"op": "replace", "path": "/type", "value": "x"}],
    "pods": [{"op": "replace", "path": "/manifest", "value": POD}],
    "services": [{"op": "replace", "path": "/manifest", "value": POD}],
    "rcs": [{"op": "replace", "path": "/manifest", "value": POD}],
    "containers": [{"op": "replace", "path": "/name", "value": "x"}],
}


@pytest.fixture
def objects(alice: Client, ready_bay: dict[str, Any], database: Database) -> dict[str, tuple[str, str]]:
    """One object of Alice's of each kind: uuid and name."""
    made = {"bays": (ready_bay["uuid"], "web"), "baymodels": (ready_bay["baymodel_id"], "small")}
    with database.writer() as session:
        for number, (plural, model) in enumerate(
            [("pods", MODELS["pod"]), ("services", MODELS["service"]), ("rcs", MODELS["rc"]), ("nodes", models.Node)]
        ):
            uuid = f"00000000-0000-4000-8000-00000000000{number}"
            owner = {"project_id": "project-a", "user_id": "alice", "bay_uuid": ready_bay["uuid"]}
            session.add(model(uuid=uuid, name="redis", **owner))
            made[plural] = (uuid, "redis")
        uuid = "00000000-0000-4000-8000-000000000009"
        session.add(models.Container(uuid=uuid, name="redis", image="redis", **owner))
        made["containers"] = (uuid, "redis")
    return made


@pytest.fixture
def public_baymodel(people: People) -> str:
    """One that all projects may use."""
    operator = people("project-o", "operator", ["admin", "member", "reader"])
    return str(operator.post("/v1/baymodels", {**BAYMODEL, "name": "shared", "public": True}).json["uuid"])


@pytest.mark.parametrize("plural", CHANGES)
def test_other_tenants_find_nothing(
    mallory: Client, people: People, objects: dict[str, tuple[str, str]], plural: str
) -> None:
    operator = people("project-o", "operator", ["admin", "member", "reader"])
    for client in (mallory, operator):
        assert client.get(f"/v1/{plural}").json == {plural: []}
        assert client.get(f"/v1/{plural}/detail").json == {plural: []}
        assert client.get(f"/v1/{plural}?marker={objects[plural][0]}").status_int == 404
        for ident in objects[plural]:
            path = f"/v1/{plural}/{ident}"
            assert client.get(path).status_int == 404
            assert client.patch(path, CHANGES[plural]).status_int == 404
            assert client.delete(path).status_int == 404


def test_other_tenants_bay_is_no_place(mallory: Client, objects: dict[str, tuple[str, str]]) -> None:
    uuid, name = objects["bays"]
    for ident in (uuid, name):
        assert mallory.post("/v1/pods", {"bay_uuid": ident, "manifest": POD}).status_int == 400
        assert mallory.get(f"/v1/pods?bay_ident={ident}").status_int == 404
        assert mallory.get(f"/v1/nodes?bay_ident={ident}").status_int == 404
        assert mallory.get(f"/v1/pods/redis/{ident}").status_int == 404


@pytest.mark.parametrize("plural", CHANGES)
def test_reader_looks_and_changes_nothing(people: People, objects: dict[str, tuple[str, str]], plural: str) -> None:
    reader = people("project-a", "rita", ["reader"])
    path = f"/v1/{plural}/{objects[plural][0]}"
    assert len(reader.get(f"/v1/{plural}").json[plural]) == 1
    assert reader.get(path).status_int == 200
    for response in (reader.patch(path, CHANGES[plural]), reader.delete(path), reader.post(f"/v1/{plural}", {})):
        assert response.status_int == 403
    assert reader.get(path).status_int == 200


@pytest.mark.parametrize(
    "roles", [["member", "reader"], ["member"], ["manager"], ["admin"], ["heat_stack_user", "member"]]
)
def test_who_works_in_the_project(people: People, objects: dict[str, tuple[str, str]], roles: list[str]) -> None:
    colleague = people("project-a", "carol", roles)
    assert colleague.get(f"/v1/bays/{objects['bays'][0]}").status_int == 200
    assert colleague.post("/v1/baymodels", BAYMODEL).status_int == 201
    assert colleague.patch(f"/v1/bays/{objects['bays'][0]}", CHANGES["bays"]).status_int == 200
    assert colleague.delete(f"/v1/pods/{objects['pods'][0]}").status_int == 204


@pytest.mark.parametrize("roles", [["heat_stack_user"], ["_member_"], ["service", "load-balancer_member"], []])
def test_other_roles_mean_nothing(
    people: People, public_baymodel: str, objects: dict[str, tuple[str, str]], roles: list[str]
) -> None:
    machine = people("project-a", "machine", roles)
    for plural, (uuid, _name) in objects.items():
        for ident in (uuid, "nothing"):
            path = f"/v1/{plural}/{ident}"
            refused = [machine.get(path), machine.patch(path, CHANGES[plural]), machine.delete(path)]
            assert [response.status_int for response in refused] == [403] * 3, plural
        for path in (f"/v1/{plural}", f"/v1/{plural}/detail"):
            assert machine.get(path).status_int == 403
        assert machine.post(f"/v1/{plural}", {}).status_int == 403
    bay = objects["bays"][0]
    for path in (f"/v1/baymodels/{public_baymodel}", f"/v1/bays/{bay}/events", f"/v1/certificates/{bay}"):
        assert machine.get(path).status_int == 403
    assert machine.get("/v1/certificates/nothing").status_int == 403
    assert machine.get(f"/v1/certificates/{bay}/control-plane").status_int == 403
    assert machine.post("/v1/certificates", {"bay_uuid": bay, "csr": "x"}).status_int == 403


def test_a_cloud_may_have_roles_of_its_own(people: People, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"member": "role:_member_"\n')
    colleague = people("project-a", "carol", ["_member_"])
    assert colleague.post("/v1/baymodels", BAYMODEL).status_int == 201
    assert colleague.get("/v1/baymodels/small").status_int == 200


def test_token_without_a_project(people: People, application: Any) -> None:
    client = Client(application, people.token(None, "alice", ["admin"]))
    for path in ("/v1/bays", "/v1/baymodels/detail", "/v1/pods/x", "/v1/certificates/x"):
        assert client.get(path).status_int == 403


def test_operators_rules_count(people: People, tmp_path: Path, alice: Client) -> None:
    (tmp_path / "policy.yaml").write_text('"bay:get_all": "role:auditor"\n')  # beside magnum.conf
    assert alice.get("/v1/bays").status_int == 403
    assert people("project-a", "audrey", ["auditor"]).get("/v1/bays").status_int == 200
