"""Holds answers against the OpenAPI document of their version: it says all that the API answers, or a test fails."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from magnum.api.errors import MethodNotAllowed
from magnum.api.openapi import make_document
from magnum.api.routes import RouteTable, all_routes, decoded_path
from magnum.api.versions import HEADER, OLDEST, VERSIONS, Version
from magnum.common.exception import Invalid, NotFound

HEALTH = "/healthcheck"
"""For operators' load balancers, and no part of the API."""
ROUTES = RouteTable(all_routes())


def check_described(environ: Mapping[str, Any], status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Fail unless the document says that this request can be answered so.

    :param environ: WSGI's, of the request
    """
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path == HEALTH:
        return
    try:
        route = ROUTES.find(method, decoded_path(dict(environ)))[0]
    except (NotFound, MethodNotAllowed, Invalid):
        assert status >= 400, f"{method} {path} is no route, but was answered with {status}"
        return
    version = _version(headers.get(HEADER))
    response = _response(version, route.path, route.method.lower(), status)
    where = f"{route.method} {route.path} in {version}, answered with {status}"
    assert response is not None, f"the OpenAPI document does not tell of {where}"
    missing = [name for name in response.get("headers", {}) if name not in headers]
    assert not missing, f"{where}: no header {missing}"
    if method == "HEAD":
        return
    content = response.get("content")
    if content is None:
        assert body == b"", f"{where}: a body that the OpenAPI document does not tell of"
        return
    assert headers["Content-Type"].split(";")[0] in content, where
    problems = [
        f"{where}: {error.instance_path}: {error.message}"
        for error in _validator(version, route.path, route.method.lower(), status).iter_errors(json.loads(body))
    ]
    assert not problems, "\n".join(problems)


def _version(told: str | None) -> Version:
    return next((version for version in VERSIONS if told and told.endswith(f" {version}")), OLDEST)


@cache
def _document(version: Version) -> Any:
    return make_document(all_routes(), version)


@cache
def _response(version: Version, path: str, method: str, status: int) -> Any:
    responses = _document(version)["paths"][path][method]["responses"]
    response = responses.get(str(status)) or responses.get(f"{status // 100}XX")
    return _resolved(version, response)


def _resolved(version: Version, part: Any) -> Any:
    if not isinstance(part, dict) or "$ref" not in part:
        return part
    found = _document(version)
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found


@cache
def _validator(version: Version, path: str, method: str, status: int) -> Any:
    schema = _response(version, path, method, status)["content"]["application/json"]["schema"]
    components = _document(version)["components"]
    return jsonschema_rs.Draft202012Validator({**schema, "components": components}, validate_formats=True)
