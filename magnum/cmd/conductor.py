"""magnum-conductor: the process that works on bays."""

import logging
import os
import signal
import sys
import threading

from oslo_log import log

from magnum import conf as configuration
from magnum.certificates.storage import KeyProblem
from magnum.cmd.figures import Figures
from magnum.common import rpc
from magnum.conductor.service import Conductor
from magnum.db.session import Database


def main() -> int:
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
        print(f"magnum-conductor: {problem}", file=sys.stderr)
        return 1
    conductor.start()
    figures.serve()
    asked_to_stop.wait()
    conductor.stop()
    # Python would wait for threads that wait for others; what they had in hand was handed over.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
