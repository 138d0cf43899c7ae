"""The labels of Kubernetes bays. An operator changes defaults with ``[kubernetes] default_labels``."""

from magnum.drivers.labels import Label, LabelSchema

SCHEMA = LabelSchema(
    [
        Label(
            "kube_tag",
            "string",
            "v1.34.2",
            "Release of Kubernetes. Where the image carries another, nodes download this one.",
            pattern=r"v1\.(1[5-9]|[2-9][0-9])\.[0-9]{1,3}",
            expects="a release from v1.15.0 on, such as v1.34.2",
        ),
        Label(
            "kube_download_url",
            "url",
            "https://dl.k8s.io/release",
            "Where nodes find what their image does not carry: kubeadm and kubelet, in URL/KUBE_TAG/bin/linux/ARCH/.",
        ),
        Label(
            "container_infra_prefix",
            "registry",
            "registry.k8s.io",
            "Registry, and path in it, of the images of Kubernetes.",
        ),
        Label("pods_network_cidr", "cidr", "10.100.0.0/16", "Addresses of pods.", minimum=8, maximum=24),
        Label(
            "pods_network_node_prefix_length",
            "integer",
            "24",
            "Prefix length of each node's part of pods_network_cidr.",
            minimum=17,
            maximum=28,
        ),
        Label(
            "service_cluster_ip_range",
            "cidr",
            "10.254.0.0/16",
            "Cluster addresses of services.",
            minimum=12,  # the largest that kubeadm takes
            maximum=24,
        ),
        Label(
            "fixed_subnet_cidr",
            "cidr",
            "10.0.0.0/24",
            "Addresses of the servers, in the network that is made for the bay.",
            minimum=8,
            maximum=28,
        ),
        Label("floating_ip_enabled", "boolean", "true", "Give servers and API floating IPs of the external network."),
        Label(
            "flannel_backend",
            "choice",
            "vxlan",
            "How flannel carries packets between nodes.",
            choices=("vxlan", "host-gw"),
        ),
        Label("flannel_tag", "string", "v0.27.4", "Release of flannel."),
        Label("flannel_cni_tag", "string", "v1.8.0-flannel1", "Release of flannel's CNI plugin."),
        Label(
            "flannel_prefix",
            "registry",
            "ghcr.io/flannel-io",
            "Registry, and path in it, of flannel's images.",
        ),
        Label("coredns_enabled", "boolean", "true", "Resolve the names of services with CoreDNS."),
        Label(
            "preflight_enabled",
            "boolean",
            "true",
            "Have kubeadm check each node first. Off for nodes that are themselves containers.",
        ),
        Label(
            "cgroup_driver",
            "choice",
            "systemd",
            "Who manages the cgroups of pods; cgroupfs where systemd cannot.",
            choices=("systemd", "cgroupfs"),
        ),
        Label("fail_swap_on", "boolean", "true", "Whether kubelet refuses to start on a node with swap."),
        Label(
            "conntrack_max_per_core",
            "integer",
            "32768",
            "Connections tracked per core, set by kube-proxy; 0 leaves the node's setting alone.",
        ),
    ]
)
