"""kubeadm's configuration for the releases that matter: one of each version of its API, and the current one."""

import dataclasses
from typing import Any

import pytest
import yaml

from magnum.drivers.kubernetes import kubeadm

SETTINGS = kubeadm.ClusterSettings(
    kube_tag="v1.20.2",
    cluster_name="web-1234",
    api_port=6443,
    pods_cidr="10.100.0.0/16",
    node_prefix_length=24,
    allocate_node_cidrs=True,
    services_cidr="10.254.0.0/16",
    image_repository="registry.k8s.io",
    cgroup_driver="systemd",
    fail_swap_on=True,
    conntrack_max_per_core=32768,
)
RELEASES = [("v1.20.2", "v1beta2"), ("v1.26.1", "v1beta3"), ("v1.30.0", "v1beta3"), ("v1.34.2", "v1beta4")]


def documents(text: str) -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


def init(**changes: Any) -> dict[str, dict[str, Any]]:
    return documents(kubeadm.init_config(dataclasses.replace(SETTINGS, **changes)))


def join(control_plane: bool, **changes: Any) -> dict[str, Any]:
    return documents(kubeadm.join_config(dataclasses.replace(SETTINGS, **changes), control_plane))["JoinConfiguration"]


@pytest.mark.parametrize(("kube_tag", "version"), RELEASES)
def test_each_release_gets_its_version_of_the_api(kube_tag: str, version: str) -> None:
    found = init(kube_tag=kube_tag)

    assert {found[kind]["apiVersion"] for kind in ("InitConfiguration", "ClusterConfiguration")} == {
        f"kubeadm.k8s.io/{version}"
    }
    assert join(control_plane=False, kube_tag=kube_tag)["apiVersion"] == f"kubeadm.k8s.io/{version}"
    assert found["KubeletConfiguration"]["apiVersion"] == "kubelet.config.k8s.io/v1beta1"
    assert found["KubeProxyConfiguration"]["apiVersion"] == "kubeproxy.config.k8s.io/v1alpha1"


@pytest.mark.parametrize("kube_tag", ["v1.15.0", "v1.21.14", "v1.22.0", "v1.31.0", "v1.100.3"])
def test_the_versions_change_at_the_right_release(kube_tag: str) -> None:
    expected = {"v1.15.0": "v1beta2", "v1.21.14": "v1beta2", "v1.22.0": "v1beta3"}.get(kube_tag, "v1beta4")

    assert init(kube_tag=kube_tag)["ClusterConfiguration"]["apiVersion"] == f"kubeadm.k8s.io/{expected}"


@pytest.mark.parametrize("kube_tag", ["v1.20.2", "v1.26.1", "v1.30.0"])
def test_flags_are_a_map_at_first(kube_tag: str) -> None:
    found = init(kube_tag=kube_tag)

    assert found["ClusterConfiguration"]["controllerManager"]["extraArgs"] == {"node-cidr-mask-size": "24"}
    assert found["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"] == {"node-ip": "@NODE_ADDRESS@"}
    assert "encryptionAlgorithm" not in found["ClusterConfiguration"]


def test_flags_are_a_list_in_v1beta4() -> None:
    found = init(kube_tag="v1.34.2")
    expected = [{"name": "node-ip", "value": "@NODE_ADDRESS@"}]

    assert found["ClusterConfiguration"]["controllerManager"]["extraArgs"] == [
        {"name": "node-cidr-mask-size", "value": "24"}
    ]
    assert found["InitConfiguration"]["nodeRegistration"]["kubeletExtraArgs"] == expected
    assert join(control_plane=False, kube_tag="v1.34.2")["nodeRegistration"]["kubeletExtraArgs"] == expected


@pytest.mark.parametrize(
    ("kube_tag", "socket"),
    [
        ("v1.20.2", "/run/containerd/containerd.sock"),
        ("v1.26.1", "unix:///run/containerd/containerd.sock"),
        ("v1.30.0", "unix:///run/containerd/containerd.sock"),
        ("v1.34.2", "unix:///run/containerd/containerd.sock"),
    ],
)
def test_containerd_is_named_as_the_release_wants_it(kube_tag: str, socket: str) -> None:
    assert init(kube_tag=kube_tag)["InitConfiguration"]["nodeRegistration"]["criSocket"] == socket


@pytest.mark.parametrize("kube_tag", [kube_tag for kube_tag, _ in RELEASES])
def test_masters_get_the_taints_of_their_release(kube_tag: str) -> None:
    """kubeadm knows them; it sets its own only where the field is absent."""
    assert "taints" not in init(kube_tag=kube_tag)["InitConfiguration"]["nodeRegistration"]
    assert "taints" not in join(control_plane=True, kube_tag=kube_tag)["nodeRegistration"]


@pytest.mark.parametrize("kube_tag", [kube_tag for kube_tag, _ in RELEASES])
def test_no_bootstrap_token_is_good_for_anything(kube_tag: str) -> None:
    [token] = init(kube_tag=kube_tag)["InitConfiguration"]["bootstrapTokens"]

    assert token["ttl"] == "1s"
    assert token["groups"] == ["system:bootstrappers:nobody"]


def test_nodes_join_with_the_credentials_in_the_discovery_file() -> None:
    worker, master = join(control_plane=False), join(control_plane=True)

    assert worker["discovery"] == {"file": {"kubeConfigPath": "/etc/magnum/discovery.conf"}}
    assert "controlPlane" not in worker
    assert master["controlPlane"] == {"localAPIEndpoint": {"advertiseAddress": "@NODE_ADDRESS@", "bindPort": 6443}}
    assert "certificateKey" not in master["controlPlane"]


def test_the_cluster_is_reached_at_every_address_it_has() -> None:
    cluster = init(api_port=8443)["ClusterConfiguration"]

    assert cluster["controlPlaneEndpoint"] == "@API_ADDRESS@:8443"
    assert cluster["apiServer"]["certSANs"] == ["@API_ADDRESS@", "@API_PUBLIC_ADDRESS@", "@NODE_PUBLIC_ADDRESS@"]
    assert cluster["networking"] == {"podSubnet": "10.100.0.0/16", "serviceSubnet": "10.254.0.0/16"}


def test_a_network_driver_may_hand_out_pod_ranges_itself() -> None:
    cluster = init(allocate_node_cidrs=False)["ClusterConfiguration"]

    assert cluster["controllerManager"]["extraArgs"] == {"allocate-node-cidrs": "false"}


def test_the_node_is_left_as_it_is_where_it_cannot_be_changed() -> None:
    found = init(cgroup_driver="cgroupfs", fail_swap_on=False, conntrack_max_per_core=0)

    assert found["KubeletConfiguration"]["cgroupDriver"] == "cgroupfs"
    assert found["KubeletConfiguration"]["failSwapOn"] is False
    assert found["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 0, "min": 0}
    assert init()["KubeProxyConfiguration"]["conntrack"] == {"maxPerCore": 32768}


def test_phases_are_skipped_on_demand_only() -> None:
    assert kubeadm.skipped_phases(coredns=True, preflight=True) == []
    assert kubeadm.skipped_phases(coredns=False, preflight=False) == ["preflight", "addon/coredns"]
