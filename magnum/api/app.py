"""The WSGI application: Pecan around the table of routes, and the paste pipeline around Pecan."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pecan
from oslo_config import cfg
from paste import deploy
from webob import Response
from webob.multidict import NoVars

from magnum.api.call import EMPTY, Answer, Call, Services, dump
from magnum.api.errors import WSGIApplication
from magnum.api.loading import loading_services, loading_with
from magnum.api.routes import RouteTable, all_routes, decoded_path
from magnum.api.timing import RequestTimes
from magnum.certificates.authority import Authority
from magnum.clients.keystone import Keystone
from magnum.common import metrics, rpc
from magnum.db.session import Database
from magnum.drivers.base import load_drivers
from magnum.policies.enforcer import Enforcer

_DEFAULT_PIPELINE = Path(__file__).parent / "api-paste.ini"


class ApiRequest(pecan.Request):
    """Pecan spreads query and body over the arguments of a controller, before that runs. Ours takes the request itself,
    so Pecan finds nothing to spread, and no strange body can break what it does.
    """

    @property
    def json(self) -> Any:
        return {}

    @property
    def GET(self) -> Any:  # noqa: N802 - WebOb's name
        return NoVars("handlers read the request themselves")

    @property
    def params(self) -> Any:
        return NoVars("handlers read the request themselves")


class Root:
    """The only controller Pecan knows; the table of routes finds the handler."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._table = RouteTable(all_routes())

    @pecan.expose()
    def _route(self, _segments: list[str], request: pecan.Request) -> tuple[Callable[..., Response], list[str]]:
        request.pecan["content_type"] = "application/json"  # the one form there is, whatever is accepted
        return self.answer, []

    @pecan.expose(content_type="application/json")
    def answer(self, request: pecan.Request, _response: pecan.Response) -> Response:
        """Have the handler of the request answer it."""
        route, arguments = self._table.find(request.method, decoded_path(request.environ))
        call = Call(self._services, request, arguments, route.query)
        call.query  # noqa: B018 - a query that is wrong is refused whatever the handler
        return _response_to(route.handler(call))


def _response_to(answer: Answer) -> Response:
    response = Response(status=answer.status, content_type="application/json", charset="UTF-8")
    if answer.body is EMPTY:
        del response.content_type
    else:
        response.body = dump(answer.body)
    response.headers.update(answer.headers)
    return response


def make_services(conf: cfg.ConfigOpts, bus: Any = None) -> Services:
    """What handlers work with.

    :param bus: the transport to the conductors; that of the configuration unless given
    """
    database = Database(conf)
    return Services(
        conf=conf,
        database=database,
        conductor=rpc.ConductorClient(conf, bus or rpc.transport(conf)),
        enforcer=Enforcer(conf),
        authority=Authority(conf),
        keystone=Keystone(conf),
        drivers=load_drivers(),
    )


def make_app(services: Services) -> WSGIApplication:
    """The application itself, without what stands in front of it."""
    application: WSGIApplication = pecan.make_app(
        Root(services),
        request_cls=ApiRequest,
        use_context_locals=False,
        guess_content_type_from_ext=False,
        default_renderer="json",
    )
    return application


def app_factory(_global_conf: dict[str, str], **_local_conf: str) -> WSGIApplication:
    """For paste.deploy."""
    return make_app(loading_services())


def load(conf: cfg.ConfigOpts, services: Services) -> WSGIApplication:
    """The application behind the pipeline of the operator's paste file, or of ours where there is none."""
    path = conf.find_file(conf.api.api_paste_config) or str(_DEFAULT_PIPELINE)
    with loading_with(services):
        application: WSGIApplication = deploy.loadapp(f"config:{Path(path).resolve()}")
    return RequestTimes(application) if metrics.started() else application
