"""Requests do not wait for a bus that is away."""

import threading
from typing import Any

import kombu.exceptions
import pytest
from oslo_config import cfg

from magnum.common import rpc
from magnum.common.bus import messaging
from magnum.common.bus_door import BusDoor
from magnum.common.context import RequestContext
from magnum.common.exception import Unavailable


class Client:
    """A bus that is away until told otherwise; then nobody answers, as nobody is there."""

    def __init__(self) -> None:
        self.there = threading.Event()
        self.given_up = threading.Event()
        self.sent: list[str] = []
        self.failures: list[Exception] = []
        self.all_sent = threading.Event()

    def prepare(self, **_options: Any) -> "Client":
        return self

    def call(self, _context: Any, _method: str) -> None:
        if not self.there.wait(10):
            self.given_up.set()
        raise messaging.MessagingTimeout("nobody answered")

    def cast(self, _context: Any, method: str, **_arguments: Any) -> None:
        if self.failures:
            raise self.failures.pop()
        self.sent.append(method)
        if method == "last":
            self.all_sent.set()


def test_casts_wait_for_the_bus_in_their_order_and_nobody_waits_for_them() -> None:
    client = Client()
    door = BusDoor(client, "topic")
    for method in ("first", "second", "last"):
        door.cast(None, method)
    assert not door.wait_open(0.05), "they did not wait for it"
    client.there.set()
    assert door.wait_open(5)
    assert client.all_sent.wait(5)
    assert client.sent == ["first", "second", "last"]


@pytest.mark.parametrize(
    "error",
    [messaging.MessageDeliveryFailure("x"), kombu.exceptions.OperationalError("x"), ConnectionResetError(), KeyError()],
)
def test_a_cast_that_cannot_go_stops_none_after_it(error: Exception) -> None:
    client = Client()
    client.there.set()
    client.failures.append(error)
    door = BusDoor(client, "topic")
    door.cast(None, "lost")
    door.cast(None, "last")
    assert client.all_sent.wait(5)
    assert client.sent == ["last"]


def test_more_casts_than_are_kept_are_dropped() -> None:
    client = Client()
    door = BusDoor(client, "topic")
    for _ in range(5000):
        door.cast(None, "hint")
    client.there.set()


def test_calls_are_refused_at_once_while_the_bus_is_away(
    conf: cfg.ConfigOpts, context: RequestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rpc, "_OPENING_SECONDS", 0.05)
    bus = Client()
    monkeypatch.setattr(messaging, "get_rpc_client", lambda *_args, **_options: bus)
    client = rpc.ConductorClient(conf, None)
    with pytest.raises(Unavailable, match="message bus cannot be reached"):
        client.workload_refresh(context, "pod", ["x"])
    client.operation_queued(context, "x")
    assert not bus.given_up.is_set(), "neither waited for it"
    bus.there.set()
