"""Baymodels, by the contract."""

from typing import Any

import pytest
from oslo_config import cfg

from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, KEY, Client, People, sentences

SHORT = {"uuid", "name", "image_id", "apiserver_port", "coe", "links"}


def test_created_with_defaults_and_location(alice: Client) -> None:
    response = alice.post("/v1/baymodels", BAYMODEL)
    made = response.json
    assert response.status_int == 201
    assert response.headers["Location"] == f"http://localhost/v1/baymodels/{made['uuid']}"
    assert made["network_driver"] == "flannel"
    assert made["server_type"] == "vm"
    assert made["labels"] == {}
    assert made["public"] is made["tls_disabled"] is made["registry_enabled"] is False
    assert made["cluster_distro"] is None
    assert made["updated_at"] is None
    assert made["created_at"].endswith("+00:00")
    assert [link["href"] for link in made["links"]] == [
        f"http://localhost/v1/baymodels/{made['uuid']}",
        f"http://localhost/baymodels/{made['uuid']}",
    ]
    assert alice.get(f"/v1/baymodels/{made['uuid']}").json == made
    assert alice.get("/v1/baymodels/small").json == made


def test_numbers_as_strings_nulls_and_unknown_keys_are_taken(alice: Client) -> None:
    body = {
        **BAYMODEL,
        "docker_volume_size": "5",
        "apiserver_port": "8080",
        "tls_disabled": "true",
        "name": None,
        "labels": None,
        "dns_nameserver": None,
        "public": None,
        "flavour": "a key of another time",
        "cluster_distro": "never taken from a user",
    }
    made = alice.post("/v1/baymodels", body).json
    assert (made["docker_volume_size"], made["apiserver_port"]) == (5, 8080)
    assert made["tls_disabled"] is True
    assert made["name"] is made["cluster_distro"] is made["dns_nameserver"] is None
    assert made["labels"] == {}


def test_uuid_may_be_chosen_once(alice: Client, mallory: Client) -> None:
    uuid = "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"
    assert alice.post("/v1/baymodels", {**BAYMODEL, "uuid": uuid}).json["uuid"] == uuid
    assert alice.post("/v1/baymodels", {**BAYMODEL, "uuid": uuid}).status_int == 409
    others = mallory.post("/v1/baymodels", {**BAYMODEL, "uuid": uuid})
    assert others.status_int == 201
    assert others.json["uuid"] != uuid
    assert alice.get(f"/v1/baymodels/{uuid}").status_int == 200


def test_list_is_short_and_detail_is_full(alice: Client, baymodel: dict[str, Any]) -> None:
    assert set(alice.get("/v1/baymodels").json["baymodels"][0]) == SHORT
    assert alice.get("/v1/baymodels/detail").json == {"baymodels": [baymodel]}
    assert alice.get(f"/v1/baymodels/{baymodel['uuid']}/detail").status_int == 404


def test_every_problem_is_named_and_nothing_is_stored(alice: Client, database: Database) -> None:
    body = {
        "coe": "kubernets",
        "apiserver_port": 80,
        "docker_volume_size": "many",
        "dns_nameserver": "dns.example.org",
        "registry_enabled": "perhaps",
        "name": "n" * 256,
        "uuid": "UPPER",
        "labels": ["a"],
        "created_at": "2015-10-01T00:00:00+00:00",
    }
    response = alice.post("/v1/baymodels", body)
    assert response.status_int == 400
    said = sentences(response)
    for field in [*body, "image_id"]:
        assert any(f"attribute {field}." in sentence for sentence in said), field
    assert any("Cannot set read only field." in sentence for sentence in said)
    assert any("'None'. Mandatory field missing." in sentence for sentence in said)
    with database.reader() as session:
        assert session.query(models.BayModel).count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("apiserver_port", 10250),
        ("http_proxy", "http://x\nnewline: y"),
        ("fixed_network", 'x"\n- y'),
        ("dns_nameserver", "0.0.0.0"),  # noqa: S104 - not bound to
        ("labels", {"pods_network_cidr": "10.0.0.0/32"}),
        ("labels", {"fixed_subnet_cidr": "10.254.0.0/24"}),
    ],
)
def test_what_no_bay_could_have_is_refused(alice: Client, baymodel: dict[str, Any], field: str, value: Any) -> None:
    assert alice.post("/v1/baymodels", {**BAYMODEL, field: value}).status_int == 400
    response = alice.patch("/v1/baymodels/small", [{"op": "replace", "path": f"/{field}", "value": value}])
    assert response.status_int == 400
    assert alice.get("/v1/baymodels/small").json == baymodel


def test_only_some_network_drivers_may_be_allowed(alice: Client, conf: cfg.ConfigOpts) -> None:
    conf.set_override("kubernetes_allowed_network_drivers", ["flannel"], "baymodel")
    response = alice.post("/v1/baymodels", {**BAYMODEL, "network_driver": "bridge"})
    assert response.status_int == 400
    assert sentences(response) == ["network_driver bridge is not allowed in this cloud. Allowed are flannel."]


def test_an_ssh_key_is_one_key(alice: Client) -> None:
    made = alice.post("/v1/baymodels", {**BAYMODEL, "ssh_authorized_key": f" {KEY} me\n"})
    assert made.json["ssh_authorized_key"] == f"{KEY} me"
    response = alice.post("/v1/baymodels", {**BAYMODEL, "ssh_authorized_key": f"{KEY}\n{KEY}"})
    assert response.status_int == 400
    assert "field/attribute ssh_authorized_key." in sentences(response)[0]
    assert "one public key on one line" in sentences(response)[0]


def test_unknown_label_names_the_nearest(alice: Client) -> None:
    response = alice.post("/v1/baymodels", {**BAYMODEL, "labels": {"kube_tagg": "v1.30.0", "pods_network_cidr": "x"}})
    assert response.status_int == 400
    said = " ".join(sentences(response))
    assert "did you mean kube_tag?" in said
    assert "pods_network_cidr" in said


@pytest.mark.parametrize(
    ("field", "value"), [("network_driver", "docker"), ("volume_driver", "rexray"), ("server_type", "toaster")]
)
def test_what_the_driver_does_not_know_is_refused(alice: Client, field: str, value: str) -> None:
    response = alice.post("/v1/baymodels", {**BAYMODEL, field: value})
    assert response.status_int == 400
    assert value in sentences(response)[0]


def test_no_driver_for_a_coe_is_said(alice: Client) -> None:
    response = alice.post("/v1/baymodels", {**BAYMODEL, "coe": "mesos"})
    assert response.status_int == 400
    assert "there is kubernetes" in sentences(response)[0]


def test_patch(alice: Client, baymodel: dict[str, Any]) -> None:
    changes = [
        {"op": "replace", "path": "/flavor_id", "value": "m1.large"},
        {"op": "add", "path": "/labels/kube_tag", "value": "v1.30.2"},
        {"op": "replace", "path": "/docker_volume_size", "value": "10"},
        {"op": "replace", "path": "/tls_disabled", "value": False},
        {"op": "remove", "path": "/name"},
    ]
    response = alice.patch("/v1/baymodels/small", changes)
    assert response.status_int == 200
    changed = response.json
    assert changed["flavor_id"] == "m1.large"
    assert changed["labels"] == {"kube_tag": "v1.30.2"}
    assert changed["docker_volume_size"] == 10
    assert changed["name"] is None
    assert changed["updated_at"] is not None
    assert alice.get(f"/v1/baymodels/{baymodel['uuid']}").json == changed


def test_patch_takes_labels_as_the_string_clients_make_of_them(alice: Client, baymodel: dict[str, Any]) -> None:
    changes = [{"op": "replace", "path": "/labels", "value": "{'kube_tag': 'v1.30.2'}"}]
    assert alice.patch("/v1/baymodels/small", changes).json["labels"] == {"kube_tag": "v1.30.2"}


def test_patch_names_every_problem_and_changes_nothing(alice: Client, baymodel: dict[str, Any]) -> None:
    changes = [
        {"op": "test", "path": "/name", "value": "x"},
        {"op": "replace", "path": "name", "value": "x"},
        {"op": "replace", "path": "/name"},
        {"op": "replace", "path": "/name", "value": {"a": "b"}},
        {"op": "replace", "path": "/uuid", "value": "x"},
        {"op": "remove", "path": "/coe"},
        {"op": "add", "path": "/colour", "value": "red"},
        {"op": "remove", "path": "/labels/absent"},
        {"op": "replace", "path": "/flavor_id", "value": "m1.large"},
    ]
    response = alice.patch("/v1/baymodels/small", changes)
    assert response.status_int == 400
    said = sentences(response)
    assert len(said) == 8
    assert "'/uuid' is an internal attribute and can not be updated." in said
    assert "'/coe' is a mandatory attribute and can not be removed." in said
    assert "'add' and 'replace' operations needs value." in said
    assert alice.get("/v1/baymodels/small").json == baymodel


@pytest.mark.parametrize("document", [{}, [], "x", [1], None, [{"op": "replace"}]])
def test_patch_that_is_none(alice: Client, baymodel: dict[str, Any], document: Any) -> None:
    assert alice.patch("/v1/baymodels/small", document).status_int == 400


def test_patched_fields_are_validated_as_a_whole(alice: Client, baymodel: dict[str, Any]) -> None:
    changes = [
        {"op": "replace", "path": "/apiserver_port", "value": 1},
        {"op": "add", "path": "/labels/nonsense", "value": "x"},
    ]
    response = alice.patch("/v1/baymodels/small", changes)
    assert response.status_int == 400
    assert len(sentences(response)) == 2


def test_delete(alice: Client, baymodel: dict[str, Any]) -> None:
    response = alice.delete("/v1/baymodels/small")
    assert response.status_int == 204
    assert response.body == b""
    assert alice.get("/v1/baymodels/small").status_int == 404


def test_in_use_it_stays_as_it_is(alice: Client, bay: dict[str, Any]) -> None:
    path = f"/v1/baymodels/{bay['baymodel_id']}"
    response = alice.delete(path)
    assert response.status_int == 400
    assert sentences(response) == [f"Baymodel {bay['baymodel_id']} is referenced by one or multiple bays."]
    assert alice.patch(path, [{"op": "replace", "path": "/name", "value": "other"}]).status_int == 400
    assert alice.patch(path, [{"op": "replace", "path": "/name", "value": "small"}]).status_int == 200


def test_two_of_one_name_are_a_conflict(alice: Client, baymodel: dict[str, Any]) -> None:
    alice.post("/v1/baymodels", BAYMODEL)
    response = alice.get("/v1/baymodels/small")
    assert response.status_int == 409
    assert "Please use the baymodel uuid instead" in sentences(response)[0]
    assert alice.get(f"/v1/baymodels/{baymodel['uuid'].upper()}").status_int == 404  # a name like any other


def test_publishing_is_for_operators(alice: Client, mallory: Client, people: People) -> None:
    assert alice.post("/v1/baymodels", {**BAYMODEL, "public": True}).status_int == 403
    operator = people("project-o", "operator", ["admin", "member", "reader"])
    public = operator.post("/v1/baymodels", {**BAYMODEL, "name": "shared", "public": True}).json
    path = f"/v1/baymodels/{public['uuid']}"
    assert mallory.get(path).json["name"] == "shared"
    assert [row["uuid"] for row in mallory.get("/v1/baymodels").json["baymodels"]] == [public["uuid"]]
    assert mallory.delete(path).status_int == 403
    assert mallory.patch(path, [{"op": "replace", "path": "/name", "value": "mine"}]).status_int == 403
    own = alice.post("/v1/baymodels", BAYMODEL).json
    change = [{"op": "replace", "path": "/public", "value": True}]
    assert alice.patch(f"/v1/baymodels/{own['uuid']}", change).status_int == 403
    assert alice.post("/v1/bays", {"name": "b", "baymodel_id": "shared"}).status_int == 201
