"""What this API is, for whoever comes without a token."""

from typing import Any

from magnum.api.call import Answer, Call
from magnum.api.shapes import Plain
from magnum.api.types import Links, Schema
from magnum.api.versions import NEWEST, OLDEST

_DESCRIPTION = "Magnum gives the projects of an OpenStack cloud their own container clusters."
_MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}
_TEXT: Schema = {"type": "string"}


class Discovery:
    """What is answered at / and at /v1.

    :param collections: names of the collections under /v1
    """

    def __init__(self, collections: list[str]) -> None:
        self._collections = collections

    def root(self, call: Call) -> Answer:
        """The versions there are."""
        version = {
            "id": "v1",
            "status": "CURRENT",
            "min_version": str(OLDEST),
            "max_version": str(NEWEST),
            "links": [{"href": f"{call.host_url}/v1/", "rel": "self"}],
        }
        body = {
            "name": "OpenStack Magnum API",
            "description": _DESCRIPTION,
            "versions": [version],
            "default_version": version,
        }
        return Answer(body)

    def root_shape(self) -> Plain:
        """What `root` answers."""
        names = ("id", "status", "min_version", "max_version")
        version = _object({**dict.fromkeys(names, _TEXT), "links": Links().schema()})
        versions: Schema = {"type": "array", "items": version}
        return Plain(_object({"name": _TEXT, "description": _TEXT, "versions": versions, "default_version": version}))

    def v1(self, call: Call) -> Answer:
        """The collections of version 1."""
        body: dict[str, Any] = {
            "id": "v1",
            "media_types": [_MEDIA_TYPE],
            "links": [
                {"href": f"{call.host_url}/v1/", "rel": "self"},
                {"href": f"{call.host_url}/v1/openapi.json", "rel": "describedby", "type": "application/json"},
            ],
        }
        for name in self._collections:
            body[name] = [
                {"href": f"{call.host_url}/v1/{name}/", "rel": "self"},
                {"href": f"{call.host_url}/{name}/", "rel": "bookmark"},
            ]
        return Answer(body)

    def v1_shape(self) -> Plain:
        """What `v1` answers."""
        media_types: Schema = {"type": "array", "items": _object(dict.fromkeys(_MEDIA_TYPE, _TEXT))}
        collections = dict.fromkeys(self._collections, Links().schema())
        return Plain(_object({"id": _TEXT, "media_types": media_types, "links": Links().schema(), **collections}))


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
