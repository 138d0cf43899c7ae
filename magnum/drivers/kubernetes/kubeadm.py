"""The configuration files of kubeadm, rendered for the version of Kubernetes that a bay asks for.

kubeadm's configuration API changes with its releases: v1beta2 up to 1.21, v1beta3 from 1.22, v1beta4 from 1.31 (where
flags became lists so that one may be given twice). Everything that differs between them is in this module. What only
Heat knows (addresses and names of servers) stands in the text as one of the PLACEHOLDERS and is filled in by the
template.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

NODE_NAME = "@NODE_NAME@"
NODE_ADDRESS = "@NODE_ADDRESS@"
NODE_PUBLIC_ADDRESS = "@NODE_PUBLIC_ADDRESS@"
API_ADDRESS = "@API_ADDRESS@"
API_PUBLIC_ADDRESS = "@API_PUBLIC_ADDRESS@"
PLACEHOLDERS = (NODE_NAME, NODE_ADDRESS, NODE_PUBLIC_ADDRESS, API_ADDRESS, API_PUBLIC_ADDRESS)

DISCOVERY_FILE = "/etc/magnum/discovery.conf"  # where the node scripts put the credentials for joining

OLDEST = (1, 15)
_CRI_SOCKET = "/run/containerd/containerd.sock"


@dataclass(frozen=True)
class ClusterSettings:
    """What the configuration of a cluster depends on."""

    kube_tag: str
    cluster_name: str
    api_port: int
    pods_cidr: str
    node_prefix_length: int
    allocate_node_cidrs: bool
    services_cidr: str
    image_repository: str
    cgroup_driver: str
    fail_swap_on: bool
    conntrack_max_per_core: int


def version_of(kube_tag: str) -> tuple[int, int]:
    """Return (major, minor) of a tag such as v1.34.2."""
    major, minor, _patch = kube_tag.removeprefix("v").split(".")
    return int(major), int(minor)


def init_config(settings: ClusterSettings) -> str:
    """Return the configuration with which the first master starts the cluster."""
    version = version_of(settings.kube_tag)
    return _documents(
        _kubeadm(
            version,
            "InitConfiguration",
            bootstrapTokens=[_unusable_token()],
            localAPIEndpoint=_endpoint(settings),
            nodeRegistration=_registration(version),
        ),
        _cluster(version, settings),
        _kubelet(settings),
        _kube_proxy(settings),
    )


def join_config(settings: ClusterSettings, control_plane: bool) -> str:
    """Return the configuration with which a node joins: as one more master, or as a worker."""
    version = version_of(settings.kube_tag)
    master = {"controlPlane": {"localAPIEndpoint": _endpoint(settings)}} if control_plane else {}
    return _documents(
        _kubeadm(
            version,
            "JoinConfiguration",
            discovery={"file": {"kubeConfigPath": DISCOVERY_FILE}},
            nodeRegistration=_registration(version),
            **master,
        )
    )


def _api_version(version: tuple[int, int]) -> str:
    if version >= (1, 31):
        return "v1beta4"
    return "v1beta3" if version >= (1, 22) else "v1beta2"


def _kubeadm(version: tuple[int, int], kind: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": f"kubeadm.k8s.io/{_api_version(version)}", "kind": kind, **fields}


def _cluster(version: tuple[int, int], settings: ClusterSettings) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "kubernetesVersion": settings.kube_tag,
        "clusterName": settings.cluster_name,
        "controlPlaneEndpoint": f"{API_ADDRESS}:{settings.api_port}",
        "imageRepository": settings.image_repository,
        "networking": {"podSubnet": settings.pods_cidr, "serviceSubnet": settings.services_cidr},
        "apiServer": {"certSANs": [API_ADDRESS, API_PUBLIC_ADDRESS, NODE_PUBLIC_ADDRESS]},
        "controllerManager": {"extraArgs": _flags(version, _pod_ranges(settings))},
    }
    if version >= (1, 31):
        fields["encryptionAlgorithm"] = "ECDSA-P256"
    return _kubeadm(version, "ClusterConfiguration", **fields)


def _registration(version: tuple[int, int]) -> dict[str, Any]:
    """How a node announces itself. Without taints of our own kubeadm gives masters those of its version."""
    return {
        "name": NODE_NAME,
        "criSocket": f"unix://{_CRI_SOCKET}" if version >= (1, 24) else _CRI_SOCKET,
        "kubeletExtraArgs": _flags(version, {"node-ip": NODE_ADDRESS}),
    }


def _pod_ranges(settings: ClusterSettings) -> dict[str, str]:
    """Who gives each node its part of the pods' network: the controller manager, or the network driver."""
    if settings.allocate_node_cidrs:
        return {"node-cidr-mask-size": str(settings.node_prefix_length)}
    return {"allocate-node-cidrs": "false"}


def _flags(version: tuple[int, int], flags: Mapping[str, str]) -> dict[str, str] | list[dict[str, str]]:
    if version >= (1, 31):
        return [{"name": name, "value": value} for name, value in flags.items()]
    return dict(flags)


def _endpoint(settings: ClusterSettings) -> dict[str, Any]:
    return {"advertiseAddress": NODE_ADDRESS, "bindPort": settings.api_port}


def _unusable_token() -> dict[str, Any]:
    """A bootstrap token that may do nothing, and that for a second.

    Nodes join with certificates, but kubeadm makes a token good for a day if it is given none, and skipping that phase
    would skip the roles that joining nodes need.
    """
    groups = ["system:bootstrappers:nobody"]
    return {"description": "not used", "ttl": "1s", "usages": ["authentication"], "groups": groups}


def _kubelet(settings: ClusterSettings) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": settings.cgroup_driver,
        "failSwapOn": settings.fail_swap_on,
        "rotateCertificates": True,
    }


def _kube_proxy(settings: ClusterSettings) -> dict[str, Any]:
    conntrack: dict[str, int] = {"maxPerCore": settings.conntrack_max_per_core}
    if not settings.conntrack_max_per_core:
        conntrack["min"] = 0  # both 0: the node's own setting stays as it is
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "conntrack": conntrack,
    }


def _documents(*documents: Mapping[str, Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


def skipped_phases(coredns: bool, preflight: bool) -> Sequence[str]:
    """Return the phases of kubeadm to leave out, for its command line: as a field they exist only from v1beta3."""
    return [*([] if preflight else ["preflight"]), *([] if coredns else ["addon/coredns"])]
