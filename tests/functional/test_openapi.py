"""The OpenAPI document, as it is served; every other test here holds its answers against it."""

import pytest

from magnum.api.openapi import make_document
from magnum.api.routes import all_routes
from magnum.api.versions import HEADER, SERVICE, VERSIONS, Version
from tests.functional.conftest import Client, sentences
from tests.functional.described import check_described


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_it_is_for_everybody_and_of_the_version_that_is_asked_for(nobody: Client, version: Version) -> None:
    response = nobody.request("GET", "/v1/openapi.json", **{HEADER.replace("-", "_"): f"{SERVICE} {version}"})
    assert response.json == make_document(all_routes(), version)


def test_it_takes_no_query(nobody: Client) -> None:
    response = nobody.get("/v1/openapi.json?format=yaml")
    assert response.status_int == 400
    assert sentences(response) == ['Unknown argument: "format".']


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v1/bays", 200, b'{"bays": [{"uuid": "x"}]}'),
        ("GET", "/v1/bays", 200, b'{"bays": [], "more": 1}'),
        ("GET", "/v1/bays", 203, b'{"bays": []}'),
        ("DELETE", "/v1/bays/web", 204, b"{}"),
        ("GET", "/v1/nothing", 200, b"{}"),
        ("GET", "/v1/bays/web", 404, b'{"errors": [], "error_message": "{}"}'),
    ],
)
def test_what_it_does_not_tell_of_fails_a_test(method: str, path: str, status: int, body: bytes) -> None:
    headers = {"X-Openstack-Request-Id": "req-1", HEADER: f"{SERVICE} 1.1", "Content-Type": "application/json"}
    with pytest.raises(AssertionError):
        check_described({"REQUEST_METHOD": method, "PATH_INFO": path}, status, headers, body)
