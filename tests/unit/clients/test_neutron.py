"""Networks by id and by name."""

import pytest

from magnum.clients.neutron import Network, find_networks
from magnum.clients.requester import Requester
from tests.fakes.services import FakeServices

OUTSIDE, INSIDE = "0f9a1a53-53d5-4a62-9a3c-5b1c0a5f2c01", "0f9a1a53-53d5-4a62-9a3c-5b1c0a5f2c02"


@pytest.fixture(autouse=True)
def networks(services: FakeServices) -> None:
    """Some."""
    services.networks = [
        {"id": OUTSIDE, "name": "public", "router:external": True},
        {"id": INSIDE, "name": "private", "router:external": False},
        {"id": INSIDE.replace("1", "3"), "name": "private", "router:external": False},
    ]


@pytest.mark.parametrize("ident", [OUTSIDE, "public"])
def test_found_with_one_question(requester: Requester, services: FakeServices, ident: str) -> None:
    assert find_networks(requester, ident) == [Network(OUTSIDE, external=True)]
    assert len(services.asked) == 1


@pytest.mark.parametrize("ident", [OUTSIDE.replace("1", "4"), "nowhere", "public&router:external=True"])
def test_not_found(requester: Requester, ident: str) -> None:
    assert find_networks(requester, ident) == []


def test_several_of_a_name(requester: Requester) -> None:
    assert [each.external for each in find_networks(requester, "private")] == [False, False]
