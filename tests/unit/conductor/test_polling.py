"""How often Heat is asked for stacks that are being waited for."""

from collections import Counter

import pytest

from magnum.clients.errors import Transient
from magnum.common.context import RequestContext
from magnum.common.states import BayStatus
from magnum.conductor.polling import StackPoll
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
    poll = StackPoll(world.tools, lambda: None)
    for _ in range(3):
        poll.poll()
    assert caplog.text.count("cannot be watched") == 1
