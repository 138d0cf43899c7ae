"""The services as a requester reaches them."""

from typing import Any

import pytest
from keystoneauth1.plugin import BaseAuthPlugin
from oslo_config import cfg

from magnum.clients.keystone import Keystone
from magnum.clients.requester import Requester
from tests.fakes.services import ENDPOINTS, FakeServices


class Token(BaseAuthPlugin):
    """A token, and the catalog that came with it."""

    def __init__(self, endpoints: dict[str, str]) -> None:
        super().__init__()
        self.endpoints = endpoints
        self.interfaces: list[Any] = []

    def get_token(self, _session: Any, **_kwargs: Any) -> str:
        return "token-of-alice"

    def get_endpoint(self, _session: Any, **wanted: Any) -> str | None:
        self.interfaces.append((wanted["interface"], wanted["region_name"]))
        return self.endpoints.get(wanted["service_type"])


@pytest.fixture
def services() -> FakeServices:
    """What there is in the cloud."""
    return FakeServices()


@pytest.fixture
def token() -> Token:
    """The requester's."""
    return Token(dict(ENDPOINTS))


@pytest.fixture
def requester(conf: cfg.ConfigOpts, services: FakeServices, token: Token) -> Requester:
    """Somebody with a token."""
    return Requester(conf, Keystone(conf, services.session()), token)
