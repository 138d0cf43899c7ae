"""Every verb of the first command line, 0.2.1 of May 2015: no bay with pods, ``service-*`` for services of Kubernetes.

It sends numbers as strings and each unset option as null, and it reads an error only where that is a string of JSON.
"""

import json
from collections.abc import Callable

import pytest

from tests.compat import environments
from tests.compat.clients import CommandLine
from tests.compat.conftest import Manifests
from tests.integration.cloud import Cloud, eventually

BAYMODEL = ("--image-id", "debian-kubernetes", "--keypair-id", "unused", "--external-network-id", "public")
NOWHERE = "no-such-thing"


@pytest.fixture(scope="module")
def magnum(command_lines: Callable[[str], CommandLine]) -> CommandLine:
    try:
        environments.folder(environments.FIRST)
    except LookupError as reason:
        pytest.skip(str(reason))
    return command_lines(environments.FIRST)


def test_baymodels(magnum: CommandLine, cloud: Cloud) -> None:
    options = ("--name", "first", "--coe", "kubernetes", "--docker-volume-size", "5", "--flavor-id", "small")
    made = magnum("baymodel-create", *BAYMODEL, *options).properties
    assert (made["name"], made["docker_volume_size"], made["fixed_network"]) == ("first", "5", "None")
    assert "links" not in made
    held = cloud.shown(f"/baymodels/{made['uuid']}")
    assert (held["name"], held["docker_volume_size"], held["image_id"]) == ("first", 5, "debian-kubernetes")
    assert {"uuid": made["uuid"], "name": "first"} in magnum("baymodel-list").table
    assert magnum("baymodel-show", "first").properties == made
    assert magnum("baymodel-delete", made["uuid"]).text == ""
    assert cloud.shown(f"/baymodels/{made['uuid']}") is None


def test_bays(magnum: CommandLine, cloud: Cloud, doomed: str) -> None:
    made = magnum("bay-create", "--name", "first", "--baymodel", doomed, "--node-count", "2").properties
    assert (made["name"], made["node_count"], made["master_count"]) == ("first", "2", "1")
    row = next(row for row in magnum("bay-list").table if row["uuid"] == made["uuid"])
    assert (row["name"], row["node_count"]) == ("first", "2")
    assert magnum("bay-delete", "first").text == ""
    eventually(lambda: cloud.shown(f"/bays/{made['uuid']}") is None, "the bay is deleted", seconds=60)


def test_a_bay_is_shown_and_patched(magnum: CommandLine, cloud: Cloud, bay: str) -> None:
    held = cloud.shown(f"/bays/{bay}")
    assert magnum("bay-show", bay).properties["api_address"] == held["api_address"]
    same = magnum("bay-update", bay, "replace", f"node_count={held['node_count']}").properties
    assert (same["uuid"], same["status"]) == (held["uuid"], held["status"])
    assert "(HTTP 400)" in magnum("bay-update", bay, "replace", "name=other", code=1).error


def test_nodes(magnum: CommandLine, cloud: Cloud) -> None:
    made = magnum("node-create", "--type", "bare", "--image-id", "an-image").properties
    assert cloud.shown(f"/nodes/{made['uuid']}")["image_id"] == "an-image"
    row = {"uuid": made["uuid"], "type": "bare", "image_id": "an-image"}
    assert row in magnum("node-list").table


def test_pods(magnum: CommandLine, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = manifests.pod(tier="front")
    made = magnum("pod-create", "--bay", bay, "--manifest", str(manifest)).properties
    assert (made["name"], made["labels"]) == (name, "{u'tier': u'front'}")
    assert {"uuid": made["uuid"], "name": name} in magnum("pod-list").table
    assert magnum("pod-show", name).properties["uuid"] == made["uuid"]
    name, manifest = manifests.pod(tier="back")
    changed = magnum("pod-update", name, "replace", f"manifest={manifest}").properties
    assert changed["labels"] == "{u'tier': u'back'}"
    assert cloud.shown(f"/pods/{made['uuid']}")["labels"] == {"tier": "back"}
    # A pod that is deleted while its node still starts it may stay for minutes.
    eventually(lambda: cloud.shown(f"/pods/{made['uuid']}")["status"] == "Running", "the pod runs", seconds=60)
    assert magnum("pod-delete", name).text == ""
    eventually(lambda: cloud.shown(f"/pods/{made['uuid']}") is None, "the pod is gone", seconds=60)


def test_replication_controllers(magnum: CommandLine, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = manifests.rc(replicas=0)
    made = magnum("rc-create", "--bay", bay, "--manifest", str(manifest)).properties
    assert (made["name"], made["replicas"]) == (name, "0")
    assert {"uuid": made["uuid"], "name": name} in magnum("rc-list").table
    assert magnum("rc-show", name).properties["uuid"] == made["uuid"]
    name, manifest = manifests.rc(replicas=1)
    magnum("rc-update", name, "replace", f"manifest={manifest}")
    eventually(lambda: cloud.shown(f"/rcs/{made['uuid']}")["replicas"] == 1, "there is one replica", seconds=30)
    assert magnum("rc-delete", name).text == ""
    assert cloud.shown(f"/rcs/{made['uuid']}") is None


def test_services(magnum: CommandLine, cloud: Cloud, bay: str, manifests: Manifests) -> None:
    name, manifest = manifests.service(port=80)
    made = magnum("service-create", "--bay", bay, "--manifest", str(manifest)).properties
    assert made["name"] == name
    row = {"uuid": made["uuid"], "name": name, "bay_uuid": made["bay_uuid"]}
    assert row in magnum("service-list").table
    assert magnum("service-show", name).properties["ip"] == cloud.shown(f"/services/{made['uuid']}")["ip"]
    name, manifest = manifests.service(port=81)
    magnum("service-update", name, "replace", f"manifest={manifest}")
    assert cloud.shown(f"/services/{made['uuid']}")["ports"][0]["port"] == 81
    assert magnum("service-delete", name).text == ""
    assert cloud.shown(f"/services/{made['uuid']}") is None


def test_containers(magnum: CommandLine, cloud: Cloud, bay: str) -> None:
    wanted = {"name": "c", "image_id": "web", "bay_uuid": cloud.shown(f"/bays/{bay}")["uuid"], "command": "ls"}
    refused = magnum("container-create", stdin=json.dumps(wanted), code=1).error
    assert "Cannot fulfill request with a kubernetes bay, expecting a swarm bay." in refused
    assert magnum("container-list").table == []
    sentence = f"Container {NOWHERE} could not be found."
    for verb in ("delete", "start", "stop", "reboot", "pause", "unpause"):
        assert f"failed: {sentence} (HTTP 404)" in magnum(f"container-{verb}", NOWHERE).text
    assert sentence in magnum("container-show", NOWHERE, code=1).error
    assert sentence in magnum("container-logs", NOWHERE, code=1).error
    assert sentence in magnum("container-execute", NOWHERE, "--command", "ls -l /", code=1).error


def test_refusals(magnum: CommandLine) -> None:
    assert magnum("bay-show", NOWHERE, code=1).error == f"Bay {NOWHERE} could not be found. (HTTP 404)"
    error = magnum("baymodel-create", "--coe", "unheard-of", *BAYMODEL, code=1).error
    assert "unheard-of" in error
    assert "(HTTP 400)" in error
    uuids = [
        magnum("baymodel-create", "--name", "first-twins", "--coe", "kubernetes", *BAYMODEL).properties["uuid"]
        for _ in "ab"
    ]
    assert "(HTTP 409)" in magnum("baymodel-show", "first-twins", code=1).error
    assert magnum("baymodel-delete", *uuids).text == ""
    assert "(HTTP 401)" in magnum("bay-list", code=1, env={"OS_PASSWORD": "wrong"}).error


def test_help_is_there(magnum: CommandLine) -> None:
    assert "--node-count" in magnum("help", "bay-create").text


def test_no_verb_was_left_out(magnum: CommandLine) -> None:
    """Stands last: the tests above, together, ran every verb that the client knows."""
    assert magnum.verbs() - magnum.run_verbs == set()
