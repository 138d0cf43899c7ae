"""How long requests take, and how they are answered, by route."""

from collections.abc import Iterable
from typing import Any

from magnum.api.errors import MethodNotAllowed, StartResponse, WSGIApplication
from magnum.api.healthcheck import PATH as HEALTHCHECK
from magnum.api.routes import RouteTable, all_routes, decoded_path
from magnum.common import metrics
from magnum.common.exception import Invalid, NotFound

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_OTHER = "other"


class RequestTimes:
    """WSGI middleware in front of all else. What a client made up, path or method, is one label: other."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._table = RouteTable(all_routes())

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        labels = {"route": self._route(environ), "method": method if method in _METHODS else _OTHER, "status": "500"}

        def started(status: str, *rest: Any) -> Any:
            labels["status"] = status.split(" ", 1)[0]
            return start_response(status, *rest)

        with metrics.timed(metrics.REQUESTS) as told:
            try:
                return self._application(environ, started)
            finally:
                told |= labels

    def _route(self, environ: dict[str, Any]) -> str:
        try:
            path = decoded_path(environ)
            return HEALTHCHECK if path == HEALTHCHECK else self._table.find(environ["REQUEST_METHOD"], path)[0].path
        except (NotFound, MethodNotAllowed, Invalid):
            return _OTHER
