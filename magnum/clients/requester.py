"""The cloud's services as whoever makes a request may use them: with that one's token, never with Magnum's own.

URLs are made from the catalog alone, without asking a service first which versions it has: a question costs one call.
The versions named here are in every cloud of the last ten years.
"""

import re
from collections.abc import Mapping
from typing import Any

from keystoneauth1 import exceptions as ka
from oslo_config import cfg

from magnum.clients.errors import Permanent, Transient, translated
from magnum.clients.keystone import Keystone

_CLIENTS = {"image": "glance", "compute": "nova", "network": "neutron"}
_VERSIONS = {"image": "/v2", "network": "/v2.0"}
_VERSION = re.compile(r"/v[0-9]+(\.[0-9]+)?/*$")


class Requester:
    """One who makes a request.

    :param auth: keystoneauth plugin with the token (``keystone.token_auth`` of keystonemiddleware)
    """

    def __init__(self, conf: cfg.ConfigOpts, keystone: Keystone, auth: Any) -> None:
        self._conf = conf
        self._session = keystone.bare_session()
        self._auth = auth

    def get(self, service: str, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The object that a service answers with.

        :param service: its type in the catalog: image, compute or network
        :param path: within the API; what comes from a user is quoted
        :raises ServiceError: `Permanent` with the code of a refusal, without one where the catalog does not say where
            the service is; `Transient` where it does not answer, or nothing that can be used
        """
        options = self._conf[f"{_CLIENTS[service]}_client"]
        with translated(service):
            answer = self._session.get(
                self._base(service, options) + path,
                params=params,
                auth=self._auth,
                headers={"Accept": "application/json"},
                timeout=options.timeout,
            )
        return _object(service, answer)

    def _base(self, service: str, options: Any) -> str:
        url = self._endpoint(service, options)
        if not url:
            where = f" in region {options.region_name}" if options.region_name else ""
            raise Permanent(f"The catalog has no {options.endpoint_type} of the {service} service{where}.")
        version = _VERSIONS.get(service)
        return _VERSION.sub("", url.rstrip("/")) + version if version else url.rstrip("/")

    def _endpoint(self, service: str, options: Any) -> str | None:
        try:
            url: str | None = self._session.get_endpoint(
                auth=self._auth,
                service_type=service,
                interface=options.endpoint_type,
                region_name=options.region_name,
                skip_discovery=True,
            )
        except ka.CatalogException:
            return None
        return url


def members(service: str, document: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a collection that a service answered with.

    :raises Transient: there are none in it
    """
    found = document.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Transient(f"The {service} service answered without a list of {name}.")
    return found


def _object(service: str, answer: Any) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError as error:
        raise Transient(f"The {service} service answered with what is no JSON.") from error
    if not isinstance(document, dict):
        raise Transient(f"The {service} service answered with what is no JSON object.")
    return document
