"""The OpenAPI 3.1 document of the API, made of the table of routes and the types that serve the requests.

There is one for each version of the API. It says what a version takes and gives, to the letter: the tests hold every
answer against it, and are derived from it.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from magnum.api.call import Answer, Call
from magnum.api.shapes import Changes, Document, Listing, Object, Parameter, Plain, Reply, Shape
from magnum.api.types import Schema
from magnum.api.versions import HEADER, SERVICE, VERSIONS, Feature, Version
from magnum.certificates.bootstrap import HEADER as BOOTSTRAP_HEADER

if TYPE_CHECKING:
    from magnum.api.routes import Route

SHAPE = Plain(
    {
        "type": "object",
        "properties": {"openapi": {"type": "string"}, "info": {"type": "object"}, "paths": {"type": "object"}},
        "required": ["openapi", "info", "paths"],
    }
)
"""What the document itself looks like; the rest is for the OpenAPI specification to say."""

_JSON = "application/json"
_ERROR = "#/components/responses/Error"
_NAME = re.compile(r"{(\w+)}")
_PATH_TEXTS = {
    "ident": "Uuid or name. Where a name is that of several, the answer is 409.",
    "bay_ident": "Uuid or name of the bay that it is in.",
}
_SECURITY: Mapping[str, list[Schema]] = {
    "TENANT": [{"token": []}],
    "NODE": [{"token": []}, {"bootstrapToken": []}],
    "ANYBODY": [],
}
_DESCRIPTION = """\
Container clusters for the projects of an OpenStack cloud.

This is version {version} of the API, which a request chooses with the header `{header}: {service} {version}`. Without
that header it gets version 1.1.

{history}
"""


class Description:
    """What is answered at /v1/openapi.json.

    :param routes: gives the table of routes
    """

    def __init__(self, routes: Callable[[], Sequence["Route"]]) -> None:
        self._routes = routes
        self._documents: dict[Version, Schema] = {}

    def describe(self, call: Call) -> Answer:
        """This document, for the version that the request chooses."""
        if call.version not in self._documents:
            self._documents[call.version] = make_document(self._routes(), call.version)
        return Answer(self._documents[call.version])


def make_document(routes: Iterable["Route"], version: Version) -> Schema:
    """The OpenAPI document of these routes in a version."""
    components = _Components(version)
    paths: dict[str, Schema] = {}
    routes = list(routes)
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, routes, version, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Magnum", "version": str(version), "description": _about(version)},
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(_tag, routes))],
        "paths": paths,
        "components": components.all(),
    }


def _about(version: Version) -> str:
    history = "\n".join(f"- {item}: {item.text}" for item in VERSIONS if item.minor <= version.minor)
    return _DESCRIPTION.format(version=version, header=HEADER, service=SERVICE, history=history)


def _tag(route: "Route") -> str:
    return route.segments[1] if len(route.segments) > 1 and route.segments[1].isalnum() else "discovery"


def _operation_id(route: "Route") -> str:
    further = _NAME.findall(route.path)[1:]
    return "_".join([_tag(route), route.handler.__name__, *(f"by_{name}" for name in further)])


def _operation(route: "Route", routes: Sequence["Route"], version: Version, components: "_Components") -> Schema:
    summary, _, description = _told(route).partition(". ")
    operation: Schema = {"operationId": _operation_id(route), "tags": [_tag(route)], "summary": summary.rstrip(".")}
    if description:
        operation["description"] = description
    operation["security"] = _SECURITY[route.access.name]
    operation["parameters"] = _parameters(route, version)
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": components.body(route.body)}}}
    told = [reply for reply in route.replies if _is_in(version, reply)]
    operation["responses"] = {
        **{str(reply.status): _response(route, reply, routes, components) for reply in told},
        "4XX": {"$ref": _ERROR},
        "5XX": {"$ref": _ERROR},
    }
    return operation


def _told(route: "Route") -> str:
    """What the handler says of itself, with the name of what it handles."""
    text = " ".join((inspect.getdoc(route.handler) or "").split("\n\n")[0].split())
    controller = getattr(route.handler, "__self__", None)
    noun, plural = getattr(controller, "noun", None), getattr(controller, "plural", None)
    if noun and plural:
        text = re.sub(r"\bobjects\b", plural, text)
        text = re.sub(r"\b([Aa])n object\b", rf"\1 {noun}", text)
        text = re.sub(r"\bobject\b", noun, text)
    return text


def _parameters(route: "Route", version: Version) -> list[Schema]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": _PATH_TEXTS[name],
            "schema": {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
        }
        for name in _NAME.findall(route.path)
    ]
    in_query = [_in_query(item) for item in route.query if _knows(version, item.feature)]
    in_header = [{"$ref": "#/components/parameters/Version"}] if route.segments else []
    return [*in_path, *in_query, *in_header]


def _in_query(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": "query",
        "required": parameter.mandatory,
        "description": parameter.text,
        "schema": parameter.kind.accepted(),
    }


def _knows(version: Version, feature: Feature | None) -> bool:
    return feature is None or version.has(feature)


def _is_in(version: Version, reply: Reply) -> bool:
    return _knows(version, reply.since) and not (reply.until and version.has(reply.until))


def _response(route: "Route", reply: Reply, routes: Sequence["Route"], components: "_Components") -> Schema:
    response: Schema = {"description": HTTPStatus(reply.status).phrase, "headers": _headers(route, reply)}
    if reply.shape is not None:
        response["content"] = {_JSON: {"schema": components.answer(reply.shape)}}
        links = _links(route, reply.shape, routes)
        if links:
            response["links"] = links
    return response


def _headers(route: "Route", reply: Reply) -> Schema:
    names = ["X-Openstack-Request-Id", *([HEADER] if route.segments else []), *(["Location"] if reply.located else [])]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _links(route: "Route", shape: Shape, routes: Sequence["Route"]) -> Schema:
    """Where one can go on with what was made."""
    given = shape.schema().get("properties", {})
    if route.method != "POST" or not given:
        return {}
    name = "uuid" if "uuid" in given else "bay_uuid"
    return {
        _operation_id(other): {
            "operationId": _operation_id(other),
            "parameters": {"ident": f"$response.body#/{name}"},
        }
        for other in routes
        if other.path.startswith(f"{route.path}/{{ident}}") and _NAME.findall(other.path) == ["ident"]
    }


class _Components:
    """What the document says once and refers to."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._schemas: dict[str, Schema] = {"Error": _error()}

    def answer(self, shape: Shape) -> Schema:
        """The schema of an answer."""
        if isinstance(shape, Object) and not shape.names:
            return self._named(_name(shape.datatype), shape.schema())
        schema = shape.schema()
        if isinstance(shape, Listing):
            schema["properties"][shape.name]["items"] = self._item(shape.item)
        return schema

    def _item(self, shape: Shape) -> Schema:
        if isinstance(shape, Object) and shape.names:
            return self._named(f"{_name(shape.datatype)}InList", shape.schema())
        return self.answer(shape)

    def body(self, body: Document | Changes) -> Schema:
        """The schema of what is sent."""
        name = _name(body.datatype) + ("Patch" if isinstance(body, Changes) else "Input")
        return self._named(name, body.schema(known_only=self._version.has(Feature.KNOWN_KEYS_ONLY)))

    def all(self) -> Schema:
        """The section ``components`` of the document."""
        return {
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Auth-Token",
                    "description": "A Keystone token for a project.",
                },
                "bootstrapToken": {
                    "type": "apiKey",
                    "in": "header",
                    "name": BOOTSTRAP_HEADER,
                    "description": "What a node of a bay gets to join it with.",
                },
            },
            "parameters": {"Version": _version_parameter(self._version)},
            "headers": _response_headers(self._version),
            "responses": {
                "Error": {
                    "description": "What was wrong, in a sentence for each problem.",
                    "headers": {"X-Openstack-Request-Id": {"$ref": "#/components/headers/X-Openstack-Request-Id"}},
                    "content": {_JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
                }
            },
            "schemas": self._schemas,
        }

    def _named(self, name: str, schema: Schema) -> Schema:
        if self._schemas.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas are named {name}")
        return {"$ref": f"#/components/schemas/{name}"}


def _name(datatype: type[Any]) -> str:
    return datatype.__name__.removesuffix("Fields")


def _version_parameter(version: Version) -> Schema:
    return {
        "name": HEADER,
        "in": "header",
        "required": False,
        "description": "The version of the API that the request is in.",
        "schema": {"type": "string", "enum": [f"{SERVICE} {version}"]},
    }


def _response_headers(version: Version) -> Schema:
    return {
        "X-Openstack-Request-Id": {
            "description": "Under this the operator finds the request in the logs.",
            "required": True,
            "schema": {"type": "string", "pattern": "^req-"},
        },
        HEADER: {
            "description": "The version of the API that the answer is in.",
            "required": True,
            "schema": {"type": "string", "enum": [f"{SERVICE} {version}"]},
        },
        "Location": {
            "description": "Where the new object is.",
            "required": True,
            "schema": {"type": "string", "format": "uri"},
        },
    }


def _error() -> Schema:
    text: Schema = {"type": "string"}
    problem = {
        "request_id": text,
        "code": {"type": "string", "description": "client, server, or what kind of error it is."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "title": {"type": "string", "minLength": 1, "description": "The first sentence of the detail."},
        "detail": {"type": "string", "minLength": 1},
        "links": {"type": "array", "items": {"type": "object"}},
    }
    versions = {"min_version": text, "max_version": text}
    return {
        "type": "object",
        "properties": {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": problem | versions,
                    "required": list(problem),
                    "additionalProperties": False,
                },
            },
            "error_message": {
                "type": "string",
                "contentMediaType": _JSON,
                "description": "The same for the first clients: a string that holds JSON with faultstring, faultcode "
                "and debuginfo.",
            },
        },
        "required": ["errors", "error_message"],
        "additionalProperties": False,
    }
