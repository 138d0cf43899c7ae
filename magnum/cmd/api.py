"""magnum-api: the REST API as a service of its own."""

import sys

from oslo_log import log

from magnum import conf
from magnum.api import app
from magnum.cmd.http import Server


def main() -> None:
    """Serve until told to stop."""
    configuration = conf.load(sys.argv[1:])
    log.setup(configuration, "magnum")
    Server(
        configuration,
        lambda: app.load(configuration, app.make_services(configuration)),
        workers=configuration.api.workers,
    ).run()
