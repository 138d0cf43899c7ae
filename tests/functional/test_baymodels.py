"""Baymodels, beyond the contract in gabbi/: what is stored, and what depends on configuration."""

from typing import Any

import pytest
from oslo_config import cfg

from magnum.api.resources.baymodels import BayModels
from magnum.db import models
from magnum.db.session import Database
from tests.functional.conftest import BAYMODEL, KEY, Client, sentences


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


@pytest.mark.parametrize(("field", "value"), [("labels/cgroup_driver", "systemd"), ("docker_volume_size", 7)])
def test_of_two_patches_at_once_none_is_lost(
    alice: Client, baymodel: dict[str, Any], field: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later one was thought out on a baymodel that is not there any more."""
    checked, late = BayModels.checked, [{"op": "add", "path": "/labels/kube_tag", "value": "v1.20.2"}]

    def overtaken(self: BayModels, *args: Any) -> dict[str, Any]:
        monkeypatch.setattr(BayModels, "checked", checked)
        quicker = alice.patch("/v1/baymodels/small", [{"op": "add", "path": f"/{field}", "value": value}])
        assert quicker.status_int == 200
        return checked(self, *args)

    monkeypatch.setattr(BayModels, "checked", overtaken)
    response = alice.patch("/v1/baymodels/small", late)
    assert response.status_int == 409
    assert sentences(response) == [f"BayModel {baymodel['uuid']} was changed by another request. Look at it anew."]
    assert "kube_tag" not in alice.get("/v1/baymodels/small").json["labels"]
    changed = alice.patch("/v1/baymodels/small", late).json
    assert changed["labels"]["kube_tag"] == "v1.20.2"
    assert value in (changed["labels"].get("cgroup_driver"), changed["docker_volume_size"])


def test_of_a_patch_and_a_deletion_at_once_the_deletion_counts(
    alice: Client, baymodel: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = BayModels.checked

    def overtaken(self: BayModels, *args: Any) -> dict[str, Any]:
        assert alice.delete(f"/v1/baymodels/{baymodel['uuid']}").status_int == 204
        return checked(self, *args)

    monkeypatch.setattr(BayModels, "checked", overtaken)
    response = alice.patch("/v1/baymodels/small", [{"op": "replace", "path": "/name", "value": "smaller"}])
    assert response.status_int == 404
