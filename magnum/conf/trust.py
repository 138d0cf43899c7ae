"""The user through which Magnum acts for a bay in its project."""

from oslo_config import cfg

GROUP = "trust"

OPTS = [
    cfg.StrOpt("trustee_domain_name", default="magnum", help="Domain in which a user is made for each bay."),
    cfg.ListOpt("roles", default=["member"], help="Roles that user gets in the bay's project."),
]
