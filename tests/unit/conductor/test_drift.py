"""What others do to stacks in Heat is noticed, told and shown."""

from datetime import timedelta
from typing import Any

import pytest

from magnum.clients.errors import Permanent, Transient
from magnum.common.states import BayStatus, Verb
from magnum.conductor import faults
from magnum.conductor.health import HealthWatch
from magnum.conductor.stack_lists import StackLists
from magnum.conductor.watches import purge, report, watches
from magnum.db import duties, models
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import Ready, World


def look(world: World) -> None:
    world.look_for_drift()


def look_for_long(world: World) -> None:
    look(world)
    world.time.passes(601)
    look(world)
    look(world)


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


@pytest.mark.parametrize("shown", [True, False])
def test_a_stack_that_was_deleted(world: World, cloud: FakeCloud, ready_bay: Ready, shown: bool) -> None:
    uuid = ready_bay()
    HealthWatch(world.tools, 60).look()
    if shown:
        world.stack(uuid).action = "DELETE"
    else:
        del cloud.heat.stacks[world.bay(uuid).stack_id or ""]
        look(world)
        assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
        world.time.passes(601)
    look(world)
    look(world)
    bay = world.bay(uuid)
    assert (bay.status, bay.health_status, bay.faults) == (BayStatus.CREATE_FAILED, None, [])
    assert "somebody deleted it" in (bay.status_reason or "")
    assert sum("somebody deleted it" in text for text in texts(world, uuid)) == 1
    assert not world.nodes(uuid), "its nodes are gone, too"
    assert (bay.api_address, bay.node_addresses) == (None, [])
    world.ask(uuid, Verb.RETRY)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_a_stack_that_heat_does_not_know_for_a_while(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    before = texts(world, uuid)
    for _ in range(3):
        with cloud.heat.unseen():
            look(world)
            world.time.passes(300)
            look(world)
        world.time.passes(400)
        look(world)
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
    assert texts(world, uuid) == before


def test_a_stack_that_heat_shows_again_after_all(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    world.scale(uuid, 3)
    world.work()
    before = world.bay(uuid)
    with cloud.heat.unseen():
        look(world)
        world.time.passes(601)
        look(world)
        assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    look(world)
    look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.UPDATE_FAILED
    told = "Heat shows the bay's stack again, which it did not for a while. Retry sees to it that the bay is whole."
    assert bay.status_reason == told
    assert (bay.api_address, bay.node_addresses) == (before.api_address, before.node_addresses)
    assert texts(world, uuid).count(told) == 1
    world.ask(uuid, Verb.RETRY)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, bay.stack_id, bay.node_count) == (BayStatus.UPDATE_COMPLETE, before.stack_id, 3)
    assert len(world.nodes(uuid)) == 4


@pytest.mark.parametrize("trouble", ["refused", "broken", "no user"])
def test_a_failed_stack_of_which_no_more_can_be_read(
    world: World, cloud: FakeCloud, ready_bay: Ready, trouble: str
) -> None:
    uuid = ready_bay()
    look(world)
    stack = world.stack(uuid)
    stack.action, stack.changes = "UPDATE", stack.changes + 1
    stack.fail("No valid host was found.")
    if trouble == "no user":
        cloud.keystone.users.clear()
    else:
        refusal = Permanent("Access was denied to this resource.", 403)
        cloud.calls.fail("heat.resources", refusal if trouble == "refused" else Transient("HTTP 500"), times=1000)
    for _ in range(4 if trouble == "broken" else 1):
        assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
        look(world)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.UPDATE_FAILED
    assert "No valid host was found." in (bay.status_reason or "")


def test_a_deletion_that_failed_is_told_though_heat_gives_no_closer_look(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action = "DELETE"
    stack.fail("Port in use.")
    for call in ("heat.get", "heat.resources"):
        cloud.calls.fail(call, Transient("HTTP 500", tries=6), times=1000)
    for _ in range(8):
        look(world)
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    assert "Port in use." in (world.bay(uuid).status_reason or "")


def test_a_stack_that_is_being_deleted(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    stack = world.stack(uuid)
    stack.action, stack.status = "DELETE", "IN_PROGRESS"
    look(world)
    look(world)
    told = "Somebody deletes the bay's stack in Heat."
    bay = world.bay(uuid)
    assert (bay.status, bay.status_reason) == (BayStatus.CREATE_COMPLETE, told)
    assert texts(world, uuid).count(told) == 1


@pytest.mark.parametrize("sees_all", [True, False])
def test_a_stack_that_is_not_there_and_a_user_that_is_not_either(
    world: World, cloud: FakeCloud, ready_bay: Ready, sees_all: bool
) -> None:
    uuid, other = ready_bay(), ready_bay(name="other")
    cloud.heat.sees_all = sees_all
    del cloud.heat.stacks[world.bay(uuid).stack_id or ""]
    del cloud.keystone.users[uuid]
    look_for_long(world)
    told = "Magnum cannot look at the bay's stack any more: The orchestration service does not accept the bay's user."
    assert world.bay(uuid).status_reason == told
    assert texts(world, uuid).count(told) == 1
    assert not any("Magnum cannot" in text for text in texts(world, other))


def test_a_user_that_is_let_in_again(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    users, cloud.heat.sees_all = dict(cloud.keystone.users), False
    cloud.keystone.users.clear()
    look(world)
    assert "Magnum" not in (world.bay(uuid).status_reason or ""), "it may pass"
    look_for_long(world)
    assert "Magnum cannot look" in (world.bay(uuid).status_reason or "")
    cloud.keystone.users.update(users)
    world.look_for_drift(anew=True)
    look(world)
    assert world.bay(uuid).status_reason is None
    assert texts(world, uuid)[-1] == "Magnum can look at the bay's stack again."


@pytest.mark.parametrize("sees_all", [True, False])
def test_one_password_that_cannot_be_read_hides_no_other_bay(
    world: World, cloud: FakeCloud, ready_bay: Ready, sees_all: bool
) -> None:
    odd, other = ready_bay(), ready_bay(name="other")
    cloud.heat.sees_all = sees_all
    with world.database.writer() as session:
        session.query(models.Bay).filter_by(uuid=odd).update({"trustee_secret": "of another key"})
    del cloud.heat.stacks[world.bay(odd).stack_id or ""]
    world.stack(other).action = "DELETE"
    look_for_long(world)
    assert world.bay(other).status == BayStatus.CREATE_FAILED
    assert world.bay(odd).status == BayStatus.CREATE_COMPLETE
    assert "the password of the bay's user cannot be read" in (world.bay(odd).status_reason or "")


def test_what_others_do_to_a_bay_whose_change_failed_is_told_too(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.scale(uuid, 2)
    world.work(seconds=5)
    stack = world.stack(uuid)
    stack.fail("Quota exceeded")
    world.work(seconds=60)
    look(world)
    look(world)
    assert not any("Somebody" in text for text in texts(world, uuid)), "it was Magnum"
    stack.status, stack.changes = "COMPLETE", stack.changes + 1
    look(world)
    look(world)
    told = "Somebody changed the bay's stack in Heat (update, change 2)."
    bay = world.bay(uuid)
    assert (bay.status, bay.status_reason) == (BayStatus.UPDATE_FAILED, f"{told} Before: Quota exceeded")
    assert texts(world, uuid).count(told) == 1
    stack.fail("Out of addresses")
    stack.changes += 1
    look(world)
    look(world)
    told = "Somebody changed the bay's stack in Heat (update), and that failed: Out of addresses"
    assert world.bay(uuid).status_reason == told
    assert texts(world, uuid).count(told) == 1
    for number in (6, 7):
        stack.status, stack.changes = "COMPLETE", number
        look(world)
        changed = f"Somebody changed the bay's stack in Heat (update, change {number})."
        assert world.bay(uuid).status_reason == f"{changed} Before: {told}", "and no more each time"


def test_a_snapshot_changes_nothing(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    stack = world.stack(uuid)
    stack.action, stack.changes = "SNAPSHOT", 7
    look(world)
    assert not any("Somebody" in text for text in texts(world, uuid))


def test_after_trouble_of_others_a_rollback_goes_to_what_the_bay_had(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    world.scale(uuid, 3)
    world.work()
    stack = world.stack(uuid)
    stack.action, stack.status, stack.reason = "UPDATE", "FAILED", "Resource UPDATE failed: no more addresses"
    look(world)
    assert world.bay(uuid).status == BayStatus.UPDATE_FAILED
    world.ask(uuid, Verb.ROLLBACK)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, 3)


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


@pytest.mark.parametrize("found", [True, False])
def test_stories_are_kept_for_their_time_after_the_bay_is_gone(
    world: World, cloud: FakeCloud, ready_bay: Ready, found: bool
) -> None:
    gone, alive = ready_bay(name="gone"), ready_bay(name="alive")
    world.ask(gone, Verb.DELETE)
    world.work()
    world.time.passes(timedelta(days=29).total_seconds())
    purge(world.tools)
    assert world.events(gone)
    world.time.passes(timedelta(days=2).total_seconds())
    cloud.keystone.users[gone] = ("late", "password", "project")
    cloud.calls.fail("keystone.delete_user", Transient("The identity service does not answer."))
    purge(world.tools)
    assert world.events(gone)
    cloud.calls.fail("keystone.delete_user", Transient("It has an error.", tries=6), times=0 if found else 1)
    purge(world.tools)
    assert not world.events(gone)
    assert world.events(alive)
    assert (gone in cloud.keystone.users) is not found
    with world.database.reader() as session:
        assert {row.bay_uuid for row in session.query(models.Operation)} == {alive}
