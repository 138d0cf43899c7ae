"""Listeners on the bus learn of each operation: that it was accepted, and how it ended."""

import importlib
import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from oslo_config import cfg

from magnum.common import rpc
from magnum.common.bus import messaging
from magnum.common.states import Verb
from magnum.conductor.notifications import BusAway, OsloBus, Teller
from magnum.db import notices
from tests.unit.conductor.conftest import Ready, World


@dataclass
class FakeBus:
    """Keeps what it is given, or is away."""

    taken: list[tuple[str, dict[str, Any], bool]] = field(default_factory=list)
    away: bool = False
    asked: int = 0

    def send(self, event_type: str, payload: dict[str, Any], *, failed: bool) -> None:
        self.asked += 1
        if self.away:
            raise BusAway("connection refused")
        self.taken.append((event_type, payload, failed))

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event_type, payload["outcome"]) for event_type, payload, _ in self.taken]


_SUPERSEDED = [("create", "pending"), ("create", "failure"), ("delete", "pending")]


@pytest.fixture
def bus() -> FakeBus:
    return FakeBus()


@pytest.fixture
def teller(world: World, bus: FakeBus) -> Teller:
    return Teller(world.database, bus)


def test_an_operation_is_told_when_it_is_accepted_and_when_it_has_ended(
    world: World, bus: FakeBus, teller: Teller
) -> None:
    world.create()
    teller.tell()
    assert bus.told == [("magnum.bay.create", "pending")]
    teller.tell()
    assert len(bus.taken) == 1
    world.work()
    teller.tell()
    teller.tell()
    assert bus.told == [("magnum.bay.create", "pending"), ("magnum.bay.create", "success")]


def test_what_went_by_unseen_is_told_in_its_order(world: World, ready_bay: Ready, bus: FakeBus, teller: Teller) -> None:
    uuid = ready_bay()
    world.scale(uuid, 3)
    world.work()
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)
    teller.tell()
    assert bus.told == [
        (f"magnum.bay.{verb}", outcome) for verb in ("create", "update", "delete") for outcome in ("pending", "success")
    ]


def test_it_says_who_asked_for_what_and_why_it_failed(world: World, bus: FakeBus, teller: Teller) -> None:
    world.cloud.heat.at_once = False
    uuid = world.create()
    while world.turn():
        pass
    world.stack(uuid).fail("Quota exceeded for instances")
    world.work()
    teller.tell()
    (_, pending, quiet), (_, failure, loud) = bus.taken
    assert (quiet, loud) == (False, True)
    assert failure["typeURI"].endswith("/event")
    assert failure["target"] == {"typeURI": "service/magnum/bay", "id": uuid}
    assert failure["initiator"]["id"] == "user-a"
    assert failure["initiator"]["project_id"] == "project-a"
    assert failure["initiator"]["request_id"] == world.context.request_id
    assert failure["reason"] == {"reasonType": "service/magnum/operation", "reasonCode": "failed"}
    assert "Quota exceeded for instances" in failure["attachments"][0]["content"]["reason"]
    assert "reason" not in pending
    assert pending["id"] != failure["id"]
    secret = world.tools.secrets.decrypt(world.bay(uuid).trustee_secret or "")
    assert secret not in json.dumps([pending, failure])


def test_what_a_delete_supersedes_has_failed(world: World, bus: FakeBus, teller: Teller) -> None:
    uuid = world.create()
    world.ask(uuid, Verb.DELETE)
    teller.tell()
    assert bus.told == [
        ("magnum.bay.create", "pending"),
        ("magnum.bay.create", "failure"),
        ("magnum.bay.delete", "pending"),
    ]
    assert "Another request" in bus.taken[1][1]["attachments"][0]["content"]["reason"]


def test_a_bus_that_is_away_gets_all_later_and_is_not_asked_all_the_time(
    world: World, bus: FakeBus, teller: Teller, caplog: pytest.LogCaptureFixture
) -> None:
    bus.away = True
    for _ in range(5):
        world.create()
    for _ in range(60):
        teller.tell()
        world.time.passes(1)
    assert bus.asked < 10
    assert caplog.text.count("bus does not take anything") == 1
    bus.away = False
    world.time.passes(30)
    teller.tell()
    assert bus.told == [("magnum.bay.create", "pending")] * 5


def test_two_conductors_tell_it_once(world: World, bus: FakeBus, teller: Teller) -> None:
    world.create()
    other = Teller(world.database, FakeBus())
    with world.database.writer() as session:
        (operation,) = notices.untold(session, age=timedelta(days=1), limit=9)
        assert notices.take(session, operation, world.time.now() + timedelta(seconds=60))
        assert not notices.take(session, operation, world.time.now())
    other.tell()
    teller.tell()
    assert bus.told == []
    world.time.passes(61)  # the one who had taken it is no more
    teller.tell()
    assert bus.told == [("magnum.bay.create", "pending")]


def test_what_was_sent_and_never_noted_comes_again_with_the_same_id(
    world: World, bus: FakeBus, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: Any) -> bool:
        raise KeyboardInterrupt

    world.create()
    with monkeypatch.context() as patched:
        patched.setattr(notices, "note", killed)
        with pytest.raises(KeyboardInterrupt):
            teller.tell()
    world.time.passes(61)
    teller.tell()
    assert [payload["id"] for _, payload, _ in bus.taken] == [bus.taken[0][1]["id"]] * 2


def test_old_news_are_none(world: World, bus: FakeBus, teller: Teller) -> None:
    world.create()
    world.time.passes(2 * 86400)
    teller.tell()
    assert bus.told == []


def test_the_drivers_of_oslo_messaging_are_used(conf: cfg.ConfigOpts) -> None:
    rpc.transport(conf, rpc.IN_MEMORY)  # makes the options known
    conf.set_override("transport_url", rpc.IN_MEMORY)
    assert not OsloBus(conf).wanted
    conf.set_override("driver", ["test"], group="oslo_messaging_notifications")
    conf.set_override("host", "here")
    test_driver = importlib.import_module("oslo_messaging.notify._impl_test")
    test_driver.reset()
    bus = OsloBus(conf)
    assert bus.wanted
    bus.send("magnum.bay.create", {"outcome": "failure"}, failed=True)
    ((_, message, level, _),) = test_driver.NOTIFICATIONS
    assert level == "ERROR"
    assert message["event_type"] == "magnum.bay.create"
    assert message["publisher_id"] == "magnum.here"


def test_a_driver_that_cannot_send_is_a_bus_that_is_away(
    conf: cfg.ConfigOpts, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise messaging.MessageDeliveryFailure("no route to host")

    rpc.transport(conf, rpc.IN_MEMORY)  # makes the options known
    conf.set_override("transport_url", rpc.IN_MEMORY)
    OsloBus(conf)
    conf.set_override("driver", ["messagingv2"], group="oslo_messaging_notifications")
    bus = OsloBus(conf)
    monkeypatch.setattr(bus._transport._driver, "send_notification", fail)
    with pytest.raises(BusAway, match="no route to host"):
        bus.send("magnum.bay.create", {"outcome": "pending"}, failed=False)
    assert caplog.text == ""
