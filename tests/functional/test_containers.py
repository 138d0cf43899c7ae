"""Containers, by the contract."""

import json
from typing import Any

import pytest

from magnum.common.exception import RemoteRefusal, Unavailable
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import Client, FakeConductor, People, sentences, set_status

ALL = {"uuid", "name", "bay_uuid", "image", "image_id", "command", "status", "memory", "environment", "links"}
ACTIONS = ("start", "stop", "reboot", "pause", "unpause")
UUID = "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"


@pytest.fixture
def container(alice: Client, swarm_bay: dict[str, Any]) -> dict[str, Any]:
    """A container of Alice's."""
    made: dict[str, Any] = alice.post("/v1/containers", {"name": "web", "image": "nginx", "bay_uuid": "web"}).json
    return made


def test_life(alice: Client, swarm_bay: dict[str, Any], conductor: FakeConductor) -> None:
    bay = swarm_bay["uuid"]
    body = {
        "name": "web", "image": "nginx", "bay_uuid": bay, "command": "nginx -g 'daemon off;'", "memory": "512m",
        "environment": {"A": "b"},
    }  # fmt: skip
    response = alice.post("/v1/containers", body)
    made = response.json
    assert response.status_int == 201
    assert response.headers["Location"] == f"http://localhost/v1/containers/{made['uuid']}"
    assert set(made) == ALL | {"created_at", "updated_at"}
    assert {name: made[name] for name in body} == body
    assert (made["image_id"], made["status"]) == ("nginx", "Stopped")

    for path in ("containers", "containers/", "containers/detail", "containers?bay_ident=web", f"?bay_ident={bay}"):
        path = f"/v1/{path}" if path.startswith("containers") else f"/containers/{path}"
        (row,) = alice.get(path).json["containers"]
        assert row["uuid"] == made["uuid"]
        assert set(row) >= ALL
        assert conductor.calls[-1] == ("container_refresh", [bay])
    for ident in (made["uuid"], "web", "web/", "web?bay_ident=web"):
        assert alice.get(f"/v1/containers/{ident}").json == made

    change = [{"op": "replace", "path": "/command", "value": "sleep 1"}, {"op": "remove", "path": "/memory"}]
    changed = alice.patch("/v1/containers/web", change).json
    assert (changed["command"], changed["memory"]) == ("sleep 1", None)

    assert alice.delete("/v1/containers/web").status_int == 204
    assert conductor.calls[-1] == ("container_delete", made["uuid"])
    assert alice.get("/v1/containers").json == {"containers": []}
    assert alice.get(f"/v1/containers/{made['uuid']}").status_int == 404


def test_as_the_clients_of_2015_send_it(alice: Client, swarm_bay: dict[str, Any]) -> None:
    """The first names the image image_id; the second says null for all it was not told."""
    first = alice.post("/v1/containers", {"name": "a", "image_id": "nginx", "bay_uuid": "web", "command": "ls"})
    nulls = {"name": "b", "image": "nginx", "bay_uuid": swarm_bay["uuid"], "command": None, "memory": None}
    second = alice.post("/v1/containers", nulls)
    for response in (first, second):
        assert response.status_int == 201
        assert response.json["image"] == response.json["image_id"] == "nginx"
        assert response.json["environment"] == {}


@pytest.mark.parametrize("path", ["/image", "/image_id"])
def test_a_patch_may_call_the_image_by_either_name(alice: Client, container: dict[str, Any], path: str) -> None:
    changed = alice.patch("/v1/containers/web", [{"op": "replace", "path": path, "value": "httpd"}]).json
    assert changed["image"] == changed["image_id"] == "httpd"
    response = alice.patch("/v1/containers/web", [{"op": "remove", "path": path}])
    assert response.status_int == 400
    assert "mandatory" in sentences(response)[0]


def test_every_problem_is_named(alice: Client, swarm_bay: dict[str, Any], conductor: FakeConductor) -> None:
    good = {"image": "nginx", "bay_uuid": "web"}
    table: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["attribute bay_uuid", "attribute image", "Mandatory"]),
        ({"image": "nginx", "bay_uuid": "nothing", "memory": "lots"}, ["nothing could not be found", "512m"]),
        ({**good, "image_id": "httpd"}, ["two names of one thing"]),
        ({**good, "image": ""}, ["1 to 255"]),
        ({**good, "image": 5}, ["attribute image"]),
        ({**good, "name": ""}, ["1 to 255"]),
        ({**good, "name": "x" * 256}, ["1 to 255"]),
        ({**good, "name": "a/b"}, ["Nothing can be found"]),
        ({**good, "memory": "512mb"}, ["512m"]),
        ({**good, "memory": "0m"}, ["512m"]),
        ({**good, "memory": 512}, ["attribute memory"]),
        ({**good, "environment": ["A=b"]}, ["attribute environment"]),
        ({**good, "environment": {"A=B": "c"}}, ["attribute environment"]),
        ({**good, "environment": {"A": {"b": "c"}}}, ["attribute environment"]),
        ({**good, "command": ["ls"]}, ["attribute command"]),
        ({**good, "status": "Running"}, ["read only"]),
        ({**good, "uuid": "x"}, ["UUID"]),
    ]
    conductor.calls.clear()
    for body, words in table:
        response = alice.post("/v1/containers", body)
        assert response.status_int == 400, body
        said = " ".join(sentences(response))
        assert all(word in said for word in words), said
        assert said.count("attribute image") <= 1
    assert conductor.calls == []


def test_what_a_patch_must_not_change(alice: Client, container: dict[str, Any]) -> None:
    for path in ("/uuid", "/status", "/bay_uuid", "/links", "/created_at", "/project_id", "/host"):
        response = alice.patch("/v1/containers/web", [{"op": "replace", "path": path, "value": UUID}])
        assert response.status_int == 400, path
    response = alice.patch("/v1/containers/web", [{"op": "remove", "path": "/bay_uuid"}])
    assert response.status_int == 400
    assert alice.patch("/v1/containers/web", {"name": "x"}).status_int == 400
    change = [{"op": "add", "path": "/environment/A", "value": "b"}]
    assert alice.patch("/v1/containers/web", change).json["environment"] == {"A": "b"}


def test_actions(alice: Client, container: dict[str, Any], conductor: FakeConductor) -> None:
    for action in ACTIONS:
        for ident in (container["uuid"], "web", "web?bay_ident=web"):
            ident, _, query = ident.partition("?")
            response = alice.request("PUT", f"/v1/containers/{ident}/{action}?{query}")
            assert response.status_int == 200
            assert response.content_type == "application/json"
            assert response.json is None
            assert conductor.calls[-1] == ("container_act", container["uuid"], action)
    assert alice.get("/v1/containers/web/logs").json == {"output": "its words\n"}
    response = alice.request("PUT", "/v1/containers/web/execute?command=ls+-l+%2F", Content_Length="0")
    assert response.json == {"output": "ls -l / was run\n"}
    assert conductor.calls[-1] == ("container_execute", container["uuid"], "ls -l /")


@pytest.mark.parametrize(
    "headers", [{"Content_Type": "application/octet-stream"}, {"Content_Type": "application/json"}, {"Accept": "*/*"}]
)
@pytest.mark.parametrize("body", [None, b"", b"{}", b"no JSON at all"])
def test_actions_look_at_no_body(
    alice: Client, container: dict[str, Any], headers: dict[str, str], body: bytes | None
) -> None:
    for path in (*ACTIONS, "execute?command=ls"):
        assert alice.request("PUT", f"/v1/containers/web/{path}", body, **headers).status_int == 200


def test_execute_wants_a_command(alice: Client, container: dict[str, Any]) -> None:
    response = alice.request("PUT", "/v1/containers/web/execute", {"command": "ls"})
    assert response.status_int == 400
    assert 'Missing argument: "command"' in sentences(response)[0]
    assert alice.request("PUT", "/v1/containers/web/execute?command=").status_int == 400
    assert alice.request("PUT", "/v1/containers/web/start?command=ls").status_int == 400


def test_a_bay_that_is_not_swarm_is_refused(alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor) -> None:
    conductor.calls.clear()
    response = alice.post("/v1/containers", {"image": "nginx", "bay_uuid": "web"})
    assert response.status_int == 400
    assert sentences(response) == ["Cannot fulfill request with a kubernetes bay, expecting a swarm bay."]
    assert alice.get("/v1/containers").json == {"containers": []}
    assert conductor.calls == []


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_IN_PROGRESS"])
def test_a_bay_that_is_not_ready_is_refused(
    alice: Client, container: dict[str, Any], database: Database, conductor: FakeConductor, status: str
) -> None:
    set_status(database, container["bay_uuid"], status)
    conductor.calls.clear()
    for response in (
        alice.post("/v1/containers", {"image": "nginx", "bay_uuid": "web"}),
        alice.request("PUT", "/v1/containers/web/start"),
        alice.get("/v1/containers/web/logs"),
    ):
        assert response.status_int == 409
        assert status in sentences(response)[0]
    assert [row["status"] for row in alice.get("/v1/containers").json["containers"]] == ["Unknown"]
    assert conductor.calls == []


def test_no_conductor(alice: Client, container: dict[str, Any], conductor: FakeConductor) -> None:
    conductor.failure = Unavailable("No conductor answered.")
    assert alice.get("/v1/containers").json["containers"][0]["status"] == "Unknown"
    assert alice.get("/v1/containers/web").json == {**container, "status": "Unknown"}
    for response in (
        alice.post("/v1/containers", {"image": "nginx", "bay_uuid": "web"}),
        alice.request("PUT", "/v1/containers/web/start"),
        alice.delete("/v1/containers/web"),
    ):
        assert response.status_int == 503
    change = [{"op": "replace", "path": "/name", "value": "other"}]
    assert alice.patch("/v1/containers/web", change).json["name"] == "other"


def test_what_the_bay_refuses_comes_through(alice: Client, container: dict[str, Any], conductor: FakeConductor) -> None:
    conductor.failure = RemoteRefusal(409, "the container is not running")
    response = alice.request("PUT", "/v1/containers/web/pause")
    assert response.status_int == 409
    assert sentences(response) == ["the container is not running"]


def test_an_ambiguous_name(
    alice: Client, container: dict[str, Any], database: Database, conductor: FakeConductor
) -> None:
    second = alice.post("/v1/bays", {"name": "second", "baymodel_id": "small"}).json
    with database.writer() as session:
        row = session.query(models.Bay).filter_by(uuid=second["uuid"]).one()
        row.baymodel, row.status = {**row.baymodel, "coe": "swarm"}, "UPDATE_COMPLETE"
    other = alice.post("/v1/containers", {"name": "web", "image": "httpd", "bay_uuid": "second"}).json
    response = alice.get("/v1/containers/web")
    assert response.status_int == 409
    assert "Please use the container uuid instead." in sentences(response)[0]
    assert alice.request("PUT", "/v1/containers/web/start").status_int == 409
    assert alice.get("/v1/containers/web?bay_ident=second").json == other
    assert alice.request("PUT", "/v1/containers/web/start?bay_ident=second").status_int == 200
    assert conductor.calls[-1] == ("container_act", other["uuid"], "start")
    alice.post("/v1/bays", {"name": "second", "baymodel_id": "small"})
    response = alice.post("/v1/containers", {"image": "nginx", "bay_uuid": "second"})
    assert response.status_int == 409
    assert "Please use the bay uuid instead." in sentences(response)[0]
    assert alice.post("/v1/containers", {"bay_uuid": "second"}).status_int == 400
    listed = alice.get(f"/v1/containers?bay_ident={second['uuid']}&limit=1").json
    assert [row["uuid"] for row in listed["containers"]] == [other["uuid"]]
    assert f"bay_ident={second['uuid']}" in listed["next"]
    assert alice.get("/v1/containers?bay_ident=nothing").status_int == 404


def test_strangers_and_readers(
    alice: Client, container: dict[str, Any], mallory: Client, people: People, conductor: FakeConductor
) -> None:
    reader = people("project-a", "rita", ["reader"])
    conductor.calls.clear()
    for action in (*ACTIONS, "execute?command=ls"):
        assert mallory.request("PUT", f"/v1/containers/{container['uuid']}/{action}").status_int == 404
        assert reader.request("PUT", f"/v1/containers/web/{action}").status_int == 403
    assert mallory.get(f"/v1/containers/{container['uuid']}/logs").status_int == 404
    assert mallory.get("/v1/containers").json == {"containers": []}
    assert mallory.delete(f"/v1/containers/{container['uuid']}").status_int == 404
    assert mallory.post("/v1/containers", {"image": "x", "bay_uuid": container["bay_uuid"]}).status_int == 400
    assert reader.delete("/v1/containers/web").status_int == 403
    assert conductor.calls == []
    assert reader.get("/v1/containers/web/logs").status_int == 200


def test_a_name_can_be_found_by(alice: Client) -> None:
    """What can be asked for by no path is no name."""
    body = {"coe": "kubernetes", "image_id": "debian"}
    for name in ("a/b", "/", "detail", ".", "..", " ", "\t", UUID):
        response = alice.post("/v1/baymodels", {**body, "name": name})
        assert response.status_int == 400, name
        assert "attribute name" in sentences(response)[0]
        assert "Nothing can be found by such a name" in sentences(response)[0]
    found: list[str | None] = [" a ", "details", "...", "v1", "start", UUID.upper(), "a\\b", "ñ?#%2F", None]
    for given in found:
        made = alice.post("/v1/baymodels", {**body, "name": given})
        assert made.status_int == 201, given
        path = f"/v1/baymodels/{made.json['uuid']}"
        assert alice.patch(path, [{"op": "replace", "path": "/name", "value": "a/b"}]).status_int == 400
        assert alice.get(path).json["name"] == given
    assert alice.post("/v1/bays", {"name": "a/b", "baymodel_id": "details"}).status_int == 400


def test_the_shown_addresses_lead_to_it(alice: Client, container: dict[str, Any]) -> None:
    for link in container["links"]:
        assert alice.get(link["href"].removeprefix("http://localhost")).json == container
    assert json.loads(json.dumps(alice.get("/v1").json))["containers"][0]["href"].endswith("/v1/containers/")
