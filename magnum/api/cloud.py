"""What the API asks the cloud's other services, where the requester's catalog has them."""

import json

from magnum.api.call import Call

_CATALOG = "HTTP_X_SERVICE_CATALOG"
_AUTH = "keystone.token_auth"


def public_keys(call: Call, keypair: str | None) -> list[str]:
    """The public key of the requester's key pair; none where this cloud has no Nova to ask.

    :raises Invalid: there is no such key pair
    :raises Unavailable: Nova does not answer
    """
    if keypair is None or not has_service(call, "compute"):
        return []
    return [call.services.key_pairs.public_key(call.request.environ[_AUTH], keypair)]


def has_service(call: Call, kind: str) -> bool:
    """Whether the catalog that came with the requester's token has a service of this kind."""
    catalog = json.loads(call.request.environ.get(_CATALOG) or "[]")
    return any(service.get("type") == kind for service in catalog)
