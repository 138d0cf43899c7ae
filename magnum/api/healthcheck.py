"""`GET /healthcheck`: oslo.middleware's, on that one path and for those who only look; 503 where no database is."""

from collections.abc import Callable, Iterable
from typing import Any

from oslo_middleware import healthcheck

from magnum.api.errors import MethodNotAllowed, StartResponse, WSGIApplication
from magnum.api.loading import loading_services
from magnum.common.exception import Unavailable
from magnum.db.health import DatabaseHealth
from magnum.db.session import Database

PATH = "/healthcheck"
_METHODS = ("GET", "HEAD")


class Healthcheck:
    """WSGI middleware that answers for the whole API whether it is well."""

    def __init__(self, application: WSGIApplication, database: Database) -> None:
        self._application = application
        self._database = DatabaseHealth(database)
        self._check: WSGIApplication = healthcheck.Healthcheck(application)

    @classmethod
    def factory(cls, _global_conf: dict[str, str], **_local_conf: str) -> Callable[[WSGIApplication], "Healthcheck"]:
        """For paste.deploy."""
        database = loading_services().database
        return lambda application: cls(application, database)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            return self._application(environ, start_response)
        if environ["REQUEST_METHOD"] not in _METHODS:
            raise MethodNotAllowed(f"The method {environ['REQUEST_METHOD']} is not for {PATH}.", _METHODS)
        problem = self._database.problem()
        if problem is not None:
            raise Unavailable(problem)
        return self._check(environ, start_response)
