"""Whose token it is: Keystone says it, and is believed for a while."""

import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from hashlib import sha256

_SECONDS = 10.0
_BELIEVED_SECONDS = 60.0
_MOST = 20000


class NotAccepted(Exception):
    """Keystone does not know this token."""


class KeystoneAway(Exception):
    """Keystone does not answer."""


@dataclass(frozen=True)
class Caller:
    """Who calls."""

    user: str
    project_id: str
    roles: frozenset[str]

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles


class Tokens:
    """Asks Keystone, with the very token that is asked about: that needs no account of our own."""

    def __init__(self, keystone_url: str) -> None:
        self._url = f"{keystone_url.rstrip('/')}/auth/tokens?nocatalog"
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Caller]] = {}

    def caller(self, token: str) -> Caller:
        """Who has this token.

        :raises NotAccepted: nobody, or not any more
        :raises KeystoneAway: nobody can say
        """
        key = sha256(token.encode()).hexdigest()
        until, caller = self._known.get(key, (0.0, None))
        if caller is None or until < time.monotonic():
            caller = self._ask(token)
            with self._lock:
                if len(self._known) > _MOST:
                    self._known.clear()
                self._known[key] = (time.monotonic() + _BELIEVED_SECONDS, caller)
        return caller

    def _ask(self, token: str) -> Caller:
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "Accept": "application/json"}
        request = urllib.request.Request(self._url, headers=headers)  # noqa: S310 - Keystone's own URL
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                data = json.load(answer)["token"]
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                raise NotAccepted from error
            raise KeystoneAway from error
        except (OSError, ValueError, KeyError) as error:
            raise KeystoneAway from error
        return Caller(
            user=data["user"]["name"],
            project_id=(data.get("project") or {}).get("id", ""),
            roles=frozenset(role["name"] for role in data.get("roles", ())),
        )
