"""Options of bays in general."""

from oslo_config import cfg

GROUP = "bay"

OPTS = [
    cfg.IntOpt(
        "create_timeout",
        default=60,
        min=0,
        help="Minutes a bay may take to build or to change where the request says nothing; 0 means no limit.",
    ),
    cfg.IntOpt("delete_timeout", default=60, min=1, help="Minutes a bay may take to be deleted."),
    cfg.IntOpt("drain_timeout", default=60, min=0, help="Seconds given to the pods of a node that is to go."),
    cfg.IntOpt(
        "cleanup_timeout",
        default=300,
        min=0,
        help="Seconds given to the Kubernetes of a bay that is deleted to remove the load balancers and volumes it "
        "made.",
    ),
    cfg.IntOpt(
        "retention_days",
        default=30,
        min=0,
        help="Days for which the events and operations of a bay that is gone are kept; 0 keeps them for ever.",
    ),
    cfg.URIOpt(
        "magnum_url",
        help="URL of this API as nodes reach it. Where unset, the public endpoint of the catalog is used.",
    ),
    cfg.StrOpt(
        "openstack_ca_file",
        default="",
        help="CA bundle with which nodes verify the API; empty for what their image trusts.",
    ),
    cfg.IntOpt("bootstrap_token_ttl", default=7200, min=60, help="Seconds a node's bootstrap token is good for."),
]
