"""Every verb of the command lines 2.0.0 and 2.1.0: what they print, how they end, and what the server then holds."""

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509

from tests.compat.clients import CommandLine, Said
from tests.compat.conftest import Manifests, signing_request
from tests.compat.environments import COMMAND_LINES
from tests.integration.cloud import Cloud, eventually

BAYMODEL = ("--image-id", "debian-kubernetes", "--keypair-id", "unused", "--external-network-id", "public")
NOWHERE = "no-such-thing"
ABOUT_CONTAINERS = ("start", "stop", "reboot", "pause", "unpause")


@pytest.fixture(scope="module", params=COMMAND_LINES)
def magnum(request: pytest.FixtureRequest, command_lines: Callable[[str], CommandLine]) -> CommandLine:
    return command_lines(request.param)


def accepted(magnum: CommandLine, said: Said, noun: str, name: str) -> bool:
    """Whether a deletion succeeded; 2.0.0 says so by saying nothing."""
    return said.text == ("" if magnum.number < (2, 1) else f"Request to delete {noun} {name} has been accepted.\n")


def test_baymodels(magnum: CommandLine, cloud: Cloud) -> None:
    name = f"model-{magnum.release}"
    options = ("--flavor-id", "small", "--docker-volume-size", "7", "--no-proxy", "10.0.0.1", "--tls-disabled")
    labels = ("--labels", "kube_tag=v1.20.2,flannel_backend=vxlan")
    made = magnum("baymodel-create", "--name", name, "--coe", "kubernetes", *BAYMODEL, *options, *labels).properties
    assert made["name"] == name
    assert made["docker_volume_size"] == "7"
    assert made["tls_disabled"] == "True"
    assert made["labels"] == "{'kube_tag': 'v1.20.2', 'flannel_backend': 'vxlan'}"
    assert "links" not in made
    held = cloud.shown(f"/baymodels/{made['uuid']}")
    assert held["labels"] == {"kube_tag": "v1.20.2", "flannel_backend": "vxlan"}
    assert held["image_id"] == "debian-kubernetes"
    assert held["no_proxy"] == "10.0.0.1"

    assert magnum("baymodel-show", name).properties == made
    assert {"uuid": made["uuid"], "name": name} in magnum("baymodel-list").table
    assert len(magnum("baymodel-list", "--limit", "1").table) == 1
    names = [row["name"] for row in magnum("baymodel-list", "--sort-key", "name", "--sort-dir", "desc").table]
    assert names == sorted(names, reverse=True)

    changed = magnum("baymodel-update", name, "replace", "flavor_id=large", "docker_volume_size=9").properties
    assert (changed["flavor_id"], changed["docker_volume_size"]) == ("large", "9")
    magnum("baymodel-update", made["uuid"], "remove", "no_proxy")
    held = cloud.shown(f"/baymodels/{made['uuid']}")
    assert (held["flavor_id"], held["docker_volume_size"], held["no_proxy"]) == ("large", 9, None)

    assert accepted(magnum, magnum("baymodel-delete", name), "baymodel", name)
    assert cloud.shown(f"/baymodels/{made['uuid']}") is None


def test_bays_come_and_go(magnum: CommandLine, cloud: Cloud, doomed: str) -> None:
    name = f"bay-{magnum.release}"
    made = magnum("bay-create", "--name", name, "--baymodel", doomed, "--node-count", "3", "--timeout", "5").properties
    assert (made["name"], made["node_count"], made["master_count"]) == (name, "3", "1")
    assert (made["status"], made["bay_create_timeout"]) == ("CREATE_IN_PROGRESS", "5")
    row = next(row for row in magnum("bay-list").table if row["uuid"] == made["uuid"])
    assert (row["name"], row["node_count"], row["master_count"]) == (name, "3", "1")
    assert cloud.shown(f"/bays/{made['uuid']}")["baymodel_id"] == cloud.shown(f"/baymodels/{doomed}")["uuid"]
    if magnum.number >= (2, 1):
        assert len(magnum("bay-list", "--limit", "1", "--sort-key", "name", "--sort-dir", "asc").table) == 1

    assert accepted(magnum, magnum("bay-delete", name), "bay", name)
    held = cloud.shown(f"/bays/{made['uuid']}")
    assert held is None or held["status"] == "DELETE_IN_PROGRESS"


def test_a_bay_is_shown_and_scaled(magnum: CommandLine, cloud: Cloud, bay: str) -> None:
    shown = magnum("bay-show", bay).properties
    held = cloud.shown(f"/bays/{bay}")
    assert shown["api_address"] == held["api_address"]
    assert shown["node_addresses"] == str(held["node_addresses"])
    assert shown["master_addresses"] == str(held["master_addresses"])
    wanted = 3 - held["node_count"]  # from one node to two, or back
    changed = magnum("bay-update", bay, "replace", f"node_count={wanted}").properties
    assert (changed["uuid"], changed["status"]) == (shown["uuid"], "UPDATE_IN_PROGRESS")
    eventually(lambda: cloud.shown(f"/bays/{bay}")["status"] == "UPDATE_COMPLETE", "the bay is scaled", seconds=200)
    held = cloud.shown(f"/bays/{bay}")
    assert held["node_count"] == len(held["node_addresses"]) == wanted


def test_certificates(magnum: CommandLine, bay: str, tmp_path: Path) -> None:
    shown = magnum("ca-show", "--bay", bay).text
    authority = x509.load_pem_x509_certificate(shown.encode())
    key, request = signing_request("somebody")
    (tmp_path / "request.pem").write_text(request)
    signed = magnum("ca-sign", "--bay", bay, "--csr", str(tmp_path / "request.pem")).text
    certificate = x509.load_pem_x509_certificate(signed.encode())
    certificate.verify_directly_issued_by(authority)
    assert certificate.subject.rfc4514_string() == "CN=somebody"
    assert certificate.public_key() == key.public_key()


def test_pods(magnum: CommandLine, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = manifests.pod(tier="front")
    made = magnum("pod-create", "--bay", bay, "--manifest", str(manifest)).properties
    assert made["name"] == name
    assert made["labels"] == "{'tier': 'front'}"
    assert made["images"] == "['magnum-local/web:1']"
    assert made["bay_uuid"] == cloud.shown(f"/bays/{bay}")["uuid"]
    assert {"uuid": made["uuid"], "name": name} in magnum("pod-list", "--bay", bay).table
    eventually(
        lambda: magnum("pod-show", name, "--bay", bay).properties["status"] == "Running", "the pod runs", seconds=60
    )
    assert cloud.shown(f"/pods/{name}?bay_ident={bay}")["status"] == "Running"

    name, manifest = manifests.pod(tier="back")
    changed = magnum("pod-update", name, "--bay", bay, "replace", f"manifest={manifest}").properties
    assert changed["labels"] == "{'tier': 'back'}"
    assert cloud.shown(f"/pods/{made['uuid']}?bay_ident={bay}")["labels"] == {"tier": "back"}

    assert accepted(magnum, magnum("pod-delete", name, "--bay", bay), "pod", name)
    eventually(lambda: cloud.shown(f"/pods/{made['uuid']}") is None, "the pod is gone", seconds=60)


def test_replication_controllers(magnum: CommandLine, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = manifests.rc(replicas=1)
    made = magnum("rc-create", "--bay", bay, "--manifest", str(manifest)).properties
    assert made["name"] == name
    assert made["images"] == "['magnum-local/web:1']"
    row = {"uuid": made["uuid"], "name": name, "bay_uuid": made["bay_uuid"]}
    assert row in magnum("rc-list", "--bay", bay).table
    assert magnum("rc-show", made["uuid"], "--bay", bay).properties["name"] == name

    name, manifest = manifests.rc(replicas=2)
    magnum("rc-update", name, "--bay", bay, "replace", f"manifest={manifest}")
    eventually(
        lambda: cloud.shown(f"/rcs/{name}?bay_ident={bay}")["replicas"] == 2, "there are two replicas", seconds=30
    )
    assert magnum("rc-show", name, "--bay", bay).properties["replicas"] == "2"

    assert accepted(magnum, magnum("rc-delete", name, "--bay", bay), "rc", name)
    assert cloud.shown(f"/rcs/{made['uuid']}") is None


def test_services(magnum: CommandLine, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = manifests.service(port=80)
    made = magnum("coe-service-create", "--bay", bay, "--manifest", str(manifest)).properties
    assert made["name"] == name
    assert "'port': 80" in made["ports"]
    row = {"uuid": made["uuid"], "name": name, "bay_uuid": made["bay_uuid"]}
    assert row in magnum("coe-service-list", "--bay", bay).table
    shown = magnum("coe-service-show", name, "--bay", bay).properties
    assert shown["ip"] == cloud.shown(f"/services/{name}?bay_ident={bay}")["ip"]

    name, manifest = manifests.service(port=81)
    changed = magnum("coe-service-update", name, "--bay", bay, "replace", f"manifest={manifest}").properties
    assert "'port': 81" in changed["ports"]
    assert cloud.shown(f"/services/{made['uuid']}")["ports"][0]["port"] == 81

    assert accepted(magnum, magnum("coe-service-delete", name, "--bay", bay), "service", name)
    assert cloud.shown(f"/services/{made['uuid']}") is None


def test_a_kubernetes_bay_takes_no_containers(magnum: CommandLine, cloud: Cloud, bay: str) -> None:
    refused = magnum("container-create", "--name", "c", "--image", "web", "--bay", bay, "--command", "ls", code=1)
    assert "Cannot fulfill request with a kubernetes bay, expecting a swarm bay." in refused.error
    assert "(HTTP 400)" in refused.error
    assert magnum("container-list").table == []
    assert magnum("container-list", "--bay", bay).table == []
    assert cloud.shown("/containers")["containers"] == []


def test_verbs_on_a_container_that_is_not_there(magnum: CommandLine) -> None:
    sentence = f"Container {NOWHERE} could not be found."
    for verb in ABOUT_CONTAINERS:
        said = magnum(f"container-{verb}", NOWHERE)
        assert said.text.startswith(f"{verb.capitalize()} for container {NOWHERE} failed: {sentence} (HTTP 404)")
    assert f"Delete for container {NOWHERE} failed: {sentence}" in magnum("container-delete", NOWHERE).text
    assert sentence in magnum("container-show", NOWHERE, code=1).error
    assert sentence in magnum("container-logs", NOWHERE, code=1).error
    assert sentence in magnum("container-exec", NOWHERE, "--command", "ls -l /", code=1).error


def test_services_of_magnum_are_for_administrators(magnum: CommandLine, cloud: Cloud) -> None:
    def held() -> list[tuple[str, ...]]:
        services = cloud.shown("/mservices", account="magnum-local-admin")["mservices"]
        return [(service["host"], service["binary"], service["state"]) for service in services]

    before = held()
    rows = magnum("service-list", account="magnum-local-admin").table
    after = held()
    shown = [(row["host"], row["binary"], row["state"]) for row in rows]
    assert [service[:2] for service in shown] == [service[:2] for service in after]
    assert set(before) & set(after) <= set(shown), "a state may change, but not there and back in this time"
    assert {"magnum-conductor"} == {row["binary"] for row in rows}
    assert "(HTTP 403)" in magnum("service-list", code=1).error


def test_what_is_not_there_is_named(magnum: CommandLine, bay: str) -> None:
    for verb, noun in (("bay-show", "Bay"), ("baymodel-show", "BayModel")):
        error = magnum(verb, NOWHERE, code=1).error
        assert error.startswith(f"{noun} {NOWHERE} could not be found. (HTTP 404)")
    assert magnum("pod-show", NOWHERE, "--bay", bay, code=1).error.startswith(f"Pod {NOWHERE} could not be found.")
    assert f"Delete for bay {NOWHERE} failed: Bay {NOWHERE} could not" in magnum("bay-delete", NOWHERE).text


def test_an_ambiguous_name_is_a_conflict(magnum: CommandLine) -> None:
    name = f"twins-{magnum.release}"
    uuids = [
        magnum("baymodel-create", "--name", name, "--coe", "kubernetes", *BAYMODEL).properties["uuid"] for _ in "ab"
    ]
    assert "(HTTP 409)" in magnum("baymodel-show", name, code=1).error
    assert magnum("baymodel-delete", *uuids).text.count("failed") == 0


def test_bad_values_are_refused(magnum: CommandLine, cloud: Cloud, baymodel: str) -> None:
    error = magnum("baymodel-create", "--name", "bad", "--coe", "unheard-of", *BAYMODEL, code=1).error
    assert "unheard-of" in error
    assert "(HTTP 400)" in error
    said = magnum("bay-create", "--name", "bad", "--baymodel", baymodel, "--node-count", "-1")
    assert said.text.startswith("Create for bay bad failed: ")
    assert "node_count" in said.text
    assert "(HTTP 400)" in said.text
    assert cloud.shown("/bays/bad") is None


def test_only_the_right_password_lets_in(magnum: CommandLine) -> None:
    assert magnum("bay-list", code=1, env={"OS_PASSWORD": "wrong"}).error == "Not Authorized"


def test_an_endpoint_given_by_hand(magnum: CommandLine, cloud: Cloud, bay: str) -> None:
    url = cloud.session().get_endpoint(service_type="container")
    said = magnum("bay-list", env={"BYPASS_URL": url})
    assert bay in [row["name"] for row in said.table]


def test_help_is_there(magnum: CommandLine) -> None:
    assert "--node-count" in magnum("help", "bay-create").text


def test_the_deleted_bay_is_gone(magnum: CommandLine, cloud: Cloud) -> None:
    eventually(lambda: cloud.shown(f"/bays/bay-{magnum.release}") is None, "the bay is deleted", seconds=60)


def test_no_verb_was_left_out(magnum: CommandLine) -> None:
    """Stands last: the tests above, together, ran every verb that the client knows."""
    assert magnum.verbs() - magnum.run_verbs == set()
