"""An update that Heat undoes: what the bay is then, what is told, and that nobody can get stuck in between."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from magnum.clients.errors import Permanent, ServiceError
from magnum.clients.heat import StackResource
from magnum.common.exception import Conflict
from magnum.common.states import BayStatus, Verb
from magnum.conductor.operations import PLANS
from magnum.db import models
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import Ready, World
from tests.unit.conductor.trouble import AWAY, kill_before_recording, leaf, nothing_is_left, run_until_killed

QUOTA = leaf(("nodes", "1", "server"), "OS::Nova::Server", "Forbidden: resources.server: Quota exceeded for instances")
CHANGE_FAILED = "Resource UPDATE failed: resources.nodes: it failed"
STEPS = [step.name for step in PLANS[Verb.UPDATE].steps]
FROM_WAIT_ON = STEPS[STEPS.index("wait_stack") :]


@pytest.fixture
def growing(world: World, cloud: FakeCloud, ready_bay: Ready) -> str:
    """A bay of one node that is to have three; Heat has begun."""
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.scale(uuid, 3, rollback=True)
    world.turn()
    return uuid


def shrinking(world: World, cloud: FakeCloud, ready_bay: Ready) -> str:
    """A bay of three nodes that is to have one; its others are drained, and Heat has begun."""
    uuid = ready_bay(node_count=3)
    world.scale(uuid, 1, rollback=True)
    cloud.calls.listeners.append(lambda name: setattr(cloud.heat, "at_once", not world.stack(uuid).rollback))
    world.work(seconds=20)
    cloud.calls.listeners.clear()
    assert world.stack(uuid).rollback
    return uuid


def test_heat_is_asked_to_roll_back_by_those_updates_only_that_want_it(world: World, growing: str) -> None:
    stack = world.stack(growing)
    assert stack.rollback
    stack.settle()
    world.work()
    world.scale(growing, 1)
    world.turn()
    assert not world.stack(growing).rollback


def test_an_update_that_succeeds_is_an_update(world: World, growing: str) -> None:
    world.stack(growing).settle()
    world.work()
    assert (world.bay(growing).status, world.bay(growing).node_count) == (BayStatus.UPDATE_COMPLETE, 3)


def test_heat_has_time_to_go_back_before_the_deadline(world: World, growing: str) -> None:
    stack = world.stack(growing)
    assert stack.timeout_minutes == 30
    assert 1600 <= stack.wanted["timeout"] <= 1750


@pytest.mark.parametrize("trouble", [AWAY, Permanent("Access was denied to this resource.", 403)])
def test_it_is_waited_for_even_if_nobody_says_why(
    world: World, cloud: FakeCloud, growing: str, trouble: ServiceError
) -> None:
    world.stack(growing).begin_rollback(CHANGE_FAILED, [QUOTA])
    cloud.calls.fail("heat.failed_update", trouble, times=1000)
    world.poll()
    world.work(seconds=60)
    assert world.bay(growing).status == BayStatus.ROLLBACK_IN_PROGRESS
    cloud.heat.at_once = True
    world.work()
    bay = world.bay(growing)
    assert (bay.status, bay.node_count) == (BayStatus.ROLLBACK_COMPLETE, 1)
    assert bay.status_reason == "Update failed and was rolled back to 1 node: Heat does not say why."


def test_while_it_goes_back_the_bay_says_so_and_why(world: World, growing: str) -> None:
    world.stack(growing).begin_rollback(CHANGE_FAILED, [QUOTA])
    world.poll()
    world.turn()
    bay = world.bay(growing)
    assert (bay.status, bay.node_count) == (BayStatus.ROLLBACK_IN_PROGRESS, 1)
    assert bay.status_reason == "Update failed and is rolled back: node 1: Quota exceeded for instances"
    assert bay.faults[0]["resource"] == "nodes.1.server"
    told = world.events(growing)[-1]
    assert (told.level, told.text) == ("error", bay.status_reason)
    world.poll()
    assert world.claim() is None, "what is known already makes nothing due"


def test_a_bay_that_was_rolled_back_is_whole_again(world: World, cloud: FakeCloud, growing: str) -> None:
    stack = world.stack(growing)
    stack.nodes.append(f"{stack.name}-node-1")
    world.running(growing).list_nodes()
    stack.begin_rollback(CHANGE_FAILED, [QUOTA])
    world.work(seconds=3)
    stack.settle()
    world.work()
    bay = world.bay(growing)
    assert (bay.status, bay.node_count) == (BayStatus.ROLLBACK_COMPLETE, 1)
    assert bay.status_reason == "Update failed and was rolled back to 1 node: node 1: Quota exceeded for instances"
    assert [fault["name"] for fault in bay.faults] == ["node 1"]
    assert len(world.nodes(growing)) == 2
    assert world.events(growing)[-1].text == bay.status_reason
    cloud.heat.at_once = True
    world.scale(growing, 2, rollback=True)
    world.work()
    bay = world.bay(growing)
    assert (bay.status, bay.node_count, bay.faults) == (BayStatus.UPDATE_COMPLETE, 2, [])


def test_a_rollback_that_is_over_before_anybody_looks(world: World, growing: str) -> None:
    world.stack(growing).begin_rollback(CHANGE_FAILED)
    world.stack(growing).settle()
    world.work()
    assert world.bay(growing).status == BayStatus.ROLLBACK_COMPLETE
    assert "error" in {event.level for event in world.events(growing)}
    assert "it failed" in (world.bay(growing).status_reason or "")


def test_one_that_somebody_else_asked_heat_for_is_told_as_well(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.scale(uuid, 3)
    world.turn()
    world.stack(uuid).begin_rollback("")
    world.stack(uuid).settle()
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.ROLLBACK_COMPLETE, 1)
    assert (world.bay(uuid).status_reason or "").endswith("Heat was asked to cancel it.")


def test_the_moment_between_the_failure_and_the_rollback_is_no_end(world: World, growing: str) -> None:
    stack = world.stack(growing)
    stack.fail(CHANGE_FAILED)
    stack.failed = type(stack.failed)(CHANGE_FAILED, [QUOTA])
    world.work(seconds=10)
    assert world.bay(growing).status == BayStatus.UPDATE_IN_PROGRESS
    stack.begin_rollback("")
    stack.settle()
    world.work()
    assert world.bay(growing).status == BayStatus.ROLLBACK_COMPLETE
    assert "node 1: Quota exceeded" in (world.bay(growing).status_reason or "")


def test_a_rollback_that_never_begins_is_a_failed_update(world: World, growing: str) -> None:
    stack = world.stack(growing)
    stack.fail(CHANGE_FAILED)
    stack.failed = type(stack.failed)(CHANGE_FAILED, [QUOTA])
    world.work(seconds=120)
    bay = world.bay(growing)
    assert bay.status == BayStatus.UPDATE_FAILED
    assert bay.status_reason == "node 1: Quota exceeded for instances Heat did not roll it back."


def test_a_rollback_that_fails_says_both_and_has_ways_out(world: World, cloud: FakeCloud, growing: str) -> None:
    stack = world.stack(growing)
    stack.begin_rollback(CHANGE_FAILED, [QUOTA])
    world.work(seconds=3)
    port = StackResource(("nodes", "2", "port"), "OS::Neutron::Port", "DELETE_FAILED", "Port is in use.", "p", False)
    stack.fail("Resource DELETE failed", [port])
    world.work(seconds=3)
    assert world.bay(growing).status == BayStatus.ROLLBACK_IN_PROGRESS
    stack.fail("Resource DELETE failed", [port])
    world.work()
    bay = world.bay(growing)
    assert bay.status == BayStatus.ROLLBACK_FAILED
    assert bay.status_reason == (
        "Rollback failed: node 2: Port is in use. It had begun because the update failed: "
        "node 1: Quota exceeded for instances"
    )
    assert [fault["name"] for fault in bay.faults] == ["node 2", "node 1"]
    with pytest.raises(Conflict, match="Update it without rollback"):
        world.scale(growing, 2, rollback=True)
    cloud.heat.at_once = True
    world.scale(growing, 2)
    world.work()
    assert (world.bay(growing).status, world.bay(growing).node_count) == (BayStatus.UPDATE_COMPLETE, 2)


@pytest.mark.parametrize("answer_is_lost", [False, True])
def test_a_rollback_that_broke_off_what_it_wants_is_asked_for_again(
    world: World, cloud: FakeCloud, growing: str, answer_is_lost: bool
) -> None:
    stack = world.stack(growing)
    stack.begin_rollback(CHANGE_FAILED, [QUOTA])
    world.work(seconds=3)
    stack.fail("Resource UPDATE failed", [leaf(("nodes", "0"), "server.yaml", "Stack UPDATE cancelled")])
    if answer_is_lost:
        cloud.calls.fail("heat.update", AWAY, after=True)
    world.work(seconds=10)
    assert (world.bay(growing).status, world.bay(growing).node_count) == (BayStatus.ROLLBACK_IN_PROGRESS, 1)
    assert not stack.rollback
    assert cloud.calls.count["heat.update"] == 2
    stack.settle()
    world.work()
    bay = world.bay(growing)
    assert (bay.status, bay.node_count) == (BayStatus.ROLLBACK_COMPLETE, 1)
    assert bay.status_reason == "Update failed and was rolled back to 1 node: node 1: Quota exceeded for instances"


def test_a_deadline_that_passes_meanwhile_ends_it(world: World, cloud: FakeCloud, growing: str) -> None:
    world.stack(growing).begin_rollback(CHANGE_FAILED, [QUOTA])
    world.work(seconds=3)
    world.time.passes(3600)
    for call in ("heat.states", "heat.get"):
        cloud.calls.fail(call, AWAY, times=1000)
    world.work(seconds=5)
    bay = world.bay(growing)
    assert bay.status == BayStatus.ROLLBACK_FAILED
    assert "Rollback did not end in its time" in (bay.status_reason or "")
    assert "Quota exceeded" in (bay.status_reason or "")


@pytest.mark.parametrize("settled", [False, True])
def test_a_deletion_supersedes_it(world: World, cloud: FakeCloud, growing: str, settled: bool) -> None:
    world.stack(growing).begin_rollback(CHANGE_FAILED, [QUOTA])
    world.work(seconds=3)
    if settled:
        world.stack(growing).settle()
        world.work()
    cloud.heat.at_once = True
    world.ask(growing, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_failed_one_can_be_deleted(world: World, cloud: FakeCloud, growing: str) -> None:
    world.stack(growing).begin_rollback(CHANGE_FAILED)
    for _ in range(2):
        world.stack(growing).fail("No.")
        world.work(seconds=3)
    assert world.bay(growing).status == BayStatus.ROLLBACK_FAILED
    cloud.heat.at_once = True
    world.ask(growing, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize("step", FROM_WAIT_ON)
def test_another_conductor_brings_it_to_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch, growing: str, step: str
) -> None:
    kill_before_recording(monkeypatch, step)
    world.stack(growing).begin_rollback(CHANGE_FAILED, [QUOTA])
    world.stack(growing).settle()
    run_until_killed(world)
    world.work(owner="two")
    bay = world.bay(growing)
    assert (bay.status, bay.node_count) == (BayStatus.ROLLBACK_COMPLETE, 1)
    assert [event.level for event in world.events(growing)].count("error") == 1
    assert len(world.nodes(growing)) == 2


def test_drained_nodes_that_stay_take_pods_again(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = shrinking(world, cloud, ready_bay)
    running = world.running(uuid)
    assert len(running.closed) == 2
    world.stack(uuid).begin_rollback(CHANGE_FAILED)
    world.stack(uuid).settle()
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.ROLLBACK_COMPLETE, 3)
    assert running.closed == set()
    assert any(event.text.startswith("Open to pods again: ") for event in world.events(uuid))


def test_nodes_that_are_built_anew_can_join(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = shrinking(world, cloud, ready_bay)
    stack = world.stack(uuid)
    gone = stack.nodes[-1]
    stack.nodes.remove(gone)
    stack.begin_rollback(CHANGE_FAILED)
    stack.settle()
    with world.database.reader() as session:
        (open_operation,) = session.scalars(
            select(models.Operation.uuid).where(models.Operation.state.in_(["queued", "running"]))
        )
    assert world.tools.tokens.verify(stack.wanted["bootstrap_token_node"]).operation_uuid == open_operation
    world.work()
    assert world.bay(uuid).node_count == 3
    assert len(world.nodes(uuid)) == 4
    assert gone in world.running(uuid).forgotten


@pytest.mark.parametrize("answers", [True, False])
def test_where_heat_refuses_the_change_drained_nodes_take_pods_again(
    world: World, cloud: FakeCloud, ready_bay: Ready, answers: bool
) -> None:
    uuid = ready_bay(node_count=3)
    world.running(uuid).stubborn = ["default/db"]
    world.scale(uuid, 1, rollback=True)
    world.work(seconds=5)
    assert world.running(uuid).closed
    cloud.calls.fail("heat.update", Permanent("No."))
    world.running(uuid).answers = answers
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_FAILED, 3)
    assert bool(world.running(uuid).closed) is not answers


def test_a_bay_that_is_not_whole_has_nothing_to_go_back_to(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.calls.fail("heat.update", Permanent("No."))
    world.scale(uuid, 2)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_FAILED
    with pytest.raises(Conflict, match="nothing whole"):
        world.scale(uuid, 2, rollback=True)
    world.scale(uuid, 2)


def test_a_short_time_is_shared_too(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.UPDATE, timedelta(minutes=1), node_count=2, rollback=True)
    world.turn()
    assert world.stack(uuid).timeout_minutes == 1


def test_its_very_end_is_tried_again_and_fails_in_time_too(world: World, cloud: FakeCloud, growing: str) -> None:
    world.stack(growing).begin_rollback("Resource UPDATE failed: no")
    world.work(seconds=5)
    world.stack(growing).settle()
    cloud.calls.fail("heat.get", Permanent("The account is disabled.", 401), times=1000)
    world.work(seconds=7200)
    assert world.bay(growing).status == BayStatus.ROLLBACK_FAILED
    assert "The account is disabled." in (world.bay(growing).status_reason or "")
