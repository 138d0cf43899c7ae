"""Nova: flavors and key pairs, as whoever makes a request sees them."""

from typing import Any
from urllib.parse import quote

from keystoneauth1 import exceptions as ka
from keystoneauth1.adapter import Adapter
from oslo_config import cfg

from magnum.clients.errors import Permanent, Transient, translated
from magnum.clients.keystone import Keystone
from magnum.clients.requester import Requester, members
from magnum.common.exception import Invalid, Unavailable

_SERVICE = "compute"
_MOST_PAGES = 20


class KeyPairs:
    """Key pairs of whoever makes a request."""

    def __init__(self, conf: cfg.ConfigOpts, keystone: Keystone) -> None:
        self._options = conf.nova_client
        self._keystone = keystone

    def public_key(self, auth: Any, name: str) -> str:
        """The public key of the requester's key pair.

        :param auth: keystoneauth plugin with the requester's token (``keystone.token_auth`` of keystonemiddleware)
        :raises Invalid: there is none of that name
        :raises Unavailable: Nova does not answer
        """
        try:
            with translated(_SERVICE):
                return self._get(auth, name)
        except Transient as error:
            raise Unavailable(f"{error.message} Without it the key of keypair {name} cannot be had.") from error
        except Permanent as error:
            raise Invalid(
                f"keypair_id: the key of {name} cannot be had: {error.message} Use ssh_authorized_key instead."
            ) from error

    def _get(self, auth: Any, name: str) -> str:
        nova = Adapter(
            self._keystone.service_session(),
            auth=auth,
            service_type=_SERVICE,
            interface=self._options.endpoint_type,
            region_name=self._options.region_name,
        )
        try:
            found = nova.get(f"/os-keypairs/{quote(name, safe='')}", headers={"Accept": "application/json"})
        except ka.NotFound as error:
            raise Invalid(f"keypair_id: there is no key pair {name} of yours.") from error
        return str(found.json()["keypair"]["public_key"])


def flavor_idents(requester: Requester) -> frozenset[str]:
    """The ids and names of all flavors. There is no way to ask for one by its name, and an id can be any text too."""
    found: set[str] = set()
    query = {"is_public": "None"}  # so that an administrator gets those too that are not public
    for _ in range(_MOST_PAGES):
        answer = requester.get(_SERVICE, "/flavors", query)
        page = members(_SERVICE, answer, "flavors")
        found.update(str(each.get(name)) for each in page for name in ("id", "name"))
        if not page or not answer.get("flavors_links"):
            break
        query = query | {"marker": str(page[-1].get("id"))}
    return frozenset(found)


def public_key(requester: Requester, name: str) -> str | None:
    """The public key of the requester's key pair of this name; None where there is none."""
    if name in (".", ".."):
        return None  # as part of a path these mean something else, however they are quoted
    try:
        found = requester.get(_SERVICE, f"/os-keypairs/{quote(name, safe='')}").get("keypair")
    except Permanent as error:
        if error.code == 404:
            return None
        raise
    if not isinstance(found, dict) or not isinstance(found.get("public_key"), str):
        raise Transient(f"The {_SERVICE} service answered without a public key.")
    return str(found["public_key"])
