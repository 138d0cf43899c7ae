"""Magnum's own credentials for the bays it speaks to, made when first needed and used until they near their end."""

import threading
from datetime import timedelta

from sqlalchemy.orm import Session

from magnum.certificates.authority import Authority, ClientCredentials
from magnum.common import clock

_RENEWED_BEFORE_END = timedelta(hours=1)
_MOST = 4096


class CredentialCache:
    """The credentials of this process, by bay; safe to share between threads."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._lock = threading.Lock()
        self._held: dict[str, ClientCredentials] = {}

    def get(self, session: Session, bay_uuid: str) -> ClientCredentials:
        """Credentials that are good for an hour at least.

        :raises Conflict: the bay has no certificates yet
        """
        with self._lock:
            held = self._held.get(bay_uuid)
        if held is not None and held.not_after - clock.now() > _RENEWED_BEFORE_END:
            return held
        fresh = self._authority.client_credentials(session, bay_uuid)
        with self._lock:
            if len(self._held) >= _MOST:
                self._held.clear()
            self._held[bay_uuid] = fresh
        return fresh

    def forget(self, bay_uuid: str) -> None:
        """The bay is gone."""
        with self._lock:
            self._held.pop(bay_uuid, None)
