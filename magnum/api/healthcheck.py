"""`GET /healthcheck`: oslo.middleware's, on that one path and for those who only look."""

from collections.abc import Callable, Iterable
from typing import Any

from oslo_middleware import healthcheck

from magnum.api.errors import MethodNotAllowed, StartResponse, WSGIApplication

_PATH = "/healthcheck"
_METHODS = ("GET", "HEAD")


class Healthcheck:
    """WSGI middleware that answers for the whole API whether it is well."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._check: WSGIApplication = healthcheck.Healthcheck(application)

    @classmethod
    def factory(cls, _global_conf: dict[str, str], **_local_conf: str) -> Callable[[WSGIApplication], "Healthcheck"]:
        """For paste.deploy."""
        return cls

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != _PATH:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] not in _METHODS:
            raise MethodNotAllowed(f"The method {environ['REQUEST_METHOD']} is not for {_PATH}.", _METHODS)
        return self._check(environ, start_response)
