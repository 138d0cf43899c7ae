"""What this API is, for whoever comes without a token."""

from typing import Any

from magnum.api.call import Answer, Call

_DESCRIPTION = "Magnum gives the projects of an OpenStack cloud their own container clusters."
_MEDIA_TYPE = {"base": "application/json", "type": "application/vnd.openstack.magnum.v1+json"}


class Discovery:
    """What is answered at / and at /v1.

    :param collections: names of the collections under /v1
    """

    def __init__(self, collections: list[str]) -> None:
        self._collections = collections

    def root(self, call: Call) -> Answer:
        """The versions there are."""
        version = {"id": "v1", "status": "CURRENT", "links": [{"href": f"{call.host_url}/v1/", "rel": "self"}]}
        body = {
            "name": "OpenStack Magnum API",
            "description": _DESCRIPTION,
            "versions": [version],
            "default_version": version,
        }
        return Answer(body)

    def v1(self, call: Call) -> Answer:
        """The collections of version 1."""
        body: dict[str, Any] = {
            "id": "v1",
            "media_types": [_MEDIA_TYPE],
            "links": [{"href": f"{call.host_url}/v1/", "rel": "self"}],
        }
        for name in self._collections:
            body[name] = [
                {"href": f"{call.host_url}/v1/{name}/", "rel": "self"},
                {"href": f"{call.host_url}/{name}/", "rel": "bookmark"},
            ]
        return Answer(body)
