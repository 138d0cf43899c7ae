"""Bays, beyond the contract in gabbi/: what is stored, what conductors are asked, what depends on configuration."""

import json
from datetime import timedelta
from typing import Any

import pytest
import webtest

from magnum.common import clock, states
from magnum.common.idents import new_uuid
from magnum.common.states import BayStatus, Verb
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, Client, FakeConductor, People, sentences, set_status


def scale(count: Any) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": "/node_count", "value": count}]


def test_accepted_and_told_to_a_conductor(
    alice: Client, baymodel: dict[str, Any], conductor: FakeConductor, database: Database
) -> None:
    body = {"name": "web", "baymodel_id": "small", "node_count": "3", "master_count": None, "bay_create_timeout": "10"}
    response = alice.post("/v1/bays", body)
    made = response.json
    assert response.status_int == 201
    assert response.headers["Location"] == f"http://localhost/v1/bays/{made['uuid']}"
    assert made["status"] == "CREATE_IN_PROGRESS"
    assert made["baymodel_id"] == baymodel["uuid"]
    assert (made["node_count"], made["master_count"], made["bay_create_timeout"]) == (3, 1, 10)
    assert alice.get("/v1/bays/web").json == made
    assert conductor.calls == [("operation_queued", made["uuid"])]
    with database.reader() as session:
        row = session.query(models.Bay).one()
        operation = session.query(models.Operation).one()
        assert session.query(models.BayEvent).count() == 3  # accepted; image and flavor could not be checked
    assert {name: row.baymodel[name] for name in ("uuid", "coe", "image_id", "network_driver", "labels")} == {
        "uuid": baymodel["uuid"],
        "coe": "kubernetes",
        "image_id": "debian",
        "network_driver": "flannel",
        "labels": {},
    }
    assert (row.project_id, row.user_id) == ("project-a", "alice")
    assert operation.request_id == response.headers["X-Openstack-Request-Id"]
    assert operation.deadline is not None
    assert timedelta(minutes=9) < operation.deadline - clock.now() <= timedelta(minutes=10)


def test_baymodel_copy_does_not_follow_the_baymodel(alice: Client, bay: dict[str, Any], database: Database) -> None:
    with database.writer() as session:
        session.query(models.BayModel).update({"image_id": "another"})
    with database.reader() as session:
        assert session.query(models.Bay).one().baymodel["image_id"] == "debian"


@pytest.mark.parametrize(("given", "stored", "limited"), [(None, 60, True), (0, 0, False), (5, 5, True)])
def test_timeout(
    alice: Client, baymodel: dict[str, Any], database: Database, given: Any, stored: int, limited: bool
) -> None:
    made = alice.post("/v1/bays", {"baymodel_id": "small", "bay_create_timeout": given}).json
    assert made["bay_create_timeout"] == stored
    with database.reader() as session:
        assert (session.query(models.Operation).one().deadline is not None) is limited


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, ["attribute baymodel_id", "Mandatory"]),
        ({"baymodel_id": "nothing"}, ["baymodel_id", "nothing could not be found"]),
        ({"baymodel_id": "small", "node_count": 0, "master_count": -1}, ["attribute node_count", "master_count"]),
        ({"baymodel_id": "small", "node_count": 2**80}, ["attribute node_count"]),
        ({"baymodel_id": "small", "node_count": 1.5}, ["attribute node_count"]),
        ({"baymodel_id": "small", "node_count": True}, ["attribute node_count"]),
        ({"baymodel_id": "small", "bay_create_timeout": -5, "name": ""}, ["bay_create_timeout", "attribute name"]),
        ({"baymodel_id": "small", "name": "n" * 256}, ["attribute name"]),
        ({"baymodel_id": "small", "name": {"a": 1}}, ["attribute name"]),
        ({"baymodel_id": "small", "name": "a\0b"}, ["character that cannot be stored"]),
        ({"baymodel_id": "small", "name": "\ud800"}, ["character that cannot be stored"]),
        ({"baymodel_id": "small", "discovery_url": "ftp://x"}, ["discovery_url", "http"]),
        ({"baymodel_id": "small", "api_address": "10.0.0.1"}, ["api_address", "read only"]),
    ],
)
def test_bad_input(
    alice: Client, baymodel: dict[str, Any], database: Database, body: dict[str, Any], words: list[str]
) -> None:
    response = alice.post("/v1/bays", body)
    assert response.status_int == 400
    said = " ".join(sentences(response))
    assert all(word in said for word in words), said
    with database.reader() as session:
        assert session.query(models.Bay).count() == session.query(models.Operation).count() == 0


def test_what_the_driver_refuses_is_said_at_once(alice: Client) -> None:
    alice.post("/v1/baymodels", {**BAYMODEL, "flavor_id": None, "tls_disabled": True})
    response = alice.post("/v1/bays", {"baymodel_id": "small"})
    assert response.status_int == 400
    assert len(sentences(response)) == 2


def test_node_count_can_be_changed(
    alice: Client, ready_bay: dict[str, Any], conductor: FakeConductor, database: Database
) -> None:
    conductor.calls.clear()
    response = alice.patch("/v1/bays/web", scale("2"))
    assert response.status_int == 200
    assert response.json["status"] == "UPDATE_IN_PROGRESS"
    assert alice.get("/v1/bays/web").json["status"] == "UPDATE_IN_PROGRESS"
    assert conductor.calls == [("operation_queued", ready_bay["uuid"])]
    with database.reader() as session:
        operation = session.query(models.Operation).filter_by(verb="update").one()
    assert operation.arguments == {"node_count": 2, "node_count_before": 1}


def test_patch_that_changes_nothing_does_nothing(
    alice: Client, bay: dict[str, Any], conductor: FakeConductor, database: Database
) -> None:
    conductor.calls.clear()
    changes = [*scale(1), {"op": "replace", "path": "/name", "value": "web"}]
    assert alice.patch("/v1/bays/web", changes).json == bay
    assert conductor.calls == []
    with database.reader() as session:
        assert session.query(models.Operation).count() == 1


def test_a_change_that_failed_can_be_asked_for_again(
    alice: Client, bay: dict[str, Any], database: Database, conductor: FakeConductor
) -> None:
    set_status(database, bay["uuid"], "UPDATE_FAILED")
    conductor.calls.clear()
    name = [{"op": "replace", "path": "/name", "value": "web"}]
    assert alice.patch("/v1/bays/web", name).json["status"] == "UPDATE_FAILED"
    assert alice.patch("/v1/bays/web", scale(1)).json["status"] == "UPDATE_IN_PROGRESS"
    assert conductor.calls == [("operation_queued", bay["uuid"])]


def test_the_old_number_is_refused_while_the_bay_changes(alice: Client, ready_bay: dict[str, Any]) -> None:
    assert alice.patch("/v1/bays/web", scale(3)).status_int == 200
    assert alice.patch("/v1/bays/web", scale(ready_bay["node_count"])).status_int == 409


@pytest.mark.parametrize("status", list(BayStatus))
def test_which_verb_is_allowed_when(alice: Client, bay: dict[str, Any], database: Database, status: BayStatus) -> None:
    set_status(database, bay["uuid"], status)
    changed = alice.patch("/v1/bays/web", scale(2)).status_int
    refused = {status for status in BayStatus if status.endswith("_IN_PROGRESS")}
    refused |= {BayStatus.CREATE_FAILED, BayStatus.DELETE_FAILED}
    assert changed == (409 if status in refused else 200)
    assert alice.delete("/v1/bays/web").status_int == 204
    assert alice.get("/v1/bays/web").json["status"] == "DELETE_IN_PROGRESS"
    assert alice.delete("/v1/bays/web").status_int == 204


def rolled_back(client: Client, value: str) -> webtest.TestResponse:
    version = "container-infra 1.3"
    return client.patch(f"/v1/bays/web?rollback={value}", scale(2), OpenStack_API_Version=version)


@pytest.mark.parametrize(
    ("value", "arguments"),
    [
        ("True", {"node_count": 2, "rollback": True}),
        ("1", {"node_count": 2, "rollback": True}),
        ("false", {"node_count": 2}),
    ],
)
def test_an_update_can_ask_to_be_rolled_back(
    alice: Client, ready_bay: dict[str, Any], database: Database, value: str, arguments: dict[str, Any]
) -> None:
    response = rolled_back(alice, value)
    assert (response.status_int, response.json) == (202, {"uuid": ready_bay["uuid"]})
    with database.reader() as session:
        operation = session.query(models.Operation).filter_by(verb="update").one()
    assert operation.arguments == {**arguments, "node_count_before": 1}


def test_rollback_is_asked_for_with_a_boolean(alice: Client, ready_bay: dict[str, Any]) -> None:
    response = rolled_back(alice, "perhaps")
    assert response.status_int == 400
    assert "rollback" in sentences(response)[0]


@pytest.mark.parametrize("status", list(BayStatus))
def test_only_a_whole_bay_has_what_it_could_be_rolled_back_to(
    alice: Client, bay: dict[str, Any], database: Database, status: BayStatus
) -> None:
    set_status(database, bay["uuid"], status)
    response = rolled_back(alice, "True")
    assert response.status_int == (202 if status.endswith("_COMPLETE") else 409)


def test_events_tell_the_story_page_by_page(alice: Client, bay: dict[str, Any], database: Database) -> None:
    alice.delete("/v1/bays/web")
    first = alice.get("/v1/bays/web/events?limit=1").json
    assert [event["verb"] for event in first["events"]] == ["create"]
    assert set(first["events"][0]) == {
        "id", "created_at", "level", "verb", "step", "text", "request_id", "duration",
    }  # fmt: skip
    rest = alice.get(first["next"].removeprefix("http://localhost").replace("limit=1", "limit=4")).json
    assert [event["verb"] for event in rest["events"]] == ["create", "create", "delete", "delete"]
    assert alice.get(rest["next"].removeprefix("http://localhost")).json == {"events": []}
    with database.writer() as session:
        session.query(models.Bay).delete()
    assert alice.get("/v1/bays/web/events").status_int == 404
    assert len(alice.get(f"/v1/bays/{bay['uuid']}/events").json["events"]) == 5
    assert alice.get(f"/v1/bays/{bay['uuid']}/events?marker=999999").json == {"events": []}
    assert alice.get(f"/v1/bays/{new_uuid()}/events?marker=1").status_int == 404
    for query in ("limit=0", "marker=x", "limit=x", "marker=99999999999999999999"):
        assert alice.get(f"/v1/bays/{bay['uuid']}/events?{query}").status_int == 400


def test_events_are_the_tenants_own(mallory: Client, bay: dict[str, Any]) -> None:
    assert mallory.get(f"/v1/bays/{bay['uuid']}/events").status_int == 404
    assert mallory.get("/v1/bays/web/events").status_int == 404


def test_no_secret_is_ever_shown(alice: Client, bay: dict[str, Any], database: Database) -> None:
    with database.writer() as session:
        session.query(models.Bay).update({"trustee_secret": "s3cr3t", "trustee_user_id": "t-user"})
    for path in ("/v1/bays/web", "/v1/bays/detail", "/v1/bays"):
        assert "s3cr3t" not in alice.get(path).text
    assert alice.get("/v1/bays?sort_key=trustee_secret").status_int == 400
    assert "trustee" not in json.dumps(alice.get("/v1/bays/web").json)


@pytest.mark.parametrize("status", list(BayStatus))
@pytest.mark.parametrize("verb", [Verb.RETRY, Verb.ROLLBACK])
def test_what_failed_can_be_done_again_or_taken_back(
    alice: Client, bay: dict[str, Any], database: Database, conductor: FakeConductor, verb: Verb, status: BayStatus
) -> None:
    set_status(database, bay["uuid"], status)
    conductor.calls.clear()
    response = alice.post(f"/v1/bays/web/actions/{verb}", None)
    start = states.STARTS.get((status, verb))
    if start is None:
        assert response.status_int == 409
        assert conductor.calls == []
        return
    assert (response.status_int, response.json) == (202, {"uuid": bay["uuid"]})
    assert alice.get("/v1/bays/web").json["status"] == start.status
    assert conductor.calls == [("operation_queued", bay["uuid"])]


def test_what_another_tenant_did_is_not_done_again(mallory: Client, ready_bay: dict[str, Any]) -> None:
    for action in ("retry", "rollback"):
        assert mallory.post(f"/v1/bays/{ready_bay['uuid']}/actions/{action}", None).status_int == 404


def test_who_may_only_look_does_nothing_again(people: People, bay: dict[str, Any], database: Database) -> None:
    reader = people("project-a", "rita", ["reader"])
    for status in (BayStatus.CREATE_FAILED, BayStatus.UPDATE_FAILED, BayStatus.DELETE_FAILED):
        set_status(database, bay["uuid"], status)
        assert reader.post("/v1/bays/web/actions/retry", None).status_int == 403
