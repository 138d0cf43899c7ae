"""Nova: the public key of a tenant's key pair, asked for with the tenant's own token."""

from typing import Any
from urllib.parse import quote

from keystoneauth1 import exceptions as ka
from keystoneauth1.adapter import Adapter
from oslo_config import cfg

from magnum.clients.errors import Permanent, Transient, translated
from magnum.clients.keystone import Keystone
from magnum.common.exception import Invalid, Unavailable

_SERVICE = "compute"


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
