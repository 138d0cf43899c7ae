"""What each resource has of its own; the verbs themselves are in :mod:`magnum.cli.verbs`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any


class Kind(Enum):
    """How what is typed for an option becomes a value of the request."""

    TEXT = "text"
    INTEGER = "integer"
    TRUE = "true"
    LABELS = "labels"
    MANIFEST = "manifest"


@dataclass(frozen=True)
class Option:
    """An option of a create verb and the field of the body it sets. What is not given is not sent."""

    flag: str
    field: str
    help: str
    kind: Kind = Kind.TEXT
    required: bool = False


@dataclass(frozen=True)
class Resource:
    """A resource of the API and its verbs on the command line."""

    name: str
    """What its verbs begin with."""
    title: str
    collection: str
    columns: tuple[str, ...]
    """What a list shows."""
    examples: Mapping[str, str]
    """For each verb it has, what a user may type after `magnum <name>-<verb>`."""
    options: tuple[Option, ...] = ()
    in_bay: tuple[str, ...] = ()
    """The verbs in which `--bay` says which bay is meant."""
    bay_word: bool = False
    """In those the bay may also stand as a word behind the object, as python-magnumclient 1.1.0 wrote it."""
    waits: bool = False
    """Its changes go on after they were accepted: `--wait`; and an update may be taken back: `--rollback`."""
    module: str = "magnum.cli.verbs"
    """Where the code of its verbs is."""
    pages: bool = True
    """A list of it has pages, an order and details to choose."""
    cells: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    """How a list for people writes what is too long for a table; for programs it stays as it is."""


BAYMODEL = Resource(
    name="baymodel",
    title="baymodel",
    collection="baymodels",
    columns=("uuid", "name", "coe", "image_id"),
    examples={
        "create": "--name small --coe kubernetes --image-id debian-kubernetes --flavor-id m1.small "
        "--external-network-id public --labels kube_tag=v1.30.2",
        "show": "small",
        "list": "--sort-key name",
        "update": "small replace flavor_id=m1.large",
        "delete": "small",
    },
    options=(
        Option("--name", "name", "name of the baymodel"),
        Option("--coe", "coe", "kind of cluster, such as kubernetes", required=True),
        Option("--image-id", "image_id", "image of the servers, name or id", required=True),
        Option("--keypair-id", "keypair_id", "key pair for logging in to the servers"),
        Option("--external-network-id", "external_network_id", "network that leads outside, name or id"),
        Option("--fixed-network", "fixed_network", "network to put the servers in, instead of one of their own"),
        Option("--dns-nameserver", "dns_nameserver", "address of the servers' DNS server"),
        Option("--flavor-id", "flavor_id", "flavor of the nodes"),
        Option("--master-flavor-id", "master_flavor_id", "flavor of the masters"),
        Option("--server-type", "server_type", "vm (default) or bm"),
        Option("--docker-volume-size", "docker_volume_size", "GiB of a volume for images", Kind.INTEGER),
        Option("--network-driver", "network_driver", "how containers reach each other, such as flannel"),
        Option("--volume-driver", "volume_driver", "how containers get volumes, such as cinder"),
        Option("--apiserver-port", "apiserver_port", "port of the cluster's API", Kind.INTEGER),
        Option("--http-proxy", "http_proxy", "proxy the servers use for http"),
        Option("--https-proxy", "https_proxy", "proxy the servers use for https"),
        Option("--no-proxy", "no_proxy", "names the servers reach without a proxy"),
        Option("--ssh-authorized-key", "ssh_authorized_key", "public key for logging in to the servers"),
        Option("--labels", "labels", "settings of the driver: key=value,…; may be repeated", Kind.LABELS),
        Option("--tls-disabled", "tls_disabled", "serve the cluster's API without TLS", Kind.TRUE),
        Option("--public", "public", "let every project use it (operators)", Kind.TRUE),
        Option("--registry-enabled", "registry_enabled", "run an image registry in the bay", Kind.TRUE),
    ),
)

BAY = Resource(
    name="bay",
    title="bay",
    collection="bays",
    columns=("uuid", "name", "node_count", "master_count", "status"),
    examples={
        "create": "--name web --baymodel small --node-count 2 --wait",
        "show": "web",
        "list": "--sort-key name -c name -c status",
        "update": "web replace node_count=3 --wait",
        "delete": "web --wait",
    },
    options=(
        Option("--name", "name", "name of the bay"),
        Option("--baymodel", "baymodel_id", "baymodel it is made by, name or uuid", required=True),
        Option("--node-count", "node_count", "number of nodes (default 1)", Kind.INTEGER),
        Option("--master-count", "master_count", "number of masters (default 1)", Kind.INTEGER),
        Option("--discovery-url", "discovery_url", "URL by which the masters' etcd members find each other"),
        Option("--timeout", "bay_create_timeout", "minutes until making it is given up", Kind.INTEGER),
    ),
    waits=True,
)

NODE = Resource(
    name="node",
    title="node",
    collection="nodes",
    columns=("uuid", "name", "bay_uuid", "role", "status", "addresses"),
    examples={
        "create": "--type bare --image-id debian-12",
        "show": "6f1ed1c5-9b0c-4a43-a2b3-3d9ad3a5e0b7",
        "list": "--bay web",
        "update": "6f1ed1c5-9b0c-4a43-a2b3-3d9ad3a5e0b7 replace type=virt",
        "delete": "6f1ed1c5-9b0c-4a43-a2b3-3d9ad3a5e0b7",
    },
    options=(
        Option("--type", "type", "kind of a node registered by hand: virt or bare"),
        Option("--image-id", "image_id", "image it runs"),
        Option("--ironic-node-id", "ironic_node_id", "uuid of the machine in Ironic"),
    ),
    in_bay=("list", "show", "update", "delete"),
)

CONTAINER = Resource(
    name="container",
    title="container",
    collection="containers",
    columns=("uuid", "name", "image", "status", "bay_uuid"),
    examples={
        "create": "--name web --image nginx --bay swarm --command 'nginx -g \"daemon off;\"' --memory 512m",
        "show": "web",
        "list": "--bay swarm",
        "delete": "web",
        "start": "web",
        "stop": "web",
        "reboot": "web",
        "pause": "web",
        "unpause": "web",
        "logs": "web",
        "exec": "web --command 'ls -l /'",
        "execute": "web --command 'ls -l /'",
    },
    options=(
        Option("--name", "name", "name of the container"),
        Option("--image", "image", "image it runs"),
        Option("--bay", "bay_uuid", "bay to put it in, name or uuid"),
        Option("--command", "command", "what to run in it, instead of what its image says"),
        Option("--memory", "memory", "memory it may use, such as 512m (units b, k, m, g)"),
    ),
    in_bay=("list",),
    module="magnum.cli.containers",
)

MSERVICE = Resource(
    name="mservice",
    title="Magnum service",
    collection="mservices",
    columns=("id", "host", "binary", "state", "disabled", "disabled_reason", "updated_at"),
    examples={"list": "-c host -c state"},
    pages=False,
)


def _manifest_options(title: str) -> tuple[Option, ...]:
    return (
        Option("--bay", "bay_uuid", f"bay to put the {title} in, name or uuid", required=True),
        Option("--manifest", "manifest", "file with the manifest, YAML or JSON; - is the input", Kind.MANIFEST),
        Option("--manifest-url", "manifest_url", "http(s) URL of the manifest", Kind.MANIFEST),
    )


def _workload(name: str, title: str, collection: str, columns: tuple[str, ...], example: str) -> Resource:
    """A resource made from a manifest in a bay."""
    return Resource(
        name=name,
        title=title,
        collection=collection,
        columns=("uuid", "name", "bay_uuid", *columns),
        examples={
            "create": f"--bay web --manifest {example}.yaml",
            "show": f"{example} --bay web",
            "list": "--bay web",
            "update": f"{example} --bay web replace manifest={example}.yaml",
            "delete": f"{example} --bay web",
        },
        options=_manifest_options(title),
        in_bay=("list", "show", "update", "delete"),
        bay_word=True,
    )


def _ports(value: Any) -> str:
    """Ports of a service, short: 80:30080/TCP is port 80, also reached by port 30080 of every node."""
    return ", ".join(map(_port, value)) if isinstance(value, list) else str(value)


def _port(port: Any) -> str:
    if not isinstance(port, dict):
        return str(port)
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port')}{node}/{port.get('protocol') or 'TCP'}"


POD = _workload("pod", "pod", "pods", ("status", "host"), "redis")
RC = _workload("rc", "replication controller", "rcs", ("replicas", "images"), "frontend")
COE_SERVICE = replace(
    _workload("coe-service", "Kubernetes service", "services", ("ip", "ports"), "frontend"), cells={"ports": _ports}
)
SERVICE = replace(COE_SERVICE, name="service")
"""What the first command line, 0.2.1, called it."""

RESOURCES = {
    resource.name: resource for resource in (BAYMODEL, BAY, NODE, POD, RC, COE_SERVICE, SERVICE, CONTAINER, MSERVICE)
}
