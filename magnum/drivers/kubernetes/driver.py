"""Kubernetes bays on any image that runs cloud-init."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from magnum.conf import CONF
from magnum.drivers import base, files
from magnum.drivers.kubernetes import kubeadm, networks, validation
from magnum.drivers.kubernetes.labels import SCHEMA

_FOLDER = "kubernetes"
_TEMPLATE = "cluster.yaml"
_SERVER = "server.yaml"
_SCRIPTS = "node/"
_MANIFESTS = {"flannel": "manifests/flannel.yaml", "bridge": "manifests/bridge.yaml"}
_PREFIX_LENGTH = 40
_DEFAULT_PORT = 6443


class KubernetesDriver(base.BayDriver):
    """Clusters built by kubeadm, with containerd and a pod network of flannel or plain bridges."""

    name: ClassVar[str] = "kubernetes"
    server_type: ClassVar[str] = "vm"
    os: ClassVar[str] = base.ANY
    coe: ClassVar[str] = "kubernetes"
    network_drivers: ClassVar[tuple[str, ...]] = tuple(_MANIFESTS)
    volume_drivers: ClassVar[tuple[str, ...]] = ()

    @property
    def labels(self) -> base.LabelSchema:
        try:
            return SCHEMA.with_defaults(CONF.kubernetes.default_labels)
        except ValueError as error:
            raise ValueError(f"[kubernetes] default_labels: {error}") from error

    def validate(self, baymodel: Mapping[str, Any], *, for_bay: bool = True) -> list[str]:
        return [
            *(validation.bay_problems(baymodel) if for_bay else ()),
            *validation.problems(baymodel, self.labels, self.network_drivers, self.volume_drivers),
        ]

    def stack(self, bay: base.BaySpec, access: base.NodeAccess, nodes_to_remove: Sequence[str] = ()) -> base.Stack:
        everything = files.read_all(_FOLDER)
        scripts = {path.removeprefix(_SCRIPTS): text for path, text in everything.items() if path.startswith(_SCRIPTS)}
        included = {_SERVER: everything[_SERVER], "node.tar.gz.b64": files.archive(scripts, "magnum-node")}
        parameters = self._parameters(bay, access) | {"nodes_to_remove": list(nodes_to_remove)}
        tokens = {"bootstrap_token_master": access.master_token, "bootstrap_token_node": access.node_token}
        return base.Stack(
            template=everything[_TEMPLATE],
            files=included,
            parameters=parameters,
            environment={"parameter_defaults": tokens},
        )

    def outputs(self, outputs: Mapping[str, Any]) -> base.BayOutputs:
        masters, nodes = (_nodes(outputs.get(key)) for key in ("masters", "nodes"))
        address, port = outputs.get("api_address"), outputs.get("api_port")
        return base.BayOutputs(
            api_address=f"https://{address}:{port}" if address and port else "",
            master_addresses=[node.address for node in masters],
            node_addresses=[node.address for node in nodes],
            coe_version=str(outputs.get("coe_version") or ""),
            nodes=[*masters, *nodes],
        )

    def _parameters(self, bay: base.BaySpec, access: base.NodeAccess) -> dict[str, Any]:
        model = bay.baymodel
        values = self.labels.values(model.get("labels") or {})
        network_driver = networks.network_driver(model)
        ranges = networks.ranges(model, values)
        prefix = name_prefix(bay.name, bay.uuid)
        settings = _cluster_settings(prefix, model, values, network_driver)
        return {
            "bay_uuid": bay.uuid,
            "name_prefix": prefix,
            "image": model["image_id"],
            "master_flavor": model.get("master_flavor_id") or model["flavor_id"],
            "node_flavor": model["flavor_id"],
            "master_count": bay.master_count,
            "node_count": bay.node_count,
            "ssh_authorized_keys": _public_keys(access, model),
            "external_network": model.get("external_network_id") or "",
            "floating_ip_enabled": values["floating_ip_enabled"],
            "fixed_network": "" if networks.SERVERS in ranges else model["fixed_network"],
            "fixed_subnet_cidr": ranges.get(networks.SERVERS, values[networks.SERVERS]),
            "dns_nameservers": validation.split(model.get("dns_nameserver")),
            "pods_network_cidr": values["pods_network_cidr"],
            "api_port": settings.api_port,
            "docker_volume_size": model.get("docker_volume_size") or 0,
            "magnum_url": access.magnum_url,
            "magnum_ca": access.magnum_ca,
            "coe_version": values["kube_tag"],
            "kubeadm_init": kubeadm.init_config(settings),
            "kubeadm_join_master": kubeadm.join_config(settings, control_plane=True),
            "kubeadm_join_node": kubeadm.join_config(settings, control_plane=False),
            "node_settings": _node_settings(model, values, network_driver, ranges),
            "cluster_objects": _cluster_objects(network_driver, values),
            "timeout": bay.timeout,
        }


def name_prefix(bay_name: str, bay_uuid: str) -> str:
    """Return what the names of a bay's servers begin with: a DNS label from the bay's name, made unique by its uuid."""
    unique = bay_uuid.replace("-", "")[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", bay_name.lower())[: _PREFIX_LENGTH - len(unique) - 1].strip("-")
    return f"{readable}-{unique}" if readable[:1].isalpha() else f"bay-{unique}"


def _cluster_settings(
    prefix: str, model: Mapping[str, Any], values: Mapping[str, Any], network_driver: str
) -> kubeadm.ClusterSettings:
    return kubeadm.ClusterSettings(
        kube_tag=values["kube_tag"],
        cluster_name=prefix,
        api_port=model.get("apiserver_port") or _DEFAULT_PORT,
        pods_cidr=values["pods_network_cidr"],
        node_prefix_length=values["pods_network_node_prefix_length"],
        allocate_node_cidrs=network_driver != "bridge",
        services_cidr=values["service_cluster_ip_range"],
        image_repository=values["container_infra_prefix"],
        cgroup_driver=values["cgroup_driver"],
        fail_swap_on=values["fail_swap_on"],
        conntrack_max_per_core=values["conntrack_max_per_core"],
    )


def _node_settings(
    model: Mapping[str, Any], values: Mapping[str, Any], network_driver: str, ranges: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "kube_tag": values["kube_tag"],
        "kube_download_url": values["kube_download_url"],
        "image_repository": values["container_infra_prefix"],
        "cgroup_driver": values["cgroup_driver"],
        "network_driver": network_driver,
        "pods_network_cidr": values["pods_network_cidr"],
        "pods_network_node_prefix_length": values["pods_network_node_prefix_length"],
        "skipped_phases": kubeadm.skipped_phases(values["coredns_enabled"], values["preflight_enabled"]),
        "proxies": _proxies(model, ranges.values()),
    }


def _cluster_objects(network_driver: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    manifest = files.read_all(_FOLDER)[_MANIFESTS[network_driver]]
    names = ("pods_network_cidr", "flannel_prefix", "flannel_tag", "flannel_cni_tag", "flannel_backend")
    return files.objects(manifest, {name.upper(): str(values[name]) for name in names})


def _proxies(model: Mapping[str, Any], ranges: Any) -> dict[str, str]:
    proxies = {name: model[name] for name in ("http_proxy", "https_proxy") if model.get(name)}
    if proxies:
        direct = ["127.0.0.1", "localhost", ".svc", ".cluster.local", *ranges]
        proxies["no_proxy"] = ",".join([*validation.split(model.get("no_proxy")), *direct])
    return proxies


def _public_keys(access: base.NodeAccess, model: Mapping[str, Any]) -> list[str]:
    own = model.get("ssh_authorized_key")
    return [*access.ssh_authorized_keys, *([own] if own else [])]


def _nodes(output: Any) -> list[base.NodeOutput]:
    """Read a list of servers; while a stack is being built, members of it may still be missing."""
    found = [each for each in output or [] if isinstance(each, Mapping) and each.get("name")]
    names = ("name", "role", "address", "private_address", "server_id")
    return [base.NodeOutput(**{name: str(each.get(name) or "") for name in names}) for each in found]
