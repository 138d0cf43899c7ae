"""What others do to stacks in Heat is noticed, told and shown."""

from datetime import timedelta
from typing import Any

import pytest

from magnum.clients.errors import Transient
from magnum.common.states import BayStatus, Verb
from magnum.conductor import faults
from magnum.conductor.drift import DriftWatch
from magnum.conductor.stack_lists import StackLists
from magnum.conductor.watches import purge, report, watches
from magnum.db import duties, models
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import Ready, World


def look(world: World) -> None:
    DriftWatch(world.tools).look()


def texts(world: World, uuid: str) -> list[str]:
    return [event.text for event in world.events(uuid)]


def test_nothing_is_told_of_what_magnum_did_itself(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    before = texts(world, uuid)
    look(world)
    world.scale(uuid, 2)
    look(world)
    world.work()
    look(world)
    assert not [text for text in texts(world, uuid)[len(before) :] if "omebody" in text]
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE


def test_a_stack_that_was_deleted(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    del cloud.heat.stacks[world.bay(uuid).stack_id or ""]
    look(world)
    look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_FAILED
    assert "somebody deleted it" in (bay.status_reason or "")
    assert sum("somebody deleted it" in text for text in texts(world, uuid)) == 1
    assert not world.nodes(uuid), "its nodes are gone, too"
    assert (bay.api_address, bay.node_addresses) == (None, [])
    world.ask(uuid, Verb.RETRY)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


@pytest.mark.parametrize("call", ["heat.states", "heat.get"])
def test_a_heat_that_does_not_answer_has_deleted_nothing(
    world: World, cloud: FakeCloud, ready_bay: Ready, call: str
) -> None:
    uuid = ready_bay()
    cloud.heat.sees_all = False
    cloud.calls.fail(call, Transient("The orchestration service does not answer."), times=5)
    look(world)
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_a_stack_that_failed(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.status, stack.reason = "UPDATE", "FAILED", "Resource UPDATE failed: no more addresses"
    look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.UPDATE_FAILED
    assert (bay.status_reason or "").endswith("and that failed: no more addresses")


def test_a_stack_that_was_changed_is_told_once(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.changes = "UPDATE", 7
    look(world)
    look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_COMPLETE
    assert bay.status_reason == "Somebody changed the bay's stack in Heat (update, change 7)."
    assert texts(world, uuid).count(bay.status_reason) == 1


def test_a_stack_whose_deletion_failed_is_built_anew(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    before = world.bay(uuid).stack_id
    stack = world.stack(uuid)
    stack.action, stack.status, stack.reason = "DELETE", "FAILED", "Resource DELETE failed: the network is in use"
    look(world)
    look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_FAILED
    told = "Somebody began to delete the bay's stack in Heat (delete), and that failed: the network is in use"
    assert bay.status_reason == told
    assert texts(world, uuid).count(told) == 1
    world.ask(uuid, Verb.RETRY)
    world.work()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_COMPLETE
    assert bay.stack_id != before


@pytest.mark.parametrize(("asked", "status"), [(False, "Unknown"), (True, "Ready")])
def test_nodes_of_a_stack_whose_deletion_failed(
    world: World, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch, asked: bool, status: str
) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.status, stack.reason = "DELETE", "FAILED", "Resource DELETE failed: the network is in use"

    def collect(_resources: object) -> list[Any]:
        if asked:
            world.scale(uuid, 2)
        return []

    monkeypatch.setattr(faults, "collect", collect)
    look(world)
    assert (world.bay(uuid).status == BayStatus.CREATE_FAILED) != asked
    with world.database.reader() as session:
        found = {node.status for node in session.query(models.Node).filter_by(bay_uuid=uuid)}
    assert found == {status}, "unknown only if nobody works on the bay"


def test_a_check_has_changed_nothing(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.changes = "CHECK", 7
    look(world)
    assert not any("Somebody" in text for text in texts(world, uuid))
    stack.action, stack.changes = "UPDATE", 7
    look(world)
    assert not any("Somebody" in text for text in texts(world, uuid))


def test_a_check_does_not_hide_the_change_before_it(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.changes, stack.updates = "CHECK", 8, [7]
    look(world)
    look(world)
    told = "Somebody changed the bay's stack in Heat (update, change 8)."
    assert world.bay(uuid).status_reason == told
    assert texts(world, uuid).count(told) == 1


def test_a_check_after_an_update_of_ours_is_no_change(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.scale(uuid, 2)
    world.work()
    stack = world.stack(uuid)
    stack.action, stack.changes = "CHECK", stack.changes + 1
    look(world)
    assert not any("Somebody" in text for text in texts(world, uuid))


def test_a_check_that_failed_is_mended_by_an_update(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.status, stack.reason = "CHECK", "FAILED", "Resource CHECK failed: the server is gone"
    look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.UPDATE_FAILED
    assert (
        bay.status_reason == "Somebody had the bay's stack checked in Heat (check), and that failed: the server is gone"
    )


def test_what_magnum_did_while_somebody_looked_is_not_told(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    world.scale(uuid, 2)
    world.work()
    listed = StackLists.look

    def slow(lists: StackLists, *arguments: Any) -> None:
        monkeypatch.setattr(StackLists, "look", listed)
        world.scale(uuid, 3)
        world.work()
        listed(lists, *arguments)

    monkeypatch.setattr(StackLists, "look", slow)
    look(world)
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE
    assert not any("Somebody" in text for text in texts(world, uuid))


def test_a_stack_somebody_is_changing_is_left_alone(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    stack = world.stack(uuid)
    stack.action, stack.status, stack.changes = "UPDATE", "IN_PROGRESS", 7
    look(world)
    assert "Somebody" not in (world.bay(uuid).status_reason or "")


def test_one_conductor_looks_for_all(world: World) -> None:
    minute = timedelta(minutes=1)
    assert duties.take(world.database, "drift", "one", minute)
    assert not duties.take(world.database, "drift", "two", minute)
    assert len(watches(world.tools, "one")) == 5


def test_what_nothing_ends_by_itself_is_told_now_and_then(world: World, cloud: FakeCloud) -> None:
    cloud.heat.at_once = False
    uuid, limited = world.create(timeout=None), world.create(name="limited", timeout=timedelta(days=1))
    world.work(seconds=5)
    for minutes in (30, 40, 10, 55):
        world.time.passes(60 * minutes)
        report(world.tools)
    told = [event.text for event in world.events(uuid) if "has no limit" in event.text]
    assert told == [
        "Create is in progress for 1 h, and has no limit. The last finished step is stack. Deleting the bay ends it.",
        "Create is in progress for 2 h, and has no limit. The last finished step is stack. Deleting the bay ends it.",
    ]
    assert not any("has no limit" in event.text for event in world.events(limited))


def test_stories_are_kept_for_their_time_after_the_bay_is_gone(world: World, ready_bay: Ready) -> None:
    gone, alive = ready_bay(name="gone"), ready_bay(name="alive")
    world.ask(gone, Verb.DELETE)
    world.work()
    world.time.passes(timedelta(days=29).total_seconds())
    purge(world.tools)
    assert world.events(gone)
    world.time.passes(timedelta(days=2).total_seconds())
    purge(world.tools)
    assert not world.events(gone)
    assert world.events(alive)
    with world.database.reader() as session:
        assert {row.bay_uuid for row in session.query(models.Operation)} == {alive}
