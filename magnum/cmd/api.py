"""magnum-api: the REST API as a service of its own."""

import sys

from magnum.api import app
from magnum.cmd.http import Server, load_configuration


def main() -> None:
    """Serve until told to stop."""
    configuration = load_configuration(sys.argv[1:])
    Server(
        configuration,
        lambda: app.load(configuration, app.make_services(configuration)),
        workers=configuration.api.workers,
    ).run()
