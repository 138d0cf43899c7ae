"""Options of no group: who this process is."""

import socket

from oslo_config import cfg

GROUP = None

OPTS = [
    cfg.HostAddressOpt(
        "host",
        default=socket.gethostname(),
        sample_default="the host's name",
        help="Name of this host among the conductors.",
    ),
]
