"""Kubernetes bays on any image that runs cloud-init."""

import ipaddress
import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from magnum.conf import CONF
from magnum.drivers import base, files
from magnum.drivers.kubernetes import kubeadm
from magnum.drivers.kubernetes.labels import SCHEMA

_FOLDER = "kubernetes"
_TEMPLATE = "cluster.yaml"
_SERVER = "server.yaml"
_SCRIPTS = "node/"
_MANIFESTS = {"flannel": "manifests/flannel.yaml", "bridge": "manifests/bridge.yaml"}
_PREFIX_LENGTH = 40
_DEFAULT_PORT = 6443
_TAKEN_PORTS = (2379, 2380, 2381, 10248, 10249, 10250, 10256, 10257, 10259)  # etcd, kubelet, proxy, controllers
_NODE_PORTS = range(30000, 32768)
_FEWEST_NODES = 2
_PROXY = re.compile(r"https?://[A-Za-z0-9._~:@%/\[\]-]+")
_NO_PROXY = re.compile(r"[A-Za-z0-9._:/*,\[\]-]+")
_NETWORK_LABELS = ("pods_network_cidr", "service_cluster_ip_range", "fixed_subnet_cidr")
_NEEDED = {"image_id": "an image", "flavor_id": "a flavor"}
_UNSUPPORTED = {
    "tls_disabled": "the API of Kubernetes is served over TLS only",
    "registry_enabled": "no registry is run in bays; use container_infra_prefix to take images from one",
}


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

    def validate(self, baymodel: Mapping[str, Any]) -> list[str]:
        labels = baymodel.get("labels") or {}
        wrong_labels = self.labels.validate(labels)
        return [
            *(
                f"A Kubernetes bay needs {what}: set {name}."
                for name, what in _NEEDED.items()
                if not baymodel.get(name)
            ),
            *(f"{name} cannot be true: {why}." for name, why in _UNSUPPORTED.items() if baymodel.get(name)),
            *_driver_problems("network_driver", baymodel, self.network_drivers),
            *_driver_problems("volume_driver", baymodel, self.volume_drivers),
            *_port_problems(baymodel.get("apiserver_port")),
            *_proxy_problems(baymodel),
            *_name_server_problems(baymodel.get("dns_nameserver")),
            *wrong_labels,
            *([] if wrong_labels else _network_problems(baymodel, self.labels.values(labels))),
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
        network_driver = _network_driver(model)
        networks = _networks(model, values)
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
            "fixed_network": "" if "fixed_subnet_cidr" in networks else model["fixed_network"],
            "fixed_subnet_cidr": networks.get("fixed_subnet_cidr", values["fixed_subnet_cidr"]),
            "dns_nameservers": _list(model.get("dns_nameserver")),
            "pods_network_cidr": values["pods_network_cidr"],
            "api_port": settings.api_port,
            "docker_volume_size": model.get("docker_volume_size") or 0,
            "magnum_url": access.magnum_url,
            "magnum_ca": access.magnum_ca,
            "coe_version": values["kube_tag"],
            "kubeadm_init": kubeadm.init_config(settings),
            "kubeadm_join_master": kubeadm.join_config(settings, control_plane=True),
            "kubeadm_join_node": kubeadm.join_config(settings, control_plane=False),
            "node_settings": _node_settings(model, values, network_driver, networks),
            "cluster_objects": _cluster_objects(network_driver, values),
            "timeout": bay.timeout,
        }


def name_prefix(bay_name: str, bay_uuid: str) -> str:
    """Return what the names of a bay's servers begin with: a DNS label from the bay's name, made unique by its uuid."""
    unique = bay_uuid.replace("-", "")[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", bay_name.lower())[: _PREFIX_LENGTH - len(unique) - 1].strip("-")
    return f"{readable}-{unique}" if readable[:1].isalpha() else f"bay-{unique}"


def _network_driver(model: Mapping[str, Any]) -> str:
    return str(model.get("network_driver") or CONF.baymodel.kubernetes_default_network_driver)


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
    model: Mapping[str, Any], values: Mapping[str, Any], network_driver: str, networks: Mapping[str, str]
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
        "proxies": _proxies(model, networks.values()),
    }


def _cluster_objects(network_driver: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    manifest = files.read_all(_FOLDER)[_MANIFESTS[network_driver]]
    names = ("pods_network_cidr", "flannel_prefix", "flannel_tag", "flannel_cni_tag", "flannel_backend")
    return files.objects(manifest, {name.upper(): str(values[name]) for name in names})


def _networks(model: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """Return the bay's address ranges by label. fixed_network may be a range instead of an existing network's name."""
    networks = {name: str(values[name]) for name in _NETWORK_LABELS}
    fixed = model.get("fixed_network")
    if fixed:
        try:
            networks["fixed_subnet_cidr"] = str(ipaddress.IPv4Network(fixed))
        except ValueError:
            del networks["fixed_subnet_cidr"]  # an existing network, whose addresses Magnum does not know
    return networks


def _network_problems(model: Mapping[str, Any], values: Mapping[str, Any]) -> list[str]:
    networks = _networks(model, values)
    pods, prefix_length = networks["pods_network_cidr"], values["pods_network_node_prefix_length"]
    room = 1 << max(prefix_length - ipaddress.IPv4Network(pods).prefixlen, 0)
    problems = _overlaps(networks)
    if room < _FEWEST_NODES:
        problems.append(
            f"pods_network_cidr {pods} has no room for parts of prefix length {prefix_length}, one for each node."
        )
    servers = networks.get("fixed_subnet_cidr")
    if servers and _network_driver(model) == "bridge" and ipaddress.IPv4Network(servers).num_addresses > room:
        problems.append(
            f"With network_driver bridge every address of {servers} has its part of pods_network_cidr, but {pods} has "
            f"only {room} of prefix length {prefix_length}; make one of the networks smaller or the other larger."
        )
    return problems


def _overlaps(networks: Mapping[str, str]) -> list[str]:
    pairs = itertools.combinations(networks.items(), 2)
    return [
        f"{name} {cidr} and {other_name} {other_cidr} overlap; choose ranges that do not."
        for (name, cidr), (other_name, other_cidr) in pairs
        if ipaddress.IPv4Network(cidr).overlaps(ipaddress.IPv4Network(other_cidr))
    ]


def _driver_problems(field: str, model: Mapping[str, Any], known: Sequence[str]) -> list[str]:
    wanted = model.get(field)
    if not wanted or wanted in known:
        return []
    remedy = f"it is one of {', '.join(known)}" if known else "leave it unset"
    return [f"{field} cannot be {wanted!r} for Kubernetes; {remedy}."]


def _port_problems(port: int | None) -> list[str]:
    if port not in _TAKEN_PORTS and port not in _NODE_PORTS:
        return []
    return [f"apiserver_port cannot be {port}: Kubernetes itself uses it on masters."]


def _proxy_problems(model: Mapping[str, Any]) -> list[str]:
    wrong = [
        f"{name} must be an http or https URL without blanks or quotes."
        for name in ("http_proxy", "https_proxy")
        if model.get(name) and not _PROXY.fullmatch(model[name])
    ]
    if model.get("no_proxy") and not _NO_PROXY.fullmatch(model["no_proxy"]):
        wrong.append("no_proxy must be hosts, domains and networks, separated by commas.")
    return wrong


def _name_server_problems(text: str | None) -> list[str]:
    for address in _list(text):
        try:
            ipaddress.ip_address(address)
        except ValueError:
            return [f"dns_nameserver {address!r} is not an IP address."]
    return []


def _proxies(model: Mapping[str, Any], networks: Any) -> dict[str, str]:
    proxies = {name: model[name] for name in ("http_proxy", "https_proxy") if model.get(name)}
    if proxies:
        direct = ["127.0.0.1", "localhost", ".svc", ".cluster.local", *networks]
        proxies["no_proxy"] = ",".join([*_list(model.get("no_proxy")), *direct])
    return proxies


def _public_keys(access: base.NodeAccess, model: Mapping[str, Any]) -> list[str]:
    own = model.get("ssh_authorized_key")
    return [*access.ssh_authorized_keys, *([own] if own else [])]


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _nodes(output: Any) -> list[base.NodeOutput]:
    """Read a list of servers; while a stack is being built, members of it may still be missing."""
    found = [each for each in output or [] if isinstance(each, Mapping) and each.get("name")]
    names = ("name", "role", "address", "private_address", "server_id")
    return [base.NodeOutput(**{name: str(each.get(name) or "") for name in names}) for each in found]
