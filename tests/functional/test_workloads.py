"""Pods, services and replication controllers, by the contract."""

import json
from typing import Any

import pytest

from magnum.common.exception import RemoteRefusal, Unavailable
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import Client, FakeConductor, sentences, set_status

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: redis}\nspec: {containers: [{name: redis, image: redis}]}\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: redis}\nspec: {ports: [{port: 6379}]}\n"
RC = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "redis"},
        "spec": {
            "replicas": 2,
            "selector": {"app": "redis"},
            "template": {
                "metadata": {"labels": {"app": "redis"}},
                "spec": {"containers": [{"name": "redis", "image": "redis"}]},
            },
        },
    }
)
KINDS = [("pods", "pod", POD), ("services", "service", SERVICE), ("rcs", "rc", RC)]
OWN = {
    "pods": {"desc", "images", "labels", "status", "host"},
    "services": {"labels", "selector", "ip", "ports", "status"},
    "rcs": {"images", "labels", "replicas", "status"},
}

every_kind = pytest.mark.parametrize(("plural", "noun", "manifest"), KINDS, ids=[kind[1] for kind in KINDS])


@every_kind
def test_life(
    alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor, plural: str, noun: str, manifest: str
) -> None:
    bay = ready_bay["uuid"]
    response = alice.post(f"/v1/{plural}", {"bay_uuid": bay, "manifest": manifest, "manifest_url": None})
    made = response.json
    assert response.status_int == 201
    assert response.headers["Location"] == f"http://localhost/v1/{plural}/{made['uuid']}"
    assert set(made) == OWN[plural] | {"uuid", "name", "bay_uuid", "links", "created_at", "updated_at"}
    assert (made["name"], made["bay_uuid"]) == ("redis", bay)
    assert conductor.calls[-1][:3] == ("workload_create", noun, bay)

    for path in (f"/v1/{plural}", f"/v1/{plural}/detail", f"/v1/{plural}/?bay_ident=web", f"/{plural}?bay_uuid={bay}"):
        assert [row["uuid"] for row in alice.get(path).json[plural]] == [made["uuid"]]
        assert conductor.calls[-1] == ("workload_refresh", noun, [bay])
    for ident in (made["uuid"], "redis"):
        for path in (
            f"{ident}",
            f"{ident}/{bay}",
            f"{ident}/web",
            f"{ident}/?bay_ident=web",
            f"{ident}/?bay_uuid={bay}",
        ):
            assert alice.get(f"/v1/{plural}/{path}").json == made

    change = [{"op": "replace", "path": "/manifest", "value": manifest}]
    for path in ("redis", f"{made['uuid']}/web", "redis/?bay_ident=web"):
        assert alice.patch(f"/v1/{plural}/{path}", change).json == made
        assert conductor.calls[-1][:3] == ("workload_update", noun, made["uuid"])

    assert alice.delete(f"/v1/{plural}/redis/web").status_int == 204
    assert conductor.calls[-1] == ("workload_delete", noun, made["uuid"])
    assert alice.get(f"/v1/{plural}").json == {plural: []}


@every_kind
def test_bad_input_asks_no_bay(
    alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor, plural: str, noun: str, manifest: str
) -> None:
    bay = ready_bay["uuid"]
    other = SERVICE if noun != "service" else POD
    table: list[tuple[dict[str, Any], list[str]]] = [
        ({}, ["attribute bay_uuid", "Mandatory"]),
        ({"bay_uuid": "nothing", "manifest": manifest}, ["bay_uuid", "nothing could not be found"]),
        ({"bay_uuid": bay}, ["'manifest' can't be empty"]),
        ({"bay_uuid": bay, "manifest": ""}, ["'manifest' can't be empty"]),
        ({"bay_uuid": bay, "manifest": "a: [b"}, ["not valid YAML"]),
        ({"bay_uuid": bay, "manifest": "{"}, ["JSON"]),
        ({"bay_uuid": bay, "manifest": "- a"}, ["mapping"]),
        ({"bay_uuid": bay, "manifest": other}, ["kind"]),
        ({"bay_uuid": bay, "manifest": "kind: X\napiVersion: v2\nmetadata: {}"}, ["kind", "apiVersion", "metadata"]),
        ({"bay_uuid": bay, "manifest": {"kind": "Pod"}}, ["attribute manifest"]),
        ({"bay_uuid": bay, "manifest_url": "file:///etc/passwd"}, ["http"]),
        ({"bay_uuid": bay, "manifest": manifest, "links": []}, ["read only"]),
    ]
    conductor.calls.clear()
    for body, words in table:
        response = alice.post(f"/v1/{plural}", body)
        assert response.status_int == 400, body
        said = " ".join(sentences(response))
        assert all(word in said for word in words), said
    assert conductor.calls == []


@pytest.mark.parametrize("status", ["CREATE_IN_PROGRESS", "CREATE_FAILED", "DELETE_IN_PROGRESS"])
def test_bay_must_be_there(alice: Client, bay: dict[str, Any], database: Database, status: str) -> None:
    set_status(database, bay["uuid"], status)
    response = alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD})
    assert response.status_int == 409
    assert status in sentences(response)[0]
    assert "CREATE_COMPLETE" in sentences(response)[0]


def test_bay_must_be_of_the_kind(alice: Client, ready_bay: dict[str, Any], database: Database) -> None:
    with database.writer() as session:
        bay = session.query(models.Bay).one()
        bay.baymodel = {**bay.baymodel, "coe": "swarm"}
    response = alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD})
    assert response.status_int == 400
    assert sentences(response) == ["Cannot fulfill request with a swarm bay, expecting a kubernetes bay."]


def test_what_the_bay_refuses_comes_through(alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor) -> None:
    conductor.failure = RemoteRefusal(409, 'pods "redis" already exists')
    response = alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD})
    assert response.status_int == 409
    assert sentences(response) == ['pods "redis" already exists']


def test_no_conductor(alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor) -> None:
    made = alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD}).json
    conductor.failure = Unavailable("No conductor answered.")
    assert alice.get("/v1/pods").json["pods"][0]["status"] == "Unknown"
    assert alice.get("/v1/pods/redis").json == {**made, "status": "Unknown"}
    for response in (
        alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD}),
        alice.patch("/v1/pods/redis", [{"op": "replace", "path": "/manifest", "value": POD}]),
        alice.delete("/v1/pods/redis"),
    ):
        assert response.status_int == 503
    conductor.failure = None
    assert alice.get("/v1/pods/redis").json == made


def test_patch_of_anything_else(alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor) -> None:
    alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD})
    conductor.calls.clear()
    for change in (
        {"op": "replace", "path": "/name", "value": "x"},
        {"op": "replace", "path": "/labels", "value": "x"},
        {"op": "replace", "path": "/bay_uuid", "value": "x"},
        {"op": "remove", "path": "/bay_uuid"},
        {"op": "remove", "path": "/manifest"},
        {"op": "replace", "path": "/manifest", "value": "x"},
        {"op": "replace", "path": "/manifest", "value": 3},
        {"op": "replace", "path": "/manifest", "value": POD.replace("name: redis", "name: other")},
    ):
        assert alice.patch("/v1/pods/redis", [change]).status_int == 400, change
    assert conductor.calls == []


def test_only_bays_that_can_be_asked_are_asked(
    alice: Client, ready_bay: dict[str, Any], database: Database, conductor: FakeConductor
) -> None:
    set_status(database, ready_bay["uuid"], "CREATE_IN_PROGRESS")
    conductor.calls.clear()
    assert alice.get("/v1/pods").json == {"pods": []}
    assert alice.get("/v1/pods?bay_ident=web").json == {"pods": []}
    assert conductor.calls == []
    assert alice.get("/v1/pods?bay_ident=nothing").status_int == 404


def test_one_bays_objects_only(
    alice: Client, ready_bay: dict[str, Any], baymodel: dict[str, Any], database: Database
) -> None:
    second = alice.post("/v1/bays", {"name": "second", "baymodel_id": "small"}).json
    set_status(database, second["uuid"], "UPDATE_IN_PROGRESS")
    first_pod = alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD}).json
    second_pod = alice.post("/v1/pods", {"bay_uuid": "second", "manifest": POD}).json
    assert alice.get("/v1/pods/redis").status_int == 409
    assert alice.get("/v1/pods/redis/web").json == first_pod
    assert alice.get("/v1/pods/redis?bay_ident=second").json == second_pod
    assert alice.get(f"/v1/pods/{first_pod['uuid']}/second").status_int == 404
    assert (
        alice.get("/v1/pods?bay_ident=second&limit=1")
        .json["next"]
        .endswith(f"/v1/pods?bay_ident=second&sort_key=id&sort_dir=asc&limit=1&marker={second_pod['uuid']}")
    )
