"""What baymodels may ask for, and what they get by default."""

from oslo_config import cfg

GROUP = "baymodel"

OPTS = [
    cfg.ListOpt(
        "kubernetes_allowed_network_drivers",
        default=["all"],
        help="Network drivers that Kubernetes baymodels may name; 'all' for each that the driver knows.",
    ),
    cfg.StrOpt(
        "kubernetes_default_network_driver",
        default="flannel",
        help="Network driver of a Kubernetes baymodel that names none.",
    ),
]
