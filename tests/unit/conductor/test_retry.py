"""Doing again what failed, and going back to what was whole."""

import pytest

from magnum.common.exception import Conflict
from magnum.common.states import BayStatus, Verb
from magnum.conductor.operations import PLANS
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import Ready, World
from tests.unit.conductor.trouble import kill_before_recording, nothing_is_left, run_until_killed

CREATE_STEPS = [step.name for step in PLANS[Verb.CREATE].steps]


@pytest.fixture
def failed_bay(world: World, cloud: FakeCloud) -> str:
    """A bay whose stack failed."""
    cloud.heat.at_once = False
    uuid = world.create(node_count=2)
    world.work(seconds=5)
    cloud.heat.only().fail("No valid host was found")
    world.work(seconds=60)
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    cloud.heat.at_once = True
    return uuid


def test_a_failed_creation_is_done_anew(world: World, cloud: FakeCloud, failed_bay: str) -> None:
    old = world.bay(failed_bay).stack_id
    world.ask(failed_bay, Verb.RETRY)
    assert (world.bay(failed_bay).status, world.bay(failed_bay).faults) == (BayStatus.CREATE_IN_PROGRESS, [])
    world.work()
    bay = world.bay(failed_bay)
    assert bay.status == BayStatus.CREATE_COMPLETE
    assert bay.stack_id == cloud.heat.only().id != old
    assert len(world.nodes(failed_bay)) == 3
    assert "Heat deletes the stack that failed." in [event.text for event in world.events(failed_bay)]


def test_a_creation_that_failed_before_its_stack_is_done_anew(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    world.time.passes(3601)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    world.ask(uuid, Verb.RETRY)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
    assert len(cloud.heat.stacks) == 1


@pytest.mark.parametrize("name", CREATE_STEPS)
def test_another_conductor_finishes_a_retry(
    world: World, cloud: FakeCloud, failed_bay: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    world.ask(failed_bay, Verb.RETRY)
    kill_before_recording(monkeypatch, name)
    run_until_killed(world)
    world.work(owner="two")
    assert world.bay(failed_bay).status == BayStatus.CREATE_COMPLETE
    assert len(cloud.heat.stacks) == len(cloud.keystone.users) == 1


def test_what_is_left_of_a_failed_creation_may_not_go(world: World, cloud: FakeCloud, failed_bay: str) -> None:
    cloud.heat.at_once = False
    world.ask(failed_bay, Verb.RETRY)
    world.work(seconds=5)
    stack = cloud.heat.only()
    assert stack.action == "DELETE"
    stack.fail("a port is in use")
    world.work(seconds=60)
    bay = world.bay(failed_bay)
    assert (bay.status, bay.status_reason) == (BayStatus.CREATE_FAILED, "a port is in use")
    cloud.heat.at_once = True
    world.ask(failed_bay, Verb.RETRY)
    world.work()
    assert world.bay(failed_bay).status == BayStatus.CREATE_COMPLETE


def test_a_retry_can_be_superseded_by_a_deletion(world: World, cloud: FakeCloud, failed_bay: str) -> None:
    world.ask(failed_bay, Verb.RETRY)
    world.turn()
    world.ask(failed_bay, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def _half_changed(world: World, cloud: FakeCloud, uuid: str, node_count: int) -> None:
    """An update to so many nodes fails."""
    cloud.heat.at_once = False
    world.scale(uuid, node_count)
    world.work(seconds=5)
    world.stack(uuid).fail("Quota exceeded")
    world.work(seconds=60)
    assert world.bay(uuid).status == BayStatus.UPDATE_FAILED
    cloud.heat.at_once = True


def test_a_failed_update_is_done_again(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    _half_changed(world, cloud, uuid, 3)
    world.ask(uuid, Verb.RETRY)
    assert world.bay(uuid).status == BayStatus.UPDATE_IN_PROGRESS
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, 3)
    assert "Retry to 3 nodes was accepted." in [event.text for event in world.events(uuid)]


def test_an_update_before_the_bay_was_built_anew_is_not_done_again(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay(node_count=2)
    _half_changed(world, cloud, uuid, 5)
    stack = world.stack(uuid)
    stack.action, stack.status = "DELETE", "COMPLETE"
    world.look_for_drift()
    world.ask(uuid, Verb.RETRY)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.CREATE_COMPLETE, 2)
    world.look_for_drift()
    stack = world.stack(uuid)
    stack.action, stack.changes = "UPDATE", stack.changes + 1
    stack.fail("by hand")
    world.look_for_drift()
    assert world.bay(uuid).status == BayStatus.UPDATE_FAILED
    world.ask(uuid, Verb.RETRY)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, 2)


def test_a_failed_update_is_taken_back(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    _half_changed(world, cloud, uuid, 4)
    _half_changed(world, cloud, uuid, 3)
    world.ask(uuid, Verb.ROLLBACK)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, 2)
    assert world.stack(uuid).wanted["node_count"] == 2


def test_a_failed_deletion_is_done_again(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=5)
    world.stack(uuid).fail("a port is in use")
    world.work(seconds=60)
    assert world.bay(uuid).status == BayStatus.DELETE_FAILED
    cloud.heat.at_once = True
    world.ask(uuid, Verb.RETRY)
    world.work()
    assert nothing_is_left(world, cloud)


def test_what_has_not_failed_is_not_done_again(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    for verb in (Verb.RETRY, Verb.ROLLBACK):
        with pytest.raises(Conflict, match='status is "CREATE_COMPLETE"; possible are: update, delete'):
            world.ask(uuid, verb)
