"""magnum-embedded: the API and a conductor in one process, with the message bus in its memory.

For one machine: no RabbitMQ is needed, and SQLite will do. In a larger cloud magnum-api and magnum-conductor run apart.
"""

import sys

from oslo_config import cfg

from magnum.api import app
from magnum.api.errors import WSGIApplication
from magnum.cmd.http import Server, load_configuration
from magnum.common import rpc
from magnum.conductor.service import Conductor


class Embedded:
    """What the one worker process consists of."""

    def __init__(self, configuration: cfg.ConfigOpts) -> None:
        self._conf = configuration
        self._conductor: Conductor | None = None

    def make(self) -> WSGIApplication:
        """Start the conductor, and make the API that speaks to it."""
        bus = rpc.transport(self._conf, rpc.IN_MEMORY)
        services = app.make_services(self._conf, bus)
        application = app.load(self._conf, services)
        self._conductor = Conductor(self._conf, services.database, bus)
        self._conductor.start()
        return application

    def finish_up(self) -> None:
        """Let the conductor begin nothing more; it still does what the API is asked meanwhile."""
        if self._conductor is not None:
            self._conductor.finish_up()

    def stop(self) -> None:
        """Let the conductor end what it has in hand."""
        if self._conductor is not None:
            self._conductor.stop()


def main() -> None:
    """Serve until told to stop."""
    configuration = load_configuration(sys.argv[1:])
    embedded = Embedded(configuration)
    Server(configuration, embedded.make, workers=1, on_term=embedded.finish_up, on_exit=embedded.stop).run()
