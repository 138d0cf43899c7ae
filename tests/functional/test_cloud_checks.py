"""What a baymodel names is asked for where the cloud has a service for it."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keystonemiddleware.fixture import AuthTokenFixture
from oslo_config import cfg

from magnum.api import app as api_app
from magnum.api.call import Services
from magnum.clients.keystone import Keystone
from magnum.db import models
from magnum.db.session import Database
from magnum.drivers.kubernetes.driver import KubernetesDriver
from tests.fakes.services import ENDPOINTS, Answer, FakeServices
from tests.functional.conftest import KEY, Client, FakeConductor, People, sentences

IMAGE = "0f9a1a53-53d5-4a62-9a3c-5b1c0a5f2b01"
OUTSIDE = "0f9a1a53-53d5-4a62-9a3c-5b1c0a5f2c01"
BODY = {
    "name": "small",
    "coe": "kubernetes",
    "image_id": "debian",
    "flavor_id": "m1.small",
    "master_flavor_id": "2",
    "keypair_id": "mine",
    "external_network_id": "public",
    "fixed_network": "private",
}
NAMED = ("image_id", "flavor_id", "master_flavor_id", "keypair_id", "external_network_id", "fixed_network")
ODD = [
    ".",
    "..",
    "a/../b",
    "%2e%2e",
    "%2F",
    "in:debian",
    "eq:",
    ":",
    "?name=debian",
    "#",
    "\ud800",
    "\0",
    "\r\nX-Auth-Token: x",
]


@pytest.fixture
def cloud() -> FakeServices:
    """All that is named above."""
    return FakeServices(
        images=[
            {"id": IMAGE, "name": "debian", "os_distro": "debian"},
            {"id": IMAGE.replace("1", "2"), "name": "blank"},
            *({"id": IMAGE.replace("1", str(number)), "name": "twice", "os_distro": "debian"} for number in (3, 4)),
        ],
        flavors=[{"id": "1", "name": "m1.small"}, {"id": "2", "name": "m1.large"}],
        key_pairs={"mine": KEY, "two-lines": f"{KEY}\n{KEY}"},
        networks=[
            {"id": OUTSIDE, "name": "public", "router:external": True},
            {"id": OUTSIDE.replace("1", "2"), "name": "private", "router:external": False},
            *({"id": OUTSIDE.replace("1", str(number)), "name": "twice", "router:external": True} for number in (3, 4)),
        ],
    )


@pytest.fixture
def services(conf: cfg.ConfigOpts, database: Database, conductor: FakeConductor, cloud: FakeServices) -> Services:
    """What the handlers work with, in front of that cloud."""
    made: Any = replace(
        api_app.make_services(conf),
        database=database,
        conductor=conductor,  # type: ignore[arg-type]
        keystone=Keystone(conf, cloud.session()),
    )
    return made  # type: ignore[no-any-return]


def add_catalog(tokens: AuthTokenFixture, *kinds: str) -> None:
    """Let the catalog of each token there is have these services."""
    for token in tokens._token_data.values():
        for kind in kinds:
            token.add_service(kind).add_standard_endpoints(public=ENDPOINTS[kind])


@pytest.fixture
def alice(people: People, tokens: AuthTokenFixture) -> Client:
    """A member of a project in a cloud with all of the services."""
    client = people("project-a", "alice")
    add_catalog(tokens, *ENDPOINTS)
    return client


def change(name: str, value: Any) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": f"/{name}", "value": value}]


def keys_of_bays(database: Database) -> list[list[str]]:
    with database.reader() as session:
        return [row.ssh_authorized_keys for row in session.query(models.Bay).order_by(models.Bay.id)]


def test_all_is_well(alice: Client, cloud: FakeServices, database: Database) -> None:
    response = alice.post("/v1/baymodels", BODY | {"cluster_distro": "windows"})
    assert response.status_int == 201
    assert response.json["cluster_distro"] == "debian"
    assert {name: response.json[name] for name in NAMED} == {name: BODY[name] for name in NAMED}
    assert (cloud.count("image"), cloud.count("compute"), cloud.count("network")) == (1, 2, 2)
    assert {headers["X-Auth-Token"] for headers in cloud.headers} == {"project-a-alice-member-reader"}
    assert set(cloud.timeouts) == {20}
    assert alice.post("/v1/bays", {"baymodel_id": "small"}).status_int == 201
    assert keys_of_bays(database) == [[KEY]]


def test_ids_are_as_good_as_names(alice: Client) -> None:
    ids = {"image_id": IMAGE, "flavor_id": "1", "external_network_id": OUTSIDE}
    assert alice.post("/v1/baymodels", BODY | ids).status_int == 201


def test_every_problem_is_in_one_answer(alice: Client, cloud: FakeServices) -> None:
    wrong: dict[str, Any] = dict.fromkeys(NAMED, "nothing") | {"apiserver_port": 1, "labels": {"colour": "red"}}
    response = alice.post("/v1/baymodels", BODY | wrong)
    assert response.status_int == 400
    said = sentences(response)
    assert len(said) == 8
    for name in (*NAMED, "apiserver_port", "colour"):
        assert any(name in sentence for sentence in said), name
    assert alice.get("/v1/baymodels").json["baymodels"] == []
    titles = [error["title"] for error in response.json["errors"]]
    assert "image_id: there is no image 'nothing' that you can use" in titles


@pytest.mark.parametrize(
    ("field", "value", "code", "text"),
    [
        ("image_id", "windows", 400, "there is no image 'windows' that you can use"),
        ("image_id", IMAGE.replace("1", "9"), 400, "there is no image"),
        ("image_id", "blank", 400, f"image set --property os_distro=debian {IMAGE.replace('1', '2')}"),
        ("image_id", "twice", 409, "several images with the name 'twice'. Give the id of one."),
        ("image_id", "in:debian", 400, "there is no image 'in:debian'"),
        ("flavor_id", "m1.huge", 400, "there is no flavor 'm1.huge'"),
        ("master_flavor_id", "3", 400, "there is no flavor '3'"),
        ("keypair_id", "yours", 404, "you have no key pair 'yours'"),
        ("keypair_id", "..", 404, "you have no key pair '..'"),
        ("keypair_id", "two-lines", 400, "one public key on one line"),
        ("external_network_id", "nowhere", 400, "there is no network 'nowhere'"),
        ("external_network_id", "private", 400, "network 'private' is not an external one"),
        ("external_network_id", "twice", 409, "several networks with the name 'twice'"),
        ("fixed_network", "nowhere", 400, "there is no network 'nowhere'"),
    ],
)
def test_one_that_is_wrong(alice: Client, field: str, value: str, code: int, text: str) -> None:
    response = alice.post("/v1/baymodels", BODY | {field: value})
    (sentence,) = sentences(response)
    assert sentence.startswith(f"{field}: ")
    assert text in sentence
    assert response.status_int == code
    made = alice.post("/v1/baymodels", BODY).json
    response = alice.patch("/v1/baymodels/small", change(field, value))
    assert (response.status_int, sentences(response)) == (code, [sentence])
    assert alice.get("/v1/baymodels/small").json == made


def test_a_code_of_its_own_is_for_one_kind_of_problem(alice: Client) -> None:
    ambiguous = {"image_id": "twice", "external_network_id": "twice"}
    assert alice.post("/v1/baymodels", BODY | ambiguous).status_int == 409
    assert alice.post("/v1/baymodels", BODY | ambiguous | {"keypair_id": "yours"}).status_int == 400
    assert alice.post("/v1/baymodels", BODY | {"keypair_id": "yours", "apiserver_port": 1}).status_int == 400


def test_what_is_wrong_by_type_is_not_asked_for(alice: Client, cloud: FakeServices) -> None:
    response = alice.post("/v1/baymodels", BODY | {"image_id": 7, "flavor_id": "x" * 256, "fixed_network": None})
    assert response.status_int == 400
    assert len(sentences(response)) == 2
    assert (cloud.count("image"), cloud.count("compute"), cloud.count("network")) == (0, 2, 1)


def test_a_range_of_addresses_is_no_network(alice: Client, cloud: FakeServices) -> None:
    assert alice.post("/v1/baymodels", BODY | {"fixed_network": "10.9.0.0/24"}).status_int == 201
    assert cloud.count("network") == 1


def test_a_patch_asks_about_what_it_changes(alice: Client, cloud: FakeServices) -> None:
    alice.post("/v1/baymodels", BODY)
    cloud.asked.clear()
    cloud.images[0]["os_distro"] = "ubuntu"
    for name, value in (("name", "large"), ("flavor_id", BODY["flavor_id"]), ("docker_volume_size", 3)):
        assert alice.patch("/v1/baymodels/" + ("small" if name == "name" else "large"), change(name, value)).json
    assert cloud.asked == []
    assert alice.get("/v1/baymodels/large").json["cluster_distro"] == "debian"
    assert alice.patch("/v1/baymodels/large", change("flavor_id", "m1.large")).status_int == 200
    assert cloud.asked == [("compute.invalid", "/v2.1/flavors")]
    patched = alice.patch("/v1/baymodels/large", change("image_id", IMAGE))
    assert patched.json["cluster_distro"] == "ubuntu"
    assert alice.patch("/v1/baymodels/large", change("cluster_distro", "windows")).status_int == 400


def test_a_patch_that_changes_nothing_does_nothing(alice: Client, cloud: FakeServices) -> None:
    made = alice.post("/v1/baymodels", BODY).json
    cloud.asked.clear()
    assert alice.patch("/v1/baymodels/small", change("image_id", "debian")).json == made
    assert cloud.asked == []


def test_a_bay_is_made_of_what_is_there_now(alice: Client, cloud: FakeServices, database: Database) -> None:
    alice.post("/v1/baymodels", BODY)
    cloud.images[0]["os_distro"] = "ubuntu"
    assert alice.post("/v1/bays", {"baymodel_id": "small"}).status_int == 201
    with database.reader() as session:
        assert session.query(models.Bay).one().baymodel["cluster_distro"] == "ubuntu"
    cloud.images.clear()
    cloud.flavors.clear()
    response = alice.post("/v1/bays", {"baymodel_id": "small", "node_count": 0})
    assert response.status_int == 400
    assert len(sentences(response)) == 4  # the image, two flavors and the number
    cloud.asked.clear()
    assert alice.patch("/v1/bays/" + alice.get("/v1/bays").json["bays"][0]["uuid"], change("node_count", 0))
    assert cloud.asked == []


def test_a_key_pair_is_the_requesters_own(alice: Client, people: People, tokens: Any, cloud: FakeServices) -> None:
    alice.post("/v1/baymodels", BODY)
    cloud.key_pairs.clear()
    response = alice.post("/v1/bays", {"baymodel_id": "small"})
    assert response.status_int == 404
    assert "you have no key pair 'mine'" in sentences(response)[0]


def test_a_public_baymodel_is_checked_for_whoever_uses_it(
    alice: Client, people: People, tokens: AuthTokenFixture, cloud: FakeServices
) -> None:
    operator = people("project-o", "operator", ["admin", "member", "reader"])
    made = operator.post("/v1/baymodels", {**BODY, "image_id": "internal", "public": True})
    assert made.status_int == 201  # whose catalog has no service
    response = alice.post("/v1/bays", {"baymodel_id": "small"})
    assert response.status_int == 400
    assert "there is no image 'internal' that you can use" in sentences(response)[0]


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(named=st.dictionaries(st.sampled_from(NAMED), st.text() | st.sampled_from(ODD)))
def test_whatever_is_named_breaks_nothing(alice: Client, cloud: FakeServices, named: dict[str, str]) -> None:
    cloud.asked.clear()
    assert alice.post("/v1/baymodels", BODY | named).status_int < 500
    paths = {path.rpartition("/")[0] if "os-keypairs" in path else path for _, path in cloud.asked}
    assert paths <= {"/v2/images", "/v2.1/flavors", "/v2.1/os-keypairs", "/v2.0/networks"}


# --- clouds without a service, and services that do not answer --------------------------------------------------------


def events(client: Client, bay: dict[str, Any]) -> list[str]:
    return [event["text"] for event in client.get(f"/v1/bays/{bay['uuid']}/events").json["events"]]


def test_a_service_that_is_not_there_is_not_asked(people: People, cloud: FakeServices, database: Database) -> None:
    client = people("project-a", "alice")
    made = client.post("/v1/baymodels", BODY | {"cluster_distro": "windows"})
    assert made.status_int == 201
    assert made.json["cluster_distro"] is None
    assert cloud.asked == []
    bay = client.post("/v1/bays", {"baymodel_id": "small"})
    assert bay.status_int == 201
    assert events(client, bay.json) == [
        "Create was accepted.",
        "image_id debian was not checked: the catalog has no image service.",
        "flavor_id m1.small was not checked: the catalog has no compute service.",
        "master_flavor_id 2 was not checked: the catalog has no compute service.",
        "keypair_id mine was not checked: the catalog has no compute service.",
        "external_network_id public was not checked: the catalog has no network service.",
        "fixed_network private was not checked: the catalog has no network service.",
    ]
    assert keys_of_bays(database) == [[]]


def test_the_services_that_are_there_are_asked(people: People, tokens: AuthTokenFixture, cloud: FakeServices) -> None:
    client = people("project-a", "alice")
    add_catalog(tokens, "compute")
    response = client.post("/v1/baymodels", BODY | {"image_id": "windows", "flavor_id": "huge"})
    assert response.status_int == 400
    assert len(sentences(response)) == 1
    assert {host for host, _ in cloud.asked} == {"compute.invalid"}


def test_who_has_checked_everything_says_nothing(alice: Client) -> None:
    alice.post("/v1/baymodels", BODY)
    bay = alice.post("/v1/bays", {"baymodel_id": "small"}).json
    assert events(alice, bay) == ["Create was accepted."]


def test_a_catalog_cannot_be_brought_along(people: People, cloud: FakeServices) -> None:
    client = people("project-a", "alice")
    catalog = '[{"type": "image", "endpoints": [{"publicURL": "http://image.invalid"}]}]'
    response = client.request("POST", "/v1/baymodels", BODY, X_Service_Catalog=catalog)
    assert response.status_int == 201
    assert cloud.asked == []


@pytest.mark.parametrize(
    "said",
    [requests.ConnectionError("refused"), requests.Timeout("read"), Answer(503), Answer(500), Answer(raw=b"<html>")],
)
@pytest.mark.parametrize(
    ("service", "fields"),
    [
        ("image", ["image_id"]),
        ("compute", ["flavor_id", "master_flavor_id", "keypair_id"]),
        ("network", ["external_network_id", "fixed_network"]),
    ],
)
def test_a_service_that_does_not_answer(
    alice: Client, cloud: FakeServices, service: str, fields: list[str], said: Any
) -> None:
    cloud.planned[service] = said
    response = alice.post("/v1/baymodels", BODY)
    assert response.status_int == 503
    assert [sentence.partition(":")[0] for sentence in sentences(response)] == fields
    assert all(f"The {service} service" in sentence for sentence in sentences(response))
    assert cloud.count(service) == 1  # nobody waits twice for one that is away


def test_services_are_asked_side_by_side(alice: Client, cloud: FakeServices, monkeypatch: pytest.MonkeyPatch) -> None:
    together, answer = threading.Barrier(3, timeout=10), cloud.answer

    def _when_all_are_asked(*question: Any) -> Answer:
        together.wait()
        return answer(*question)

    monkeypatch.setattr(cloud, "answer", _when_all_are_asked)
    assert alice.post("/v1/baymodels", BODY | {"keypair_id": None, "fixed_network": None}).status_int == 201


def test_all_services_away(alice: Client, cloud: FakeServices) -> None:
    cloud.planned = dict.fromkeys(ENDPOINTS, requests.ConnectionError("refused"))
    response = alice.post("/v1/baymodels", BODY)
    assert response.status_int == 503
    assert len(sentences(response)) == len(NAMED)
    assert alice.post("/v1/baymodels", BODY | {"apiserver_port": 1}).status_int == 400


@pytest.mark.parametrize(("said", "code"), [(401, 403), (403, 403), (400, 400), (404, 503), (410, 503)])
def test_a_service_that_refuses(alice: Client, cloud: FakeServices, said: int, code: int) -> None:
    cloud.planned["image"] = Answer(said, {"message": "Not for you."})
    response = alice.post("/v1/baymodels", BODY)
    assert response.status_int == code
    assert sentences(response)[0].startswith("image_id: the image service")


def test_an_image_one_may_not_look_at(alice: Client, cloud: FakeServices) -> None:
    cloud.planned["image"] = Answer(403, {"message": "Forbidden"})
    response = alice.post("/v1/baymodels", BODY | {"image_id": IMAGE})
    assert response.status_int == 403
    assert "does not let you look at" in sentences(response)[0]


def test_an_endpoint_missing_in_the_region_is_for_the_operator(alice: Client, conf: cfg.ConfigOpts) -> None:
    conf.set_override("region_name", "elsewhere", "glance_client")
    response = alice.post("/v1/baymodels", BODY)
    assert response.status_int == 503
    assert "image service in region elsewhere" in sentences(response)[0]


# --- the driver follows from the image --------------------------------------------------------------------------------


class DebianDriver(KubernetesDriver):
    """For one kind of image alone."""

    os = "debian"


def test_the_driver_is_chosen_by_the_image(
    conf: cfg.ConfigOpts, services: Services, people: People, tokens: AuthTokenFixture, cloud: FakeServices
) -> None:
    application = api_app.load(conf, replace(services, drivers=[DebianDriver()]))
    client = People(application, tokens)("project-a", "alice")
    add_catalog(tokens, *ENDPOINTS)
    assert client.post("/v1/baymodels", BODY).status_int == 201
    cloud.images.append({"id": IMAGE.replace("1", "7"), "name": "fedora", "os_distro": "fedora"})
    response = client.post("/v1/baymodels", BODY | {"image_id": "fedora"})
    assert response.status_int == 400
    assert "with images of 'fedora' are not offered; there is kubernetes on vm (debian)" in sentences(response)[0]
    response = client.patch("/v1/baymodels/small", change("image_id", "fedora"))
    assert "with images of 'fedora'" in sentences(response)[0]
    response = client.post("/v1/baymodels", BODY | {"image_id": "nothing"})
    assert [sentence.partition(":")[0] for sentence in sentences(response)] == ["image_id"]
