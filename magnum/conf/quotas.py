"""How much a project may have."""

from oslo_config import cfg

GROUP = "quotas"

OPTS = [
    cfg.IntOpt(
        "max_bays_per_project",
        default=20,
        min=-1,
        help="Bays a project may have, those being deleted included; -1 for any number. A row of the table quotas "
        "(project_id, resource Bay, hard_limit) overrides it for a project.",
    ),
]
