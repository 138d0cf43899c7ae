"""The API for any WSGI server: ``magnum.wsgi.api:application``.

The configuration is read from the usual places (``/etc/magnum/magnum.conf``), or from the file that the environment
variable MAGNUM_CONFIG_FILE names.
"""

import os
import threading
from collections.abc import Iterable
from typing import Any

from oslo_log import log

from magnum import conf
from magnum.api import app
from magnum.api.errors import StartResponse, WSGIApplication

_FILE_VARIABLE = "MAGNUM_CONFIG_FILE"


class _Application:
    """The application, made when the first request comes: importing this module does nothing, and a server that forks
    after importing it gives each of its processes connections of their own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: WSGIApplication | None = None

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        with self._lock:
            if self._made is None:
                self._made = _make()
        return self._made(environ, start_response)


def _make() -> WSGIApplication:
    named = os.environ.get(_FILE_VARIABLE)
    configuration = conf.load(files=[named] if named else None)
    log.setup(configuration, "magnum")
    return app.load(configuration, app.make_services(configuration))


application = _Application()
