"""The Kubernetes driver: what it refuses, the stack it asks for, and what it reads from one."""

import base64
import io
import tarfile
from typing import Any

import pytest
import yaml
from oslo_config import cfg

from magnum.drivers import base
from magnum.drivers.kubernetes.driver import KubernetesDriver, name_prefix

MODEL: dict[str, Any] = {"image_id": "debian", "flavor_id": "m1.small", "labels": {}}
ACCESS = base.NodeAccess("https://magnum:9511", "-----CA-----", "MASTERTOKEN", "NODETOKEN", ["ssh-ed25519 AAAA me"])
BAY = "0123abcd-1111-2222-3333-444444444444"


@pytest.fixture
def driver(conf: cfg.ConfigOpts) -> KubernetesDriver:
    return KubernetesDriver()


def stack(driver: KubernetesDriver, node_count: int = 1, **model: Any) -> base.Stack:
    return driver.stack(base.BaySpec(BAY, "Web shop!", node_count, 1, MODEL | model), ACCESS)


def test_a_plain_baymodel_is_accepted(driver: KubernetesDriver) -> None:
    assert driver.validate(MODEL) == []


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"image_id": None}, "image_id"),
        ({"flavor_id": ""}, "flavor_id"),
        ({"tls_disabled": True}, "tls_disabled"),
        ({"registry_enabled": True}, "registry_enabled"),
        ({"network_driver": "calico"}, "flannel, bridge"),
        ({"volume_driver": "cinder"}, "leave it unset"),
        ({"apiserver_port": 10250}, "apiserver_port"),
        ({"apiserver_port": 30080}, "apiserver_port"),
        ({"http_proxy": 'http://proxy" ; reboot'}, "http_proxy"),
        ({"https_proxy": "http://proxy\nEnvironment=X"}, "https_proxy"),
        ({"no_proxy": "a b"}, "no_proxy"),
        ({"dns_nameserver": "8.8.8.8,dns.example.org"}, "dns.example.org"),
        ({"labels": {"kube_tagg": "v1.30.0"}}, "kube_tag?"),
        ({"labels": {"kube_tag": "v1.14.0"}}, "kube_tag"),
        ({"labels": {"pods_network_cidr": "10.254.0.0/16"}}, "overlap"),
        ({"fixed_network": "10.100.7.0/24"}, "overlap"),
        ({"labels": {"pods_network_cidr": "10.100.0.0/24"}}, "no room"),
        ({"network_driver": "bridge", "labels": {"fixed_subnet_cidr": "10.0.0.0/22"}}, "smaller or the other larger"),
    ],
)
def test_what_cannot_be_built_is_refused(driver: KubernetesDriver, model: dict[str, Any], words: str) -> None:
    [problem] = driver.validate(MODEL | model)

    assert words in problem


def test_every_problem_is_named_at_once(driver: KubernetesDriver) -> None:
    assert len(driver.validate({"labels": {"x": "y"}, "tls_disabled": True, "network_driver": "none"})) == 5


def test_names_of_servers_are_dns_labels_from_the_bay() -> None:
    assert name_prefix("Web shop!", BAY) == "web-shop-0123abcd"
    assert name_prefix("42", BAY) == "bay-0123abcd"
    assert name_prefix("", BAY) == "bay-0123abcd"
    assert name_prefix("Käse" * 30, BAY).endswith("-0123abcd")
    assert len(name_prefix("a" * 255, BAY)) == 40


def test_attributes_become_parameters(driver: KubernetesDriver) -> None:
    parameters = stack(
        driver,
        node_count=3,
        master_flavor_id="m1.large",
        external_network_id="public",
        dns_nameserver="8.8.8.8, 8.8.4.4",
        docker_volume_size=20,
        apiserver_port=8443,
        ssh_authorized_key="ssh-rsa BBBB",
        labels={"kube_tag": "v1.30.1", "floating_ip_enabled": "false"},
    ).parameters

    expected = {
        "bay_uuid": BAY,
        "name_prefix": "web-shop-0123abcd",
        "image": "debian",
        "master_flavor": "m1.large",
        "node_flavor": "m1.small",
        "master_count": 1,
        "node_count": 3,
        "nodes_to_remove": [],
        "ssh_authorized_keys": ["ssh-ed25519 AAAA me", "ssh-rsa BBBB"],
        "external_network": "public",
        "floating_ip_enabled": False,
        "fixed_network": "",
        "fixed_subnet_cidr": "10.0.0.0/24",
        "dns_nameservers": ["8.8.8.8", "8.8.4.4"],
        "docker_volume_size": 20,
        "api_port": 8443,
        "coe_version": "v1.30.1",
        "timeout": 3600,
    }
    assert {name: parameters[name] for name in expected} == expected


def test_fixed_network_is_a_network_or_a_range(driver: KubernetesDriver) -> None:
    named, ranged = stack(driver, fixed_network="backbone"), stack(driver, fixed_network="192.168.7.0/24")

    assert named.parameters["fixed_network"] == "backbone"
    assert (ranged.parameters["fixed_network"], ranged.parameters["fixed_subnet_cidr"]) == ("", "192.168.7.0/24")


def test_the_operator_sets_defaults(driver: KubernetesDriver, conf: cfg.ConfigOpts) -> None:
    conf.set_override("default_labels", {"kube_tag": "v1.20.2", "coredns_enabled": "false"}, "kubernetes")
    conf.set_override("kubernetes_default_network_driver", "bridge", "baymodel")

    parameters = stack(driver).parameters

    assert parameters["coe_version"] == "v1.20.2"
    assert parameters["node_settings"]["skipped_phases"] == ["addon/coredns"]
    assert parameters["node_settings"]["network_driver"] == "bridge"
    assert "kubeadm.k8s.io/v1beta2" in parameters["kubeadm_join_node"]
    assert stack(driver, labels={"kube_tag": "v1.30.0"}).parameters["coe_version"] == "v1.30.0"


def test_a_wrong_default_is_found_at_the_start(driver: KubernetesDriver, conf: cfg.ConfigOpts) -> None:
    conf.set_override("default_labels", {"kube_tga": "v1.20.2"}, "kubernetes")

    with pytest.raises(ValueError, match="default_labels: There is no label 'kube_tga'; did you mean kube_tag"):
        base.load_drivers()


def test_the_only_secrets_are_the_tokens(driver: KubernetesDriver) -> None:
    made = stack(driver)
    tokens = {"bootstrap_token_master": "MASTERTOKEN", "bootstrap_token_node": "NODETOKEN"}

    assert made.environment == {"parameter_defaults": tokens}
    assert "TOKEN" not in str(made.parameters) + made.template + str(made.files)
    assert all(yaml.safe_load(made.files["server.yaml"])["parameters"][name]["hidden"] for name in tokens)


def test_proxies_leave_out_what_is_in_the_bay(driver: KubernetesDriver) -> None:
    proxies = stack(driver, http_proxy="http://proxy:3128", no_proxy="example.org").parameters["node_settings"][
        "proxies"
    ]

    assert proxies["http_proxy"] == "http://proxy:3128"
    assert set(proxies["no_proxy"].split(",")) >= {
        "example.org",
        "10.100.0.0/16",
        "10.254.0.0/16",
        "10.0.0.0/24",
        ".svc",
    }
    assert stack(driver, no_proxy="example.org").parameters["node_settings"]["proxies"] == {}


def test_flannel_is_made_of_the_labels(driver: KubernetesDriver) -> None:
    labels = {
        "flannel_prefix": "mirror:5000/flannel",
        "flannel_backend": "host-gw",
        "pods_network_cidr": "10.42.0.0/16",
    }

    objects = stack(driver, network_driver="flannel", labels=labels).parameters["cluster_objects"]

    kinds = {item["kind"]: item for item in objects}
    settings = yaml.safe_load(kinds["ConfigMap"]["data"]["net-conf.json"])
    assert settings == {"Network": "10.42.0.0/16", "Backend": {"Type": "host-gw"}}
    pod = kinds["DaemonSet"]["spec"]["template"]["spec"]
    images = {container["image"] for container in pod["initContainers"] + pod["containers"]}
    assert all(image.startswith("mirror:5000/flannel/flannel") for image in images)
    assert "@" not in str(objects)


def test_with_bridges_nodes_may_see_each_other(driver: KubernetesDriver) -> None:
    made = stack(driver, network_driver="bridge", labels={"kube_tag": "v1.30.0"}).parameters

    assert {item["kind"] for item in made["cluster_objects"]} == {"ClusterRole", "ClusterRoleBinding"}
    assert "allocate-node-cidrs: 'false'" in made["kubeadm_init"]


def test_the_scripts_are_packed_the_same_each_time(driver: KubernetesDriver) -> None:
    one, two = (stack(driver).files["node.tar.gz.b64"] for _ in range(2))

    names = tarfile.open(fileobj=io.BytesIO(base64.b64decode(one))).getnames()  # noqa: SIM115 - in memory
    assert one == two
    assert {"magnum-node/node.py", "magnum-node/routes.py", "magnum-node/kubelet.service"} <= set(names)


def test_scaling_down_names_who_goes(driver: KubernetesDriver) -> None:
    made = driver.stack(base.BaySpec(BAY, "web", 1, 1, MODEL), ACCESS, ["web-0123abcd-node-0"])

    assert made.parameters["nodes_to_remove"] == ["web-0123abcd-node-0"]


def server(name: str, role: str, number: int) -> dict[str, str]:
    return {
        "name": name,
        "role": role,
        "address": f"172.16.0.{number}",
        "private_address": f"10.0.0.{number}",
        "server_id": f"id-{number}",
    }


def test_outputs_become_attributes(driver: KubernetesDriver) -> None:
    found = driver.outputs(
        {
            "api_address": "172.16.0.9",
            "api_port": 6443,
            "coe_version": "v1.34.2",
            "masters": [server("web-master-0", "master", 1)],
            "nodes": [server("web-node-0", "node", 2), server("web-node-3", "node", 3)],
        }
    )

    assert found.api_address == "https://172.16.0.9:6443"
    assert found.master_addresses == ["172.16.0.1"]
    assert found.node_addresses == ["172.16.0.2", "172.16.0.3"]
    assert found.coe_version == "v1.34.2"
    assert [node.name for node in found.nodes] == ["web-master-0", "web-node-0", "web-node-3"]
    assert found.nodes[0] == base.NodeOutput("web-master-0", "master", "172.16.0.1", "10.0.0.1", "id-1")


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {
            "api_address": None,
            "api_port": 6443,
            "masters": None,
            "nodes": [None, {}, {"name": None}],
            "coe_version": None,
        },
    ],
)
def test_a_half_built_stack_leaves_gaps(driver: KubernetesDriver, outputs: dict[str, Any]) -> None:
    assert driver.outputs(outputs) == base.BayOutputs("", [], [], "", [])
