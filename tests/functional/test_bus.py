"""What the API asks of a conductor really goes over a bus, and errors come back as what they were."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from oslo_config import cfg

from magnum.api import app as api_app
from magnum.api.call import Services
from magnum.common import rpc
from magnum.common.bus import messaging
from magnum.common.context import RequestContext
from magnum.common.exception import BayUnreachable, Invalid, MagnumError, RemoteRefusal
from tests.functional.conftest import Client, sentences
from tests.functional.test_workloads import POD


class Endpoint:
    """A conductor that has nothing but bad news."""

    target = messaging.Target(version=rpc.NAMESPACE_VERSION)

    def __init__(self) -> None:
        self.error: MagnumError = Invalid("unset")
        self.context: RequestContext | None = None

    @messaging.expose
    @messaging.expected_exceptions(MagnumError)
    def workload_create(self, context: RequestContext, **_arguments: Any) -> str:
        self.context = context
        raise self.error

    @messaging.expose
    def workload_refresh(self, _context: RequestContext, **_arguments: Any) -> None:
        return


@pytest.fixture
def bus(conf: cfg.ConfigOpts) -> Iterator[Any]:
    transport = rpc.transport(conf, rpc.IN_MEMORY)
    yield transport
    transport.cleanup()  # what nobody has taken would be there in the next test


@pytest.fixture
def endpoint(conf: cfg.ConfigOpts, bus: Any) -> Iterator[tuple[Any, Endpoint]]:
    """A bus and who listens on it."""
    endpoint = Endpoint()
    server = rpc.server(conf, bus, [endpoint])
    server.start()
    yield bus, endpoint
    server.stop()
    server.wait()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (Invalid(["one is wrong.", "two is wrong."]), 400, ["one is wrong.", "two is wrong."]),
        (RemoteRefusal(422, "the bay says no"), 422, ["the bay says no"]),
        (BayUnreachable("the bay is silent"), 503, ["the bay is silent"]),
    ],
)
def test_errors_travel(
    conf: cfg.ConfigOpts,
    services: Services,
    endpoint: tuple[Any, Endpoint],
    tokens: Any,
    ready_bay: dict[str, Any],
    error: MagnumError,
    code: int,
    said: list[str],
) -> None:
    bus, conductor = endpoint
    conductor.error = error
    real = replace(services, conductor=rpc.ConductorClient(conf, bus))
    alice = Client(api_app.load(conf, real), "project-a-alice-member-reader")
    response = alice.post("/v1/pods", {"bay_uuid": "web", "manifest": POD})
    assert (response.status_int, sentences(response)) == (code, said)
    assert conductor.context is not None
    assert conductor.context.project_id == "project-a"
    assert conductor.context.request_id == response.headers["X-Openstack-Request-Id"]
    assert conductor.context.auth_token is None
    assert alice.get("/v1/pods").status_int == 200


def test_nobody_listens(
    conf: cfg.ConfigOpts, services: Services, tokens: Any, bus: Any, ready_bay: dict[str, Any], alice: Client
) -> None:
    conf.set_override("rpc_timeout", 1, group="conductor")
    real = replace(services, conductor=rpc.ConductorClient(conf, bus))
    client = Client(api_app.load(conf, real), "project-a-alice-member-reader")
    assert client.post("/v1/pods", {"bay_uuid": "web", "manifest": POD}).status_int == 503
    assert client.get("/v1/pods").json == {"pods": []}
