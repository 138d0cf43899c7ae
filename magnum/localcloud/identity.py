"""Who and what is known to the local cloud's Keystone: projects, users, roles, and where each service is found.

Everything is looked up first and made only if missing, so it can be done again at every `up`; endpoints follow the
address they now have.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from keystoneauth1 import session as keystone_session
from keystoneauth1.identity import v3
from keystoneclient.v3.client import Client

from magnum.localcloud.keystone_service import REGION

DEFAULT_DOMAIN = "default"
SERVICE_PROJECT = "service"
DEMO = "demo"
HEAT_DOMAIN = "heat"
HEAT_DOMAIN_ADMIN = "heat_domain_admin"
HEAT_STACK_USER_ROLE = "heat_stack_user"
"""What Heat gives to the users it makes for signals."""
MAGNUM_DOMAIN = "magnum"
_SECONDS = 30


@dataclass(frozen=True)
class Endpoint:
    """A service of the catalog."""

    type: str
    name: str
    url: str


class Identity:
    """Keystone as its administrator sees it."""

    def __init__(self, url: str, admin_password: str) -> None:
        auth = v3.Password(
            auth_url=url,
            username="admin",
            password=admin_password,
            project_name="admin",
            user_domain_id=DEFAULT_DOMAIN,
            project_domain_id=DEFAULT_DOMAIN,
        )
        session = keystone_session.Session(auth=auth, timeout=_SECONDS)
        self._client: Any = Client(session=session, timeout=_SECONDS)

    def ensure_domain(self, name: str) -> str:
        return self._ensure(self._client.domains, name, {}, {})

    def ensure_project(self, name: str) -> str:
        return self._ensure(self._client.projects, name, {"domain": DEFAULT_DOMAIN}, {"domain": DEFAULT_DOMAIN})

    def ensure_user(self, name: str, password: str, domain: str = DEFAULT_DOMAIN) -> str:
        return self._ensure(self._client.users, name, {"domain": domain}, {"domain": domain, "password": password})

    def ensure_role(self, name: str) -> str:
        return self._ensure(self._client.roles, name, {}, {})

    def grant_on_project(self, role: str, user: str, project: str) -> None:
        self._client.roles.grant(self._role(role), user=user, project=project)

    def grant_on_domain(self, role: str, user: str, domain: str) -> None:
        self._client.roles.grant(self._role(role), user=user, domain=domain)

    def ensure_endpoints(self, endpoints: Iterable[Endpoint]) -> None:
        services = {(service.type, service.name): service.id for service in self._client.services.list()}
        known = {(item.service_id, item.interface): item for item in self._client.endpoints.list()}
        for endpoint in endpoints:
            key = (endpoint.type, endpoint.name)
            service = services.get(key) or self._client.services.create(name=endpoint.name, type=endpoint.type).id
            for interface in ("public", "internal", "admin"):
                found = known.get((service, interface))
                if found is None:
                    self._client.endpoints.create(service, endpoint.url, interface=interface, region=REGION)
                elif found.url != endpoint.url:
                    self._client.endpoints.update(found.id, url=endpoint.url)

    def _role(self, name: str) -> str:
        found = self._client.roles.list(name=name)
        return str(found[0].id)

    @staticmethod
    def _ensure(manager: Any, name: str, scope: dict[str, str], values: dict[str, str]) -> str:
        found = manager.list(name=name, **scope)
        return str((found[0] if found else manager.create(name=name, **values)).id)


@dataclass(frozen=True)
class Passwords:
    demo: str
    heat: str
    heat_domain_admin: str
    magnum: str


def set_up(identity: Identity, passwords: Passwords, endpoints: Iterable[Endpoint]) -> None:
    """Everything that Heat, Magnum and the demonstration's tenant need to exist in Keystone."""
    service = identity.ensure_project(SERVICE_PROJECT)
    demo = identity.ensure_project(DEMO)
    for name, password in (("heat", passwords.heat), ("magnum", passwords.magnum)):
        identity.grant_on_project("admin", identity.ensure_user(name, password), service)
    identity.grant_on_project("member", identity.ensure_user(DEMO, passwords.demo), demo)
    heat_domain = identity.ensure_domain(HEAT_DOMAIN)
    domain_admin = identity.ensure_user(HEAT_DOMAIN_ADMIN, passwords.heat_domain_admin, heat_domain)
    identity.grant_on_domain("admin", domain_admin, heat_domain)
    identity.ensure_role(HEAT_STACK_USER_ROLE)
    # Magnum makes a user in this domain for every bay; as an admin of `service` it may do that and grant the roles.
    identity.ensure_domain(MAGNUM_DOMAIN)
    identity.ensure_endpoints(endpoints)
