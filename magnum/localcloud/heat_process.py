"""heat-api and heat-engine in one process, on oslo.messaging's in-memory bus. Runs in Heat's own environment.

    python -P heat_process.py --config-file FILE ADDRESS PORT

Two processes would need a message broker between them, which costs more memory than both. Heat's parts are used as they
are: its engine service is started here rather than by a launcher that forks, its WSGI application served by waitress.
"""

# ruff: noqa: E402 - the threading backend has to be chosen before anything of Heat is imported

import os
import signal
import sys
import threading

from oslo_service import backend

backend.init_backend(backend.BackendType.THREADING)

import waitress
from heat.common import config, messaging
from heat.engine import service as engine_service
from heat.engine import template
from heat.rpc import api as rpc_api
from oslo_config import cfg
from oslo_log import log as logging

_API_THREADS = 16
_ENGINE_STOP_SECONDS = 5.0


def main(config_file: str, address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    conf = cfg.CONF
    logging.register_options(conf)
    conf(["--config-file", config_file], project="heat", prog="heat-api")  # the name of the pipeline, too
    logging.setup(conf, "heat")
    config.set_config_defaults()
    messaging.setup()
    config.startup_sanity_check()
    template._get_template_extension_manager()

    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())

    engine = engine_service.EngineService(conf.host, rpc_api.ENGINE_TOPIC)
    engine.start()
    server = waitress.create_server(config.load_paste_app(), host=address, port=port, threads=_API_THREADS)
    threading.Thread(target=server.run, name="heat-api", daemon=True).start()
    stopping.wait()
    server.close()
    # The engine waits for stacks in progress, which can be long; they go on from the database at the next start.
    stopper = threading.Thread(target=engine.stop, name="engine-stop", daemon=True)
    stopper.start()
    stopper.join(_ENGINE_STOP_SECONDS)
    logging.getLogger("heat").info("Stopped")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # threads of the engine's pools would keep the interpreter waiting


if __name__ == "__main__":
    try:
        main(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    except Exception:  # noqa: BLE001 - whatever it was, it is logged and ends the process
        logging.getLogger("heat").exception("Heat cannot start")
        os._exit(1)  # as above: threads that were started would keep a failed process alive
