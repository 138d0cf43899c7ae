"""How a service is reached, and what is made of what it says."""

from typing import Any

import pytest
import requests
from oslo_config import cfg

from magnum.clients.errors import Permanent, Transient
from magnum.clients.requester import Requester
from tests.fakes.services import Answer, FakeServices
from tests.unit.clients.conftest import Token


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://image.invalid",
        "http://image.invalid/",
        "http://image.invalid/v2",
        "http://image.invalid/v2/",
        "http://image.invalid/v1",
        "http://image.invalid/v2.16/",
    ],
)
def test_the_version_is_ours_however_the_catalog_writes_the_endpoint(
    requester: Requester, services: FakeServices, token: Token, endpoint: str
) -> None:
    token.endpoints["image"] = endpoint
    requester.get("image", "/images", {"name": "x"})
    assert services.asked == [("image.invalid", "/v2/images")]


def test_the_path_of_an_endpoint_is_kept(requester: Requester, services: FakeServices, token: Token) -> None:
    token.endpoints["image"] = "http://image.invalid/image/v2/"
    with pytest.raises(Permanent):
        requester.get("image", "/images")
    assert services.asked == [("image.invalid", "/image/v2/images")]


def test_asks_with_the_requesters_token_and_a_timeout(
    conf: cfg.ConfigOpts, requester: Requester, services: FakeServices, token: Token
) -> None:
    conf.set_override("timeout", 7, "nova_client")
    conf.set_override("region_name", "north", "nova_client")
    conf.set_override("endpoint_type", "internalURL", "nova_client")
    requester.get("compute", "/flavors")
    assert services.headers[0]["X-Auth-Token"] == "token-of-alice"
    assert services.timeouts == [7]
    assert token.interfaces == [("internalURL", "north")]


def test_an_endpoint_that_is_not_there_is_for_the_operator(
    conf: cfg.ConfigOpts, requester: Requester, token: Token
) -> None:
    conf.set_override("region_name", "north", "glance_client")
    del token.endpoints["image"]
    with pytest.raises(Permanent, match="no publicURL of the image service in region north") as caught:
        requester.get("image", "/images")
    assert caught.value.code is None


@pytest.mark.parametrize(
    "said",
    [
        requests.ConnectionError("refused"),
        requests.Timeout("read"),
        Answer(503),
        Answer(500),
        Answer(429),
        Answer(200, raw=b"<html>Welcome!</html>"),
        Answer(200, body=[1]),
    ],
)
def test_what_may_pass(requester: Requester, services: FakeServices, said: Any) -> None:
    services.planned["network"] = said
    with pytest.raises(Transient, match="The network service"):
        requester.get("network", "/networks")
    assert len(services.asked) == 1


@pytest.mark.parametrize("code", [400, 401, 403, 404])
def test_what_will_not(requester: Requester, services: FakeServices, code: int) -> None:
    services.planned["network"] = Answer(code, {"message": "no"})
    with pytest.raises(Permanent) as caught:
        requester.get("network", "/networks")
    assert caught.value.code == code
