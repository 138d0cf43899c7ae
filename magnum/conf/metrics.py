"""Figures of the services for Prometheus."""

from oslo_config import cfg

GROUP = "metrics"

OPTS = [
    cfg.BoolOpt("enabled", default=False, help="Keep figures, and let Prometheus fetch them from a port of their own."),
    cfg.HostAddressOpt(
        "host",
        default="127.0.0.1",
        help="Address to listen on for Prometheus. Whoever reaches it needs no token.",
    ),
    cfg.PortOpt("api_port", default=9512, help="Port of magnum-api (all its workers) and of magnum-embedded."),
    cfg.PortOpt("conductor_port", default=9513, help="Port of magnum-conductor."),
]
