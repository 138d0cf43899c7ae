"""Flavors and key pairs."""

import pytest

from magnum.clients import nova
from magnum.clients.errors import Permanent, Transient
from magnum.clients.requester import Requester
from tests.fakes.services import Answer, FakeServices


@pytest.mark.parametrize("per_page", [1, 2, 3, 1000])
def test_flavors_of_all_pages_by_id_and_name(requester: Requester, services: FakeServices, per_page: int) -> None:
    services.flavors_per_page = per_page
    services.flavors = [{"id": str(number), "name": f"m1.{number}"} for number in range(3)]
    assert nova.flavor_idents(requester) == {"0", "1", "2", "m1.0", "m1.1", "m1.2"}
    assert services.count("compute") == {1: 4, 2: 2, 3: 2, 1000: 1}[per_page]


def test_pages_without_end_come_to_one(requester: Requester, services: FakeServices) -> None:
    services.planned["compute"] = Answer(body={"flavors": [{"id": "1", "name": "same"}], "flavors_links": ["next"]})
    assert nova.flavor_idents(requester) == {"1", "same"}


@pytest.mark.parametrize("name", ["mine", "with space", "a/b", "100%", "é?x=1#y", "a/../b"])
def test_a_public_key(requester: Requester, services: FakeServices, name: str) -> None:
    services.key_pairs = {name: "ssh-ed25519 AAAA me"}
    assert nova.public_key(requester, name) == "ssh-ed25519 AAAA me"
    assert nova.public_key(requester, "other") is None


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_would_lead_elsewhere_is_not_asked_for(
    requester: Requester, services: FakeServices, name: str
) -> None:
    assert nova.public_key(requester, name) is None
    assert services.asked == []


@pytest.mark.parametrize("body", [{}, {"keypair": None}, {"keypair": {"public_key": None}}])
def test_an_answer_without_a_key_is_none(requester: Requester, services: FakeServices, body: object) -> None:
    services.planned["compute"] = Answer(200, body)
    with pytest.raises(Transient, match="without a public key"):
        nova.public_key(requester, "mine")


def test_who_may_not_look_is_told_so(requester: Requester, services: FakeServices) -> None:
    services.planned["compute"] = Answer(403, {"forbidden": {"message": "no", "code": 403}})
    with pytest.raises(Permanent) as caught:
        nova.public_key(requester, "mine")
    assert caught.value.code == 403
