"""The process: Heat's API on one port, orders on another one of loopback.

python -m magnum.localcloud.heat_stand_in --keystone http://127.0.0.1:5000/v3 --port 8004 --control-port 8005
"""

import argparse
import signal
import threading
from pathlib import Path

from magnum.localcloud.heat_stand_in.api import Api
from magnum.localcloud.heat_stand_in.control import Control
from magnum.localcloud.heat_stand_in.server import Server, troubled
from magnum.localcloud.heat_stand_in.store import Store
from magnum.localcloud.heat_stand_in.tokens import Tokens
from magnum.localcloud.heat_stand_in.trouble import Trouble

_LOOPBACK = "127.0.0.1"


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    options = _parser().parse_args()
    store = Store(options.state)
    trouble = Trouble(store.keep_orders, store.orders())
    api = Api(store, trouble, Tokens(options.keystone))
    servers = [
        Server((options.address, options.port), troubled(api.answer, trouble)),
        Server((_LOOPBACK, options.control_port), Control(store, trouble).answer),
    ]
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"A Heat that plays: http://{options.address}:{options.port}", flush=True)
    print(f"Orders: http://{_LOOPBACK}:{options.control_port}", flush=True)
    stopping.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("heat-stand-in", description="A Heat that only plays, for tests and measurements.")
    parser.add_argument("--keystone", required=True, metavar="URL", help="Keystone's API v3, which knows the tokens")
    parser.add_argument("--address", default=_LOOPBACK, help="where Heat's API listens (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8004, help="its port (default: %(default)s)")
    parser.add_argument(
        "--control-port", type=int, default=8005, metavar="PORT", help="where orders are taken (default: %(default)s)"
    )
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="SQLite file that keeps all of it (default: memory alone)"
    )
    return parser


if __name__ == "__main__":
    main()
