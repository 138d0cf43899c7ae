"""Every method of the libraries 1.1.0, 2.0.0 and 2.1.0: what they give, and what the server then holds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.compat.clients import Library, LibraryError
from tests.compat.conftest import Manifests, signing_request
from tests.compat.environments import LIBRARIES
from tests.integration.cloud import Cloud, eventually

NOWHERE = "no-such-thing"
ADMIN = "magnum-local-admin"
WITHOUT_SENTENCE = "1.1.0"  # of an error's body it reads only what no Magnum has ever sent


@pytest.fixture(scope="module", params=LIBRARIES)
def call(request: pytest.FixtureRequest, libraries: Callable[[str], Library]) -> Library:
    return libraries(request.param)


def replace(**values: Any) -> list[dict[str, Any]]:
    return [{"op": "replace", "path": f"/{name}", "value": value} for name, value in values.items()]


def refusal(library: Library, *call: Any, **named: Any) -> LibraryError:
    with pytest.raises(LibraryError) as raised:
        library(*call, **named)
    return raised.value


def names(found: list[dict[str, Any]]) -> list[str]:
    return [one["name"] for one in found]


def described(call: Library, **values: Any) -> dict[str, Any]:
    """A baymodel."""
    needed = {"image_id": "debian-kubernetes", "keypair_id": "unused", "external_network_id": "public"}
    made: dict[str, Any] = call("baymodels", "create", coe="kubernetes", **needed, **values)
    return made


def test_baymodels(call: Library, cloud: Cloud) -> None:
    name = f"library-{call.release}"
    made = described(call, name=name, docker_volume_size=5, labels={"kube_tag": "v1.20.2"}, fixed_network=None)
    path = f"/baymodels/{made['uuid']}"
    assert cloud.shown(path) == made
    assert (made["docker_volume_size"], made["labels"], made["fixed_network"]) == (5, {"kube_tag": "v1.20.2"}, None)
    assert call("baymodels", "get", name) == made
    assert name in names(call("baymodels", "list"))
    assert made in call("baymodels", "list", detail=True)
    paged = call("baymodels", "list", limit=1, sort_key="name", sort_dir="asc")
    assert len(paged) == 1
    assert paged[0]["uuid"] not in [
        one["uuid"] for one in call("baymodels", "list", marker=paged[0]["uuid"], sort_key="name", sort_dir="asc")
    ]
    assert call("baymodels", "update", made["uuid"], replace(flavor_id="large"))["flavor_id"] == "large"
    assert cloud.shown(path)["flavor_id"] == "large"
    assert call("baymodels", "delete", name) is None
    assert cloud.shown(path) is None


def test_a_page_follows_the_one_before(call: Library) -> None:
    """More than one page is asked for by following ``next``."""
    uuids = [described(call, name=f"paged-{call.release}-{n}")["uuid"] for n in range(3)]
    url = "/v1/baymodels/?limit=1"
    assert uuids[-1] in [one["uuid"] for one in call("baymodels", "_list_pagination", url, "baymodels")]
    for uuid in uuids:
        call("baymodels", "delete", uuid)


def test_bays_come_and_go(call: Library, cloud: Cloud, doomed: str) -> None:
    name = f"library-{call.release}"
    made = call("bays", "create", name=name, baymodel_id=doomed, node_count="2", bay_create_timeout=None)
    assert (made["name"], made["node_count"], made["master_count"]) == (name, 2, 1)
    assert made["status"] == "CREATE_IN_PROGRESS"
    assert call("bays", "get", made["uuid"])["baymodel_id"] == cloud.shown(f"/baymodels/{doomed}")["uuid"]
    assert name in names(call("bays", "list"))
    assert "status_reason" in call("bays", "list", detail=True, limit=1)[0]
    assert call("bays", "delete", name) is None
    held = cloud.shown(f"/bays/{made['uuid']}")
    assert held is None or held["status"] == "DELETE_IN_PROGRESS"


def without_health(bay: dict[str, Any]) -> dict[str, Any]:
    """A bay but for what Magnum writes when it looks at it, which it does all the time."""
    return {name: value for name, value in bay.items() if not name.startswith("health_")}


def accepted(cloud: Cloud, bay: str) -> list[str]:
    """What was ever accepted for a bay."""
    texts = [event["text"] for event in cloud.json("bay-event-list", bay)]
    return [text for text in texts if text.endswith(" was accepted.")]


def test_a_bay_is_changed(call: Library, cloud: Cloud, bay: str) -> None:
    """The command lines scale it; here is what else there is to a change."""
    held, told = cloud.shown(f"/bays/{bay}"), accepted(cloud, bay)
    unchanged = call("bays", "update", bay, replace(node_count=held["node_count"]))
    assert without_health(unchanged) == without_health(held), "updated_at among it"
    assert accepted(cloud, bay) == told
    assert refusal(call, "bays", "update", bay, replace(name="other")).http_status == 400
    assert cloud.shown(f"/bays/{held['uuid']}")["name"] == bay


def test_certificates(call: Library, bay: str) -> None:
    authority = x509.load_pem_x509_certificate(call("certificates", "get", bay)["pem"].encode())
    _key, request = signing_request("somebody")
    signed = call("certificates", "create", bay_uuid=bay, csr=request)
    x509.load_pem_x509_certificate(signed["pem"].encode()).verify_directly_issued_by(authority)


def written(name_and_file: tuple[str, Path]) -> tuple[str, str]:
    name, path = name_and_file
    return name, path.read_text()


def test_pods(call: Library, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = written(manifests.pod(tier="front"))
    made = call("pods", "create", bay_uuid=cloud.shown(f"/bays/{bay}")["uuid"], manifest=manifest)
    assert (made["name"], made["labels"], made["images"]) == (name, {"tier": "front"}, ["magnum-local/web:1"])
    assert name in names(call("pods", "list", bay))
    assert call("pods", "get", name, bay)["uuid"] == made["uuid"]
    _name, manifest = written(manifests.pod(tier="back"))
    assert call("pods", "update", name, bay, replace(manifest=manifest))["labels"] == {"tier": "back"}
    assert cloud.shown(f"/pods/{made['uuid']}")["labels"] == {"tier": "back"}
    # A pod that is deleted while its node still starts it may stay for minutes.
    eventually(lambda: cloud.shown(f"/pods/{made['uuid']}")["status"] == "Running", "the pod runs", seconds=60)
    assert call("pods", "delete", made["uuid"], made["bay_uuid"]) is None
    eventually(lambda: cloud.shown(f"/pods/{made['uuid']}") is None, "the pod is gone", seconds=60)


def test_replication_controllers(call: Library, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = written(manifests.rc(replicas=0))
    made = call("rcs", "create", bay_uuid=cloud.shown(f"/bays/{bay}")["uuid"], manifest=manifest)
    assert (made["name"], made["replicas"]) == (name, 0)
    assert name in names(call("rcs", "list", bay))
    assert call("rcs", "get", name, bay)["uuid"] == made["uuid"]
    _name, manifest = written(manifests.rc(replicas=1))
    call("rcs", "update", name, bay, replace(manifest=manifest))
    eventually(lambda: cloud.shown(f"/rcs/{made['uuid']}")["replicas"] == 1, "there is one replica", seconds=30)
    assert call("rcs", "delete", name, bay) is None
    assert cloud.shown(f"/rcs/{made['uuid']}") is None


def test_services(call: Library, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = written(manifests.service(port=80))
    made = call("services", "create", bay_uuid=cloud.shown(f"/bays/{bay}")["uuid"], manifest=manifest)
    assert (made["name"], made["ports"][0]["port"]) == (name, 80)
    assert name in names(call("services", "list", bay))
    assert call("services", "get", name, bay)["ip"] == made["ip"]
    _name, manifest = written(manifests.service(port=81))
    assert call("services", "update", name, bay, replace(manifest=manifest))["ports"][0]["port"] == 81
    assert cloud.shown(f"/services/{made['uuid']}")["ports"][0]["port"] == 81
    assert call("services", "delete", name, bay) is None
    assert cloud.shown(f"/services/{made['uuid']}") is None


@pytest.mark.parametrize("call", LIBRARIES[:1], indirect=True, scope="module")
def test_nodes(call: Library, cloud: Cloud) -> None:
    """Nodes went from the client with 2.0.0."""
    made = call("nodes", "create", type="bare", image_id="an-image")
    assert (made["type"], made["image_id"]) == ("bare", "an-image")
    assert made["uuid"] in [node["uuid"] for node in call("nodes", "list")]
    assert call("nodes", "get", made["uuid"]) == made
    assert call("nodes", "update", made["uuid"], replace(image_id="other"))["image_id"] == "other"
    assert cloud.shown(f"/nodes/{made['uuid']}")["image_id"] == "other"
    assert call("nodes", "delete", made["uuid"]) is None
    assert cloud.shown(f"/nodes/{made['uuid']}") is None


def test_containers(call: Library, bay: str) -> None:
    refused = refusal(call, "containers", "create", name="c", image="web", bay_uuid=bay, command=None, memory=None)
    assert refused.http_status == 400
    assert call("containers", "list") == []
    for verb in ("get", "delete", "start", "stop", "reboot", "pause", "unpause", "logs"):
        assert refusal(call, "containers", verb, NOWHERE).kind == "NotFound"
    assert refusal(call, "containers", "execute", NOWHERE, "ls -l /").http_status == 404
    if ("containers", "update") in call.verbs():
        assert refusal(call, "containers", "update", NOWHERE, replace(name="d")).http_status == 404


def test_services_of_magnum_are_for_administrators(call: Library) -> None:
    assert {"magnum-conductor"} == {service["binary"] for service in call("mservices", "list", account=ADMIN)}
    assert refusal(call, "mservices", "list").http_status == 403


def test_what_a_refusal_says(call: Library, doomed: str) -> None:
    uuids = [described(call, name=f"library-twins-{call.release}")["uuid"] for _ in "ab"]
    refusals = [
        (404, "Bay no-such-thing could not be found.", refusal(call, "bays", "get", NOWHERE)),
        (409, "Multiple", refusal(call, "baymodels", "get", f"library-twins-{call.release}")),
        (400, "node_count", refusal(call, "bays", "create", baymodel_id=doomed, node_count=0)),
        (400, NOWHERE, refusal(call, "bays", "create", baymodel_id=NOWHERE)),
    ]
    for status, sentence, error in refusals:
        assert error.http_status == status
        assert sentence in error.message or call.release == WITHOUT_SENTENCE
    for uuid in uuids:
        call("baymodels", "delete", uuid)


def test_a_token_instead_of_a_password(call: Library, cloud: Cloud, doomed: str) -> None:
    keystone = cloud.session()
    url = keystone.get_endpoint(service_type="container")
    assert doomed in names(call.with_token(keystone.get_token(), url, "baymodels", "list"))
    with pytest.raises(LibraryError) as raised:
        call.with_token("not-a-token", url, "baymodels", "list")
    assert raised.value.http_status == 401


def test_the_deleted_bay_is_gone(call: Library, cloud: Cloud) -> None:
    eventually(lambda: cloud.shown(f"/bays/library-{call.release}") is None, "the bay is deleted", seconds=60)


def test_no_method_was_left_out(call: Library) -> None:
    """Stands last: the tests above, together, called every public method of every manager."""
    assert call.verbs() - call.called == set()
