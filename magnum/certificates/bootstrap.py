"""Tokens with which a new node makes itself known: signed by Magnum, for one bay, one role and a short time.

A token is not stored anywhere. It is good for nothing but the few requests that name it in the API's header, and there
only while the operation that builds the node is open: who may read user_data later finds a token that is spent.
"""

import json
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from cryptography.fernet import InvalidToken
from oslo_config import cfg

from magnum.certificates import storage
from magnum.common import clock

HEADER = "X-Bay-Bootstrap-Token"
_PURPOSE = "magnum bay bootstrap token"
_LONGEST = 4096


class Role(StrEnum):
    """What the node is in its bay."""

    MASTER = "master"
    NODE = "node"


class TokenRefused(Exception):
    """Not a token of ours, or its time is over."""


@dataclass(frozen=True)
class BootstrapIdentity:
    """Who shows a token."""

    bay_uuid: str
    role: Role
    operation_uuid: str


class BootstrapTokens:
    """Issues and verifies tokens; any process with the same configured keys can do either."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._fernet = storage.derived(conf, _PURPOSE)

    def issue(self, identity: BootstrapIdentity, ttl: timedelta) -> str:
        """A new token for the nodes that this operation makes, of this role in this bay."""
        expiry = int((clock.now() + ttl).timestamp())
        payload = {
            "bay": identity.bay_uuid,
            "role": identity.role,
            "operation": identity.operation_uuid,
            "expiry": expiry,
        }
        return self._fernet.encrypt(json.dumps(payload).encode()).decode()

    def verify(self, token: str) -> BootstrapIdentity:
        """Whose token it is.

        :raises TokenRefused: nobody's, or no longer
        """
        if len(token) > _LONGEST:
            raise TokenRefused("The bootstrap token is not valid.")
        try:
            payload = json.loads(self._fernet.decrypt(token.encode()))
        except InvalidToken as error:
            raise TokenRefused("The bootstrap token is not valid.") from error
        if payload["expiry"] <= clock.now().timestamp():
            raise TokenRefused("The bootstrap token has expired.")
        return BootstrapIdentity(payload["bay"], Role(payload["role"]), payload["operation"])
