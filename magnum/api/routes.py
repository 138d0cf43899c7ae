"""The one table of routes: which handler answers which method on which path, and who may knock there at all.

A path is compared segment by segment: without its version it means version 1, a slash at its end means nothing, and
``{name}`` stands for any segment. Where a path that is written out fits, others count for nothing, whatever the method.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from magnum.api.call import Answer, Call
from magnum.api.controller import ResourceController
from magnum.api.errors import MethodNotAllowed
from magnum.api.openapi import SHAPE, Description
from magnum.api.resources import certificates
from magnum.api.resources.baymodels import BayModels
from magnum.api.resources.bays import ACCEPTED, EVENT_PARAMETERS, EVENTS, Bays
from magnum.api.resources.certificates import Certificates
from magnum.api.resources.containers import COMMAND, DONE, OUTPUT, Containers
from magnum.api.resources.discovery import Discovery
from magnum.api.resources.mservices import LISTED, MServices
from magnum.api.resources.nodes import Nodes
from magnum.api.resources.workloads import Pods, ReplicationControllers, Services
from magnum.api.shapes import Changes, Document, Listing, Object, Parameter, Reply
from magnum.common.exception import Invalid, NotFound

Handler = Callable[[Call], Answer]

_VERSION = "v1"


class Access(Enum):
    """Who may knock."""

    TENANT = "a Keystone token"
    NODE = "a Keystone token, or a node's bootstrap token"
    ANYBODY = "nothing"


@dataclass(frozen=True)
class Route:
    """A method on a path.

    :param query: what may stand behind the question mark; anything else there is refused
    :param body: what is sent, where anything is
    :param replies: how it is answered when all is well
    """

    method: str
    path: str
    handler: Handler
    access: Access = Access.TENANT
    query: tuple[Parameter, ...] = ()
    body: Document | Changes | None = None
    replies: tuple[Reply, ...] = ()

    @property
    def segments(self) -> tuple[str, ...]:
        return tuple(segment for segment in self.path.split("/") if segment)


def _resource(controller: ResourceController[Any], *, in_bay: bool = False) -> list[Route]:
    collection = f"/v1/{controller.plural}"
    items = [f"{collection}/{{ident}}"]
    if in_bay:
        items.append(f"{collection}/{{ident}}/{{bay_ident}}")  # as the clients of 2015 name the bay
    whole, filters = Object(controller.fields), controller.filters
    lists = controller.list_parameters()
    short = Listing(controller.plural, Object(controller.fields, controller.short))
    full = Listing(controller.plural, whole)
    created, changed = controller.replies_to_create(), controller.replies_to_update()
    document, patch = Document(controller.fields, controller.any_of), Changes(controller.fields, controller.any_of)
    update_query = (*filters, *controller.update_parameters)
    return [
        Route("GET", collection, controller.list, query=lists, replies=(Reply(200, short),)),
        Route("GET", f"{collection}/detail", controller.detail, query=lists, replies=(Reply(200, full),)),
        Route("POST", collection, controller.create, body=document, replies=created),
        *(Route("GET", path, controller.show, query=filters, replies=(Reply(200, whole),)) for path in items),
        *(Route("PATCH", path, controller.update, query=update_query, body=patch, replies=changed) for path in items),
        *(Route("DELETE", path, controller.delete, query=filters, replies=(Reply(204),)) for path in items),
    ]


def _container_actions(containers: Containers) -> list[Route]:
    item, query = "/v1/containers/{ident}", containers.filters
    actions = [containers.start, containers.stop, containers.reboot, containers.pause, containers.unpause]
    executed = (COMMAND, *query)
    return [
        *(Route("PUT", f"{item}/{act.__name__}", act, query=query, replies=DONE) for act in actions),
        Route("GET", f"{item}/logs", containers.logs, query=query, replies=OUTPUT),
        Route("PUT", f"{item}/execute", containers.execute, query=executed, replies=OUTPUT),
    ]


def all_routes() -> list[Route]:
    """Every route of the API."""
    bays, containers, signing = Bays(), Containers(), Certificates()
    certificate = "/v1/certificates/{ident}"
    found = [
        *_resource(BayModels()),
        *_resource(bays),
        Route("GET", "/v1/bays/{ident}/events", bays.events, query=EVENT_PARAMETERS, replies=EVENTS),
        Route("POST", "/v1/bays/{ident}/actions/retry", bays.retry, replies=ACCEPTED),
        Route("POST", "/v1/bays/{ident}/actions/rollback", bays.rollback, replies=ACCEPTED),
        *_resource(Nodes()),
        *_resource(Pods(), in_bay=True),
        *_resource(Services(), in_bay=True),
        *_resource(ReplicationControllers(), in_bay=True),
        *_resource(containers),
        *_container_actions(containers),
        Route("GET", "/v1/mservices", MServices().list, replies=LISTED),
        Route(
            "POST",
            "/v1/certificates",
            signing.sign,
            Access.NODE,
            body=Document(certificates.CertificateFields, any_of=("bay_uuid", "cluster_uuid")),
            replies=certificates.SIGNED,
        ),
        Route("GET", certificate, signing.show, Access.NODE, replies=certificates.SHOWN),
        Route(
            "GET",
            f"{certificate}/control-plane",
            signing.control_plane,
            Access.NODE,
            replies=certificates.CONTROL_PLANE,
        ),
    ]
    discovery = Discovery(list(dict.fromkeys(route.segments[1] for route in found)))
    description = Description(all_routes)
    return [
        Route("GET", "/", discovery.root, Access.ANYBODY, replies=(Reply(200, discovery.root_shape()),)),
        Route("GET", "/v1", discovery.v1, Access.ANYBODY, replies=(Reply(200, discovery.v1_shape()),)),
        Route("GET", "/v1/openapi.json", description.describe, Access.ANYBODY, replies=(Reply(200, SHAPE),)),
        *found,
    ]


class RouteTable:
    """Finds routes."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_collection: dict[tuple[str, ...], list[Route]] = {}
        for route in sorted(routes, key=lambda route: route.path.count("{")):
            self._by_collection.setdefault(route.segments[:2], []).append(route)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route of a request, and what stands in its path for each name.

        :raises NotFound: there is no such path
        :raises MethodNotAllowed: there is, but not with this method
        """
        segments = _segments(path)
        wanted = "GET" if method == "HEAD" else method
        fitting = [
            (route, arguments)
            for route in self._by_collection.get(segments[:2], [])
            if (arguments := _match(route.segments, segments)) is not None
        ]
        if not fitting:
            raise NotFound(f"There is no resource at {path[:200]}.")
        closest = len(fitting[0][1])
        fitting = [(route, arguments) for route, arguments in fitting if len(arguments) == closest]
        for route, arguments in fitting:
            if route.method == wanted:
                return route, arguments
        allowed = {route.method for route, _ in fitting}
        raise MethodNotAllowed(f"{path[:200]} does not take {method[:20]}, but {', '.join(sorted(allowed))}.", allowed)


def _segments(path: str) -> tuple[str, ...]:
    segments = tuple(path.strip("/").split("/")) if path.strip("/") else ()
    return (_VERSION, *segments) if segments and segments[0] != _VERSION else segments


def _match(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    if len(pattern) != len(segments):
        return None
    arguments = {}
    for expected, given in zip(pattern, segments, strict=True):
        if expected.startswith("{") and given:
            arguments[expected[1:-1]] = given
        elif expected != given:
            return None
    return arguments


def decoded_path(environ: dict[str, Any]) -> str:
    """The path of a request, as text.

    :raises Invalid: it is not UTF-8, or holds what no name can hold
    """
    try:
        path = str(environ.get("PATH_INFO", "")).encode("latin-1").decode()
    except UnicodeError as error:
        raise Invalid("The path of the request is not valid UTF-8.") from error
    if "\0" in path:
        raise Invalid("The path of the request holds a NUL character.")
    return path
