"""How Kubernetes bays are built and spoken to."""

from oslo_config import cfg

GROUP = "kubernetes"

OPTS = [
    cfg.IntOpt("request_timeout", default=10, min=1, help="Seconds one call to a bay's API may take."),
    cfg.IntOpt(
        "health_interval",
        default=30,
        min=0,
        help="Seconds between two looks at the health of a bay: its API and its nodes. 0 means that nobody looks.",
    ),
    cfg.IntOpt("calls_per_bay", default=4, min=1, help="Calls at once to one bay from one conductor."),
    cfg.DictOpt(
        "default_labels",
        default={},
        help="Labels that bays get unless their baymodel sets them, as name:value pairs: for example kube_tag, or "
        "container_infra_prefix for a mirror. They replace the defaults of the driver's own schema.",
    ),
]
