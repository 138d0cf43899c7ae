"""Keystone: Magnum's own session, and the user through which Magnum acts for one bay.

The user of a bay is found by its name, which comes from the bay's uuid, so that making it twice leaves one.
"""

import threading
from dataclasses import dataclass, field
from typing import Any

import requests
from keystoneauth1 import exceptions as ka
from keystoneauth1 import loading
from keystoneauth1.identity import v3
from keystoneauth1.session import Session
from keystoneclient.v3.client import Client
from oslo_config import cfg

from magnum.clients.errors import Permanent, translated
from magnum.common.recent import Recent
from magnum.conf.clients import AUTH_GROUP

_SERVICE = "identity"
_SECONDS = 20
_CONNECTIONS = 32
_MOST_SESSIONS = 256
_OWN_TYPES = ("container-infra", "container")


@dataclass(frozen=True)
class BayUser:
    """The user of a bay, scoped to the bay's project."""

    id: str
    project_id: str
    password: str = field(repr=False)


class Keystone:
    """Calls to Keystone with Magnum's own credentials, and sessions; safe to share between threads."""

    def __init__(self, conf: cfg.ConfigOpts, http: requests.Session | None = None) -> None:
        self._conf = conf
        self._lock = threading.Lock()
        self._service_session: Session | None = None
        self._bay_sessions: Recent[BayUser, Session] = Recent(_MOST_SESSIONS)
        self._known: dict[tuple[str, str], str] = {}
        self._http = http or _connections()

    def ensure_user(self, bay_uuid: str, password: str, project_id: str) -> str:
        """Make the bay's user, or set its password if it is there, and let it act in the project; answers its id."""
        with translated(_SERVICE):
            client = self._client()
            domain = self._id_of(client, "domains", self._conf.trust.trustee_domain_name)
            user_id = self._create_or_reset(client, domain, _user_name(bay_uuid), password)
            for role in self._conf.trust.roles:
                client.roles.grant(self._id_of(client, "roles", role), user=user_id, project=project_id)
        return user_id

    def accepts(self, user: BayUser) -> bool:
        """Whether a bay's user is still there and may act: it has its password, its project and a role there."""
        with translated(_SERVICE):
            try:
                session = self.bay_session(user)
                session.invalidate()  # a token that is kept says nothing of what was done to the user since
                session.get_token()
            except ka.Unauthorized:
                return False
        return True

    def delete_user(self, bay_uuid: str, user_id: str | None = None) -> None:
        """Remove the bay's user and all it was allowed to do; one that is gone already is fine.

        :param user_id: its id where that is known: the user may be in another domain than users are made in now
        """
        with translated(_SERVICE):
            client = self._client()
            found = {user.id for user in self._users(client, _user_name(bay_uuid))}
            for each in found | ({user_id} if user_id else set()):
                self._forget(each)
                try:
                    client.users.delete(each)
                except ka.NotFound:
                    continue

    def check(self) -> None:
        """Use Magnum's own credentials, and look for what [trust] names.

        :raises ServiceError: they do not work, or it is not there
        """
        try:
            with translated(_SERVICE):
                client = self._client()
                self._id_of(client, "domains", self._conf.trust.trustee_domain_name)
                for role in self._conf.trust.roles:
                    self._id_of(client, "roles", role)
        except ka.ClientException as error:
            raise Permanent(f"Magnum's credentials are not complete: {error}") from error

    def service_session(self) -> Session:
        """The session of Magnum itself."""
        with self._lock:
            if self._service_session is None:
                auth = loading.load_auth_from_conf_options(self._conf, AUTH_GROUP)
                if auth is None:
                    raise Permanent("Magnum has no credentials: [keystone_auth] is not configured.")
                self._service_session = self._session(auth, _SECONDS)
            return self._service_session

    def bare_session(self) -> Session:
        """A session without credentials, for calls that bring the requester's own."""
        return self._session(None, _SECONDS)

    def bay_session(self, user: BayUser) -> Session:
        """The session of a bay's user, the same each time while it is in use, so that one token does for many calls."""
        auth_url = self.service_session().auth.auth_url
        with self._lock:
            session = self._bay_sessions.get(user)
            if session is None:
                auth = v3.Password(
                    auth_url=_versioned(auth_url),
                    user_id=user.id,
                    password=user.password,
                    project_id=user.project_id,
                )
                session = self._session(auth, self._conf.heat_client.timeout)
                self._bay_sessions.put(user, session)
            return session

    def magnum_url(self) -> str:
        """URL of Magnum's API for those outside, from the catalog."""
        with translated("container-infra"):
            session = self.service_session()
            for service_type in _OWN_TYPES:
                url = session.get_endpoint(
                    service_type=service_type, interface="public", region_name=self._conf.heat_client.region_name
                )
                if url:
                    return str(url).rstrip("/")
        raise Permanent("The catalog has no endpoint of Magnum, and [bay] magnum_url is not set.")

    def _session(self, auth: Any, seconds: int) -> Session:
        options = self._conf[AUTH_GROUP]
        verify: bool | str = False if options.insecure else (options.cafile or True)
        cert = (options.certfile, options.keyfile) if options.certfile and options.keyfile else options.certfile
        return Session(auth=auth, verify=verify, cert=cert, timeout=options.timeout or seconds, session=self._http)

    def _client(self) -> Any:
        return Client(session=self.service_session(), interface=["internal", "public"])

    def _create_or_reset(self, client: Any, domain: str, name: str, password: str) -> str:
        try:
            return str(client.users.create(name, domain=domain, password=password).id)
        except ka.Conflict:
            user = client.users.list(name=name, domain=domain)[0]
            client.users.update(user, password=password, enabled=True)
            return str(user.id)

    def _users(self, client: Any, name: str) -> list[Any]:
        """Of the domain of bays' users; none where there is no such domain."""
        domain = self._find(client, "domains", self._conf.trust.trustee_domain_name)
        return list(client.users.list(name=name, domain=domain)) if domain else []

    def _id_of(self, client: Any, collection: str, name: str) -> str:
        found = self._find(client, collection, name)
        if found is None:
            kind = collection.removesuffix("s")
            raise Permanent(f"Keystone has no {kind} {name!r}, which [trust] in Magnum's configuration names.")
        return found

    def _find(self, client: Any, collection: str, name: str) -> str | None:
        key = (collection, name)
        if key not in self._known:
            found = getattr(client, collection).list(name=name)
            if not found:
                return None
            self._known[key] = str(found[0].id)
        return self._known[key]

    def _forget(self, user_id: str) -> None:
        with self._lock:
            for user in self._bay_sessions.known():
                if user.id == user_id:
                    self._bay_sessions.drop(user)


def _connections() -> requests.Session:
    """One pool of connections for all sessions, as each bay has a session of its own."""
    http = requests.Session()
    for scheme in ("http://", "https://"):
        http.mount(scheme, requests.adapters.HTTPAdapter(pool_connections=8, pool_maxsize=_CONNECTIONS))
    return http


def _user_name(bay_uuid: str) -> str:
    return f"bay-{bay_uuid}"


def _versioned(auth_url: str) -> str:
    url = auth_url.rstrip("/")
    return url if url.endswith("/v3") else f"{url}/v3"
