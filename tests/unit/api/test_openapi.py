"""The OpenAPI document: valid, whole, and right about what versions differ in."""

from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from magnum.api.openapi import make_document
from magnum.api.routes import all_routes
from magnum.api.versions import NEWEST, OLDEST, VERSIONS, Version
from magnum.cmd import openapi

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"

each_version = pytest.mark.parametrize("version", VERSIONS, ids=str)


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


@each_version
def test_it_is_openapi(version: Version) -> None:
    OpenAPIV31SpecValidator(make_document(all_routes(), version)).validate()


@each_version
def test_every_route_is_in_it(version: Version) -> None:
    paths = make_document(all_routes(), version)["paths"]
    told = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert told == {(route.method, route.path) for route in all_routes()}


@each_version
def test_every_operation_says_what_it_is(version: Version) -> None:
    for operation in operations(make_document(all_routes(), version)):
        assert operation["summary"], operation["operationId"]
        assert {"4XX", "5XX"} < set(operation["responses"]), operation["operationId"]


def test_operations_have_ids_of_their_own() -> None:
    ids = [operation["operationId"] for operation in operations(make_document(all_routes(), NEWEST))]
    assert len(ids) == len(set(ids))


def test_who_may_knock() -> None:
    paths = make_document(all_routes(), NEWEST)["paths"]
    assert paths["/v1"]["get"]["security"] == []
    assert paths["/v1/bays"]["get"]["security"] == [{"token": []}]
    assert paths["/v1/certificates"]["post"]["security"] == [{"token": []}, {"bootstrapToken": []}]


def test_unknown_keys_are_tolerated_by_the_oldest_version_alone() -> None:
    oldest, newest = (make_document(all_routes(), version)["components"]["schemas"] for version in (OLDEST, NEWEST))
    assert "additionalProperties" not in oldest["BayModelInput"]
    assert newest["BayModelInput"]["additionalProperties"] is False


def test_bays_are_made_at_once_in_the_oldest_version_alone() -> None:
    oldest, newest = (make_document(all_routes(), version)["paths"]["/v1/bays"]["post"] for version in (OLDEST, NEWEST))
    assert set(oldest["responses"]) == {"201", "4XX", "5XX"}
    assert set(newest["responses"]) == {"202", "4XX", "5XX"}


def test_what_was_made_is_linked_to() -> None:
    created = make_document(all_routes(), NEWEST)["paths"]["/v1/baymodels"]["post"]["responses"]["201"]
    assert created["links"]["baymodels_delete"] == {
        "operationId": "baymodels_delete",
        "parameters": {"ident": "$response.body#/uuid"},
    }


def test_the_one_in_the_documentation_is_of_this_code() -> None:
    assert DOCUMENT.read_text() == openapi.text(), "docs/openapi.json is of other code: run `make document`"
