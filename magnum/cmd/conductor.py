"""magnum-conductor: the process that works on bays."""

import signal
import sys
import threading

from oslo_log import log

from magnum import conf as configuration
from magnum.certificates.storage import KeyProblem
from magnum.cmd.figures import Figures
from magnum.cmd.leaving import leave
from magnum.common import rpc
from magnum.conductor.service import Conductor
from magnum.db.session import Database


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    conf = configuration.load(sys.argv[1:])
    log.setup(conf, "magnum")
    asked_to_stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked_to_stop.set())
    figures = Figures(conf, "conductor_port", forks=False)
    try:
        conductor = Conductor(conf, Database(conf), rpc.transport(conf))
    except KeyProblem as problem:
        sys.exit(f"magnum-conductor: {problem}")
    conductor.start()
    figures.serve()
    asked_to_stop.wait()
    conductor.stop()
    leave(0)  # what its threads have in hand was handed over


if __name__ == "__main__":
    main()
