"""The HTTP server of the API: gunicorn with workers of our own, set up from the configuration."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gunicorn.app.base import BaseApplication
from oslo_config import cfg
from oslo_log import log

from magnum import conf
from magnum.api.errors import WSGIApplication
from magnum.certificates.authority import Authority
from magnum.certificates.storage import KeyProblem
from magnum.cmd.figures import Figures
from magnum.cmd.leaving import leave
from magnum.cmd.worker import ApiWorker

_GRACE_SECONDS = 30
_SILENCE_SECONDS = 120


def load_configuration(arguments: Sequence[str]) -> cfg.ConfigOpts:
    """Read the configuration and set up logging; ends the process with a sentence where no API can run with it."""
    configuration = conf.load(arguments)
    log.setup(configuration, "magnum")
    try:
        Authority(configuration)
    except KeyProblem as error:
        sys.exit(str(error))
    return configuration


class Server(BaseApplication):
    """Serves what each worker process makes for itself.

    :param make: makes the application in a worker, after the fork
    :param on_term: called in a worker that is told to end, and answers what it has before it does
    :param on_exit: called in a worker at its end
    """

    def __init__(
        self,
        configuration: cfg.ConfigOpts,
        make: Callable[[], WSGIApplication],
        workers: int,
        on_term: Callable[[], None] = lambda: None,
        on_exit: Callable[[], None] = lambda: None,
    ) -> None:
        self._conf = configuration
        self._make = make
        self._workers = workers
        self.on_term = on_term
        self._on_exit = on_exit
        self._figures = Figures(configuration, "api_port", forks=True)
        super().__init__()

    @property
    def options(self) -> cfg.ConfigOpts.GroupAttr:
        """Those of the API, as its workers need them."""
        return self._conf.api

    def load_config(self) -> None:
        options = self.options
        settings: dict[str, Any] = {
            "bind": f"[{options.host}]:{options.port}" if ":" in options.host else f"{options.host}:{options.port}",
            "workers": self._workers,
            "worker_class": ApiWorker,
            "graceful_timeout": _GRACE_SECONDS,
            "timeout": _SILENCE_SECONDS,
            "control_socket_disable": True,
            "accesslog": "-",
            "worker_exit": self._exited,
            "on_exit": self._ended,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        application = self._make()
        self._figures.serve()
        return application

    def _exited(self, _server: Any, worker: Any) -> None:
        if worker.pid != os.getpid():  # gunicorn's first process says so too, of one that is gone
            return
        ending = sys.exc_info()[1]
        code = ending.code if isinstance(ending, SystemExit) and isinstance(ending.code, int) else 1
        for number in (signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)  # it ends already
        try:
            self._on_exit()
        finally:
            leave(code)

    def _ended(self, _server: Any) -> None:
        self._figures.remove()
