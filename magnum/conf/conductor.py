"""Options of the conductor."""

from oslo_config import cfg

GROUP = "conductor"

OPTS = [
    cfg.StrOpt("topic", default="magnum-conductor", help="Topic on the message bus."),
    cfg.IntOpt("rpc_threads", default=32, min=1, help="Calls served at once by one conductor."),
    cfg.IntOpt("rpc_timeout", default=30, min=1, help="Seconds the API waits for an answer of a conductor."),
    cfg.IntOpt(
        "workers",
        default=16,
        min=1,
        help="Operations worked on at once by one conductor; those of one project get at most a quarter of them.",
    ),
    cfg.FloatOpt("sweep_interval", default=1.0, min=0.1, help="Seconds between two sweeps for due operations."),
    cfg.FloatOpt("poll_interval", default=1.0, min=0.1, help="Seconds between two looks at a stack in progress."),
    cfg.IntOpt(
        "lease",
        default=30,
        min=5,
        help="Seconds after which another conductor takes over an operation whose owner is silent. An owner at work "
        "renews its lease three times in this time.",
    ),
    cfg.IntOpt(
        "drift_interval",
        default=60,
        min=0,
        help="Seconds between two looks at the stacks of bays that nobody works on, for what others did to them in "
        "Heat. 0 means that nobody looks.",
    ),
    cfg.IntOpt("heartbeat_interval", default=20, min=1, help="Seconds between two heartbeats of a conductor."),
    cfg.IntOpt("service_down_time", default=180, min=1, help="Seconds of silence after which a conductor is down."),
]
