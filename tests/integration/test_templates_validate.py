"""Heat takes the templates: with its own types alone, and with those of the one-machine cloud."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from heatclient import client
from keystoneauth1 import identity, session

from magnum.conf import CONF
from magnum.drivers import base
from magnum.drivers.kubernetes.driver import KubernetesDriver
from magnum.localcloud import venvs
from tests.integration.cloud import Cloud

VALIDATOR = Path(__file__).with_name("heat_validate.py")
MODEL = {"image_id": "debian-kubernetes", "flavor_id": "m1.small"}
KINDS: dict[str, tuple[int, dict[str, Any]]] = {
    "plain": (1, {}),
    "floating": (1, {"external_network_id": "public"}),
    "balanced": (3, {}),
    "balanced floating": (3, {"external_network_id": "public", "network_driver": "bridge", "apiserver_port": 8443}),
    "without floating IPs": (1, {"external_network_id": "public", "labels": {"floating_ip_enabled": "false"}}),
    "volumes": (1, {"external_network_id": "public", "docker_volume_size": 10}),
    "existing network": (3, {"fixed_network": "backbone", "external_network_id": "public"}),
    "own range": (1, {"fixed_network": "192.168.4.0/24", "dns_nameserver": "192.0.2.1,192.0.2.2"}),
    "current release": (1, {"labels": {"kube_tag": "v1.34.2"}}),
}


def stack(kind: str) -> dict[str, Any]:
    CONF([], project="magnum", default_config_files=[])
    master_count, model = KINDS[kind]
    bay = base.BaySpec("0123abcd-1111-2222-3333-444444444444", "web", 2, master_count, MODEL | model)
    access = base.NodeAccess("http://magnum:9511/v1", "", "master", "node", ["ssh-ed25519 AAAA me"])
    made = KubernetesDriver().stack(bay, access)
    return made.arguments()


def broken(file: str, right: str, wrong: str) -> dict[str, Any]:
    """A stack with a mistake in one of its templates."""
    asked = stack("balanced floating")
    place = asked["files"] if file in asked["files"] else asked
    assert right in place[file]
    place[file] = place[file].replace(right, wrong)
    return asked


def judge(*asked: dict[str, Any]) -> list[str]:
    """What Heat finds wrong with each stack."""
    argv = [str(venvs.ensure("heat") / "bin" / "python"), str(VALIDATOR)]
    done = subprocess.run(argv, input=json.dumps(asked), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def test_heat_takes_them_with_its_own_types() -> None:
    assert dict(zip(KINDS, judge(*map(stack, KINDS)), strict=True)) == dict.fromkeys(KINDS, "")


def test_heat_would_have_found_a_mistake() -> None:
    found = judge(
        broken("server.yaml", "allowed_address_pairs", "allowed_pairs"),
        broken("server.yaml", "[floating_ip, floating_ip_address]", "[floating_ip, number]"),
        broken("template", "vip_port_id", "vip_port"),
        broken("template", "          role: node\n", ""),
    )

    expected = [
        "Unknown Property allowed_pairs",
        "Referenced Attribute",
        "Referenced Attribute",
        "(role) was not provided",
    ]
    assert [words in text for words, text in zip(expected, found, strict=True)] == [True] * len(expected)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "existing network"])
def test_heat_takes_it_with_the_local_types(cloud: Cloud, kind: str) -> None:
    auth = yaml.safe_load((cloud.state / "clouds.yaml").read_text())["clouds"]["magnum-local"]["auth"]
    asking = session.Session(auth=identity.V3Password(**auth), timeout=60)
    heat = client.Client("1", session=asking, service_type="orchestration")

    previewed = heat.stacks.preview(stack_name="previewed", **stack(kind))

    # A resource is shown as such, a nested stack as the list of its resources.
    assert "server_group" in {each["resource_name"] for each in previewed.resources if isinstance(each, dict)}
