"""Which route a path leads to, and who may knock there."""

import pytest

from magnum.api.errors import MethodNotAllowed
from magnum.api.routes import Access, RouteTable, all_routes
from magnum.common.exception import NotFound

TABLE = RouteTable(all_routes())


@pytest.mark.parametrize(
    ("method", "path", "pattern", "arguments"),
    [
        ("GET", "/", "/", {}),
        ("GET", "", "/", {}),
        ("GET", "/v1/", "/v1", {}),
        ("GET", "/bays", "/v1/bays", {}),
        ("GET", "/v1/bays/", "/v1/bays", {}),
        ("GET", "/v1/bays/detail", "/v1/bays/detail", {}),
        ("GET", "/v1/bays/x", "/v1/bays/{ident}", {"ident": "x"}),
        ("HEAD", "/v1/bays/x", "/v1/bays/{ident}", {"ident": "x"}),
        ("GET", "/v1/bays/web.json", "/v1/bays/{ident}", {"ident": "web.json"}),
        ("PATCH", "/v1/pods/p/b/", "/v1/pods/{ident}/{bay_ident}", {"ident": "p", "bay_ident": "b"}),
        ("GET", "/v1/bays/x/events", "/v1/bays/{ident}/events", {"ident": "x"}),
    ],
)
def test_found(method: str, path: str, pattern: str, arguments: dict[str, str]) -> None:
    route, found = TABLE.find(method, path)
    assert (route.path, found) == (pattern, arguments)


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_what_is_written_out_is_no_name(method: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        TABLE.find(method, "/v1/bays/detail")
    assert caught.value.allowed == ["GET"]


@pytest.mark.parametrize("path", ["/v1/x", "/v1/bays/x/detail", "/v1/bays/x/y/z", "/v1/v1/bays", "/v1/pods//b"])
def test_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        TABLE.find("GET", path)


def test_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        TABLE.find("PUT", "/v1/bays/x")
    assert caught.value.allowed == ["DELETE", "GET", "PATCH"]


def test_no_two_routes_are_the_same() -> None:
    routes = [(route.method, route.path) for route in all_routes()]
    assert len(routes) == len(set(routes))


def test_who_may_knock_without_a_keystone_token() -> None:
    open_routes = {(route.method, route.path): route.access for route in all_routes() if route.access != Access.TENANT}
    assert open_routes == {
        ("GET", "/"): Access.ANYBODY,
        ("GET", "/v1"): Access.ANYBODY,
        ("GET", "/v1/openapi.json"): Access.ANYBODY,
        ("GET", "/v1/certificates/{ident}"): Access.NODE,
        ("GET", "/v1/certificates/{ident}/control-plane"): Access.NODE,
        ("POST", "/v1/certificates"): Access.NODE,
    }
