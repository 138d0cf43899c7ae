"""How often Heat is asked for stacks that are being waited for."""

from collections import Counter

import pytest

from magnum.clients.errors import Transient
from magnum.common.context import RequestContext
from magnum.common.states import BayStatus
from magnum.conductor.polling import StackPoll
from magnum.db import duties
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import World


def waiting(world: World, cloud: FakeCloud, number: int) -> list[str]:
    cloud.heat.at_once = False
    bays = [world.create(name=f"b{count}") for count in range(number)]
    while world.turn():
        pass
    cloud.calls.count = Counter()
    return bays


def test_one_call_asks_for_all(world: World, cloud: FakeCloud) -> None:
    waiting(world, cloud, 12)
    for _ in range(5):
        world.poll()
        assert not world.turn(), "what is in progress rests"
        world.time.passes(1)
    assert cloud.calls.count == {"heat.states": 5}


def test_nothing_is_asked_where_nothing_is_waited_for(world: World, cloud: FakeCloud) -> None:
    world.poll()
    assert not cloud.calls.count


def test_a_stack_that_settles_ends_its_bay_within_one_poll(world: World, cloud: FakeCloud) -> None:
    first, second, *_ = waiting(world, cloud, 3)
    world.stack(second).settle()
    world.poll()
    world.turn()
    assert world.bay(second).status == BayStatus.CREATE_COMPLETE
    assert world.bay(first).status == BayStatus.CREATE_IN_PROGRESS
    assert cloud.calls.count == {"heat.states": 1, "heat.get": 1}


def test_where_magnum_may_not_see_all_it_asks_once_per_project(
    world: World, cloud: FakeCloud, stranger: RequestContext
) -> None:
    cloud.heat.sees_all = False
    mine = waiting(world, cloud, 3)
    world.context, own = stranger, world.context
    theirs = waiting(world, cloud, 2)
    world.poll()
    assert cloud.calls.count == {"heat.states": 3}
    world.stack(theirs[0]).settle()
    world.poll()
    world.turn()
    assert world.bay(theirs[0]).status == BayStatus.CREATE_COMPLETE
    world.context = own
    assert world.bay(mine[0]).status == BayStatus.CREATE_IN_PROGRESS


def test_without_the_poll_an_operation_looks_for_itself_now_and_then(world: World, cloud: FakeCloud) -> None:
    (bay,) = waiting(world, cloud, 1)
    world.stack(bay).settle()
    for _ in range(40):
        world.turn()
        world.time.passes(1)
    assert world.bay(bay).status == BayStatus.CREATE_COMPLETE


def test_heat_being_away_is_logged_once(world: World, cloud: FakeCloud, caplog: pytest.LogCaptureFixture) -> None:
    waiting(world, cloud, 1)
    cloud.calls.fail("heat.states", Transient("It does not answer."), times=3)
    poll = StackPoll(world.tools, lambda: None, "one")
    for _ in range(3):
        poll.poll()
    assert caplog.text.count("cannot be watched") == 1


def test_nobody_looks_one_by_one_at_what_the_poll_sees(world: World, cloud: FakeCloud) -> None:
    waiting(world, cloud, 5)
    for _ in range(120):
        world.poll()
        assert not world.turn()
        world.time.passes(1)
    assert cloud.calls.count["heat.get"] == 0


def test_a_list_that_fails_says_nothing_of_its_stacks(world: World, cloud: FakeCloud) -> None:
    cloud.heat.sees_all = False
    waiting(world, cloud, 3)
    world.poll()
    cloud.calls.fail("heat.states", Transient("It does not answer."))
    world.poll()
    assert not world.turn()
    assert cloud.calls.count == {"heat.states": 3}


def test_where_magnum_sees_nothing_it_does_not_ask_so_each_time(world: World, cloud: FakeCloud) -> None:
    cloud.heat.sees_all = False
    waiting(world, cloud, 3)
    for _ in range(4):
        world.poll()
    assert cloud.calls.count == {"heat.states": 5}


def test_one_conductor_polls_for_all(world: World, cloud: FakeCloud) -> None:
    waiting(world, cloud, 3)
    first, second = (StackPoll(world.tools, lambda: None, owner) for owner in ("one", "two"))
    for _ in range(3):
        first.poll()
        second.poll()
    assert cloud.calls.count == {"heat.states": 3}
    first.stop()
    duties.give_up(world.database, "one")
    second.poll()
    assert cloud.calls.count == {"heat.states": 4}


def test_where_heat_does_not_list_all_it_may_list_those_of_a_project(world: World, cloud: FakeCloud) -> None:
    bay, *_ = waiting(world, cloud, 2)
    world.stack(bay).settle()
    cloud.calls.fail("heat.states", Transient("The orchestration service does not answer."))
    world.poll()
    world.turn()
    assert world.bay(bay).status == BayStatus.CREATE_COMPLETE
    world.poll()
    assert cloud.calls.count["heat.states"] == 3, "and all are asked for at once again"


def test_another_polls_when_the_one_who_did_is_gone(world: World, cloud: FakeCloud) -> None:
    waiting(world, cloud, 1)
    StackPoll(world.tools, lambda: None, "killed").poll()
    world.poll()
    assert cloud.calls.count == {"heat.states": 1}
    world.time.passes(20)
    world.poll()
    assert cloud.calls.count == {"heat.states": 2}


def test_another_bays_user_sees_for_one_that_is_gone(world: World, cloud: FakeCloud) -> None:
    cloud.heat.sees_all = False
    first, second = waiting(world, cloud, 2)
    cloud.keystone.users.pop(first)
    for bay in (first, second):
        world.stack(bay).settle()
    world.poll()
    world.turn()
    world.turn()
    assert world.bay(second).status == BayStatus.CREATE_COMPLETE


def test_a_stack_that_settled_as_something_else_is_looked_at_now_and_then(world: World, cloud: FakeCloud) -> None:
    (bay,) = waiting(world, cloud, 1)
    stack = world.stack(bay)
    stack.settle()
    stack.tag = "of-somebody-else"
    for _ in range(5):
        world.poll()
        world.turn()
    assert cloud.calls.count == {"heat.states": 5, "heat.get": 1}


def test_the_poll_lets_nothing_rest_past_its_deadline(world: World, cloud: FakeCloud) -> None:
    (bay,) = waiting(world, cloud, 1)
    for _ in range(400):
        if world.bay(bay).status == BayStatus.CREATE_FAILED:
            break
        world.poll()
        world.turn()
        world.time.passes(10)
    assert "did not end in its time" in (world.bay(bay).status_reason or "")
