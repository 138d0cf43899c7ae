"""What the API asks the cloud's other services, where the requester's catalog has them."""

import json

from magnum.api.call import Call
from magnum.api.fields import problem
from magnum.common.exception import Invalid
from magnum.common.ssh_keys import public_key_line

_CATALOG = "HTTP_X_SERVICE_CATALOG"
_AUTH = "keystone.token_auth"


def public_keys(call: Call, keypair: str | None) -> list[str]:
    """The public key of the requester's key pair; none where this cloud has no Nova to ask.

    :raises Invalid: there is no such key pair, or its key is none for logging in with SSH
    :raises Unavailable: Nova does not answer
    """
    if keypair is None or not has_service(call, "compute"):
        return []
    key = call.services.key_pairs.public_key(call.request.environ[_AUTH], keypair)
    try:
        return [public_key_line(key)]
    except ValueError as error:
        raise Invalid(
            problem("keypair_id", keypair, f"The public key that Nova has of it is not usable. {error}")
        ) from error


def has_service(call: Call, kind: str) -> bool:
    """Whether the catalog that came with the requester's token has a service of this kind."""
    catalog = json.loads(call.request.environ.get(_CATALOG) or "[]")
    return any(service.get("type") == kind for service in catalog)
