"""Images by id and by name."""

import pytest

from magnum.clients.errors import Permanent, Transient
from magnum.clients.glance import Image, find_images
from magnum.clients.requester import Requester
from tests.fakes.services import Answer, FakeServices

FIRST, SECOND = "0f9a1a53-53d5-4a62-9a3c-5b1c0a5f2b01", "0f9a1a53-53d5-4a62-9a3c-5b1c0a5f2b02"


@pytest.fixture(autouse=True)
def images(services: FakeServices) -> None:
    """Some."""
    services.images = [
        {"id": FIRST, "name": "debian", "os_distro": "debian"},
        {"id": SECOND, "name": "ubuntu:20.04"},
        *({"id": f"{SECOND[:-2]}{number}", "name": "twice"} for number in (10, 11, 12)),
    ]


@pytest.mark.parametrize("ident", [FIRST, "debian"])
def test_found_with_one_question(requester: Requester, services: FakeServices, ident: str) -> None:
    assert find_images(requester, ident) == [Image(FIRST, "debian")]
    assert len(services.asked) == 1


@pytest.mark.parametrize("ident", [FIRST.replace("1", "2"), "windows", "../images", "debian?x=1", "é/#&"])
def test_not_found(requester: Requester, services: FakeServices, ident: str) -> None:
    assert find_images(requester, ident) == []
    assert len(services.asked) == 1


def test_a_name_with_a_colon_is_no_operator(requester: Requester) -> None:
    assert find_images(requester, "ubuntu:20.04") == [Image(SECOND, None)]
    assert find_images(requester, "in:debian") == []


def test_several_of_a_name_are_two_at_most(requester: Requester) -> None:
    assert len(find_images(requester, "twice")) == 2


@pytest.mark.parametrize("distro", ["", None, 7, ["debian"]])
def test_a_distro_is_a_text(requester: Requester, services: FakeServices, distro: object) -> None:
    services.images[0]["os_distro"] = distro
    assert find_images(requester, "debian") == [Image(FIRST, None)]


def test_who_may_not_look_is_told_so(requester: Requester, services: FakeServices) -> None:
    services.planned["image"] = Answer(403, {"message": "no"})
    with pytest.raises(Permanent) as caught:
        find_images(requester, FIRST)
    assert caught.value.code == 403


@pytest.mark.parametrize("body", [{}, {"images": None}, {"images": ["debian"]}])
def test_an_answer_without_images_is_none(requester: Requester, services: FakeServices, body: object) -> None:
    services.planned["image"] = Answer(200, body)
    with pytest.raises(Transient, match="without a list of images"):
        find_images(requester, "debian")
