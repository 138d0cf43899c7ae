"""The Heat templates agree with themselves and with the driver; that Heat takes them is an integration test."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from magnum.drivers import base, files
from magnum.drivers.kubernetes import kubeadm
from magnum.drivers.kubernetes.driver import KubernetesDriver

NOVA_LIMIT = 65535  # bytes of user_data, in base64


@pytest.fixture
def stack(conf: object) -> base.Stack:
    model = {"image_id": "debian", "flavor_id": "m1.small", "network_driver": "flannel"}
    bay = base.BaySpec("0123abcd-1111-2222-3333-444444444444", "web", 1, 3, model)
    return KubernetesDriver().stack(bay, base.NodeAccess("http://magnum", "", "m", "n"))


def calls(item: Any, function: str) -> Iterator[Any]:
    """Every argument with which a function of HOT is called."""
    if isinstance(item, dict):
        for key, value in item.items():
            if key == function:
                yield value
            yield from calls(value, function)
    elif isinstance(item, list):
        for value in item:
            yield from calls(value, function)


def test_the_driver_sets_the_parameters_of_the_template(stack: base.Stack, cluster_template: dict[str, Any]) -> None:
    declared = cluster_template["parameters"]
    required = {name for name, parameter in declared.items() if "default" not in parameter}

    assert required <= set(stack.parameters) <= set(declared)


@pytest.mark.parametrize("group", ["masters", "nodes"])
def test_the_cluster_sets_the_parameters_of_its_servers(
    cluster_template: dict[str, Any], server_template: dict[str, Any], group: str
) -> None:
    given = cluster_template["resources"][group]["properties"]["resource_def"]["properties"]
    declared = server_template["parameters"]
    required = {name for name, parameter in declared.items() if "default" not in parameter}

    assert required <= set(given) <= set(declared)


@pytest.mark.parametrize("name", ["cluster_template", "server_template"])
def test_every_name_that_is_used_is_declared(name: str, request: pytest.FixtureRequest) -> None:
    template = request.getfixturevalue(name)
    body = {key: template[key] for key in ("resources", "outputs", "conditions")}

    used = {value if isinstance(value, str) else value[0] for value in calls(body, "get_param")}
    assert used == set(template["parameters"])
    resources = set(calls(body, "get_resource")) | {value[0] for value in calls(body, "get_attr")}
    assert resources <= set(template["resources"])
    assert {value[0] for value in calls(body, "if")} <= set(template["conditions"])


def test_tokens_come_hidden_and_by_no_property(
    stack: base.Stack, cluster_template: dict[str, Any], server_template: dict[str, Any]
) -> None:
    """What a ResourceGroup hands to its members stands readable in the template that Heat makes for it."""
    parameters = server_template["parameters"]
    tokens = {name for name in parameters if "token" in name}

    assert tokens == set(stack.environment["parameter_defaults"])
    assert all(parameters[name]["hidden"] is True for name in tokens)
    assert "token" not in str(cluster_template)


@pytest.mark.parametrize("name", ["cluster_template", "server_template"])
def test_one_resource_begins(name: str, request: pytest.FixtureRequest) -> None:
    """Heat pauses for a second after each resource that waits for no other."""
    resources = request.getfixturevalue(name)["resources"]
    leaves = [
        resource
        for resource, body in resources.items()
        if not ("depends_on" in body or [*calls(body, "get_resource")] or [*calls(body, "get_attr")])
    ]

    assert len(leaves) == 1


def test_a_server_that_runs_is_never_rebuilt_for_new_user_data(server_template: dict[str, Any]) -> None:
    assert server_template["resources"]["server"]["properties"]["user_data_update_policy"] == "IGNORE"


def test_a_worker_is_removed_by_its_name(cluster_template: dict[str, Any], server_template: dict[str, Any]) -> None:
    assert server_template["outputs"]["OS::stack_id"]["value"] == {"get_param": "name"}
    assert cluster_template["resources"]["nodes"]["properties"]["removal_policies"] == [
        {"resource_list": {"get_param": "nodes_to_remove"}}
    ]


def test_every_placeholder_of_kubeadm_is_filled(server_template: dict[str, Any], stack: base.Stack) -> None:
    filled = {name for call in calls(server_template, "str_replace") for name in call["params"]}

    assert set(kubeadm.PLACEHOLDERS) <= filled
    texts = [stack.parameters[name] for name in ("kubeadm_init", "kubeadm_join_master", "kubeadm_join_node")]
    assert any(placeholder in text for placeholder in kubeadm.PLACEHOLDERS for text in texts)


def test_included_files_are_given(stack: base.Stack, server_template: dict[str, Any]) -> None:
    assert set(calls(server_template, "get_file")) == {"node.tar.gz.b64"}
    assert set(stack.files) == {"server.yaml", "node.tar.gz.b64"}


def test_user_data_fits_into_nova_with_room_for_certificates(stack: base.Stack) -> None:
    parts = ("kubeadm_init", "node_settings", "cluster_objects")
    size = len(json.dumps([stack.files["node.tar.gz.b64"], *(stack.parameters[name] for name in parts)]))

    assert len(base64.b64encode(b"x" * size)) < NOVA_LIMIT - 20_000


def test_there_is_a_template_for_each_kind_of_bay() -> None:
    assert "cluster.yaml" in files.read_all("kubernetes")
