"""A deletion, and what the bay's Kubernetes made outside of its stack."""

from dataclasses import replace
from datetime import timedelta

import pytest

from magnum.clients.errors import Permanent
from magnum.coe.leftovers import Leftover
from magnum.common.exception import RemoteRefusal
from magnum.common.states import BayStatus, Verb
from magnum.conductor.health import HealthWatch
from tests.fakes.cloud import FakeCloud, FakeStacks
from tests.unit.conductor.conftest import LEASE, Ready, World
from tests.unit.conductor.trouble import kill_before_recording, lose_user, nothing_is_left, run_until_killed

BALANCER = Leftover("load balancer", "service default/web")


def test_they_are_waited_for_before_the_stack_goes(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [BALANCER]
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=20)
    assert world.bay(uuid).status == BayStatus.DELETE_IN_PROGRESS
    assert cloud.calls.count["heat.delete"] == 0
    world.running(uuid).leftovers = []
    world.work()
    assert nothing_is_left(world, cloud)
    assert "Nothing is left of what Kubernetes made." in [event.text for event in world.events(uuid)]


def test_what_stays_ends_the_deletion_and_the_next_goes_on(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [BALANCER]
    world.ask(uuid, Verb.DELETE)
    world.work()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.DELETE_FAILED
    assert "load balancer of service default/web" in (bay.status_reason or "")
    assert [(fault["service"], fault["resource"]) for fault in bay.faults] == [("kubernetes", "service default/web")]
    assert cloud.calls.count["heat.delete"] == 0
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)
    left = "Left in the project, to be removed by hand: load balancer of service default/web."
    assert left in [event.text for event in world.events(uuid) if event.level == "warning"]


def test_a_bay_that_does_not_answer_is_deleted_all_the_same(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).answers = False
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)
    assert any("may be left in the project" in event.text for event in world.events(uuid))


@pytest.mark.usefixtures("time")
def test_another_conductor_goes_on(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    world.ask(uuid, Verb.DELETE)
    kill_before_recording(monkeypatch, "leftovers")
    run_until_killed(world)
    world.work(owner="two")
    assert nothing_is_left(world, cloud)


def test_a_deletion_that_takes_over_does_not_wait_for_the_bay(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=5)
    world.running(uuid).answers = False
    world.ask(uuid, Verb.DELETE)
    cloud.heat.at_once = True
    world.work()
    assert nothing_is_left(world, cloud)
    assert not any("may be left" in event.text for event in world.events(uuid))


@pytest.mark.parametrize("said", ["half a pair \ud800", "nothing \0", "a line\n\x1b[31mmore"])
def test_no_words_of_a_bay_keep_it_from_being_deleted(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    uuid = ready_bay()

    def refuse() -> list[Leftover]:
        raise RemoteRefusal(403, said)

    monkeypatch.setattr(world.running(uuid), "remove_leftovers", refuse)
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)
    assert all(event.text.isprintable() for event in world.events(uuid))


def test_a_second_stack_of_the_same_name_goes_too(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    twin = replace(world.stack(uuid), id="twin")
    cloud.heat.stacks[twin.id] = twin
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_who_was_paused_until_all_was_over_leaves_no_user_behind(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    deleted: list[str] = []

    def delete_meanwhile(name: str) -> None:
        if name == "keystone.ensure_user" and not deleted:
            deleted.append(uuid)
            world.time.passes(2 * LEASE.total_seconds())
            world.ask(uuid, Verb.DELETE)
            cloud.keystone.users.clear()  # as this conductor has not asked for it yet
            world.work(owner="two")
            cloud.keystone.users[uuid] = ("late", "password", "project")

    cloud.calls.listeners.append(delete_meanwhile)
    world.turn("one")
    assert deleted
    assert nothing_is_left(world, cloud)


def test_a_bay_that_was_well_is_waited_for_while_it_starts_anew(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    HealthWatch(world.tools, 30).look()
    world.running(uuid).leftovers = [BALANCER]
    world.running(uuid).answers = False
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=60)
    assert world.bay(uuid).status == BayStatus.DELETE_IN_PROGRESS
    assert cloud.calls.count["heat.delete"] == 0
    world.running(uuid).answers = True
    world.running(uuid).leftovers = []
    world.work()
    assert nothing_is_left(world, cloud)
    assert not any("may be left" in event.text for event in world.events(uuid))


def test_a_bay_that_was_well_is_not_waited_for_for_ever(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    HealthWatch(world.tools, 30).look()
    world.running(uuid).answers = False
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_short_deletion_leaves_time_for_the_stack(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [BALANCER]
    for _ in range(2):
        world.ask(uuid, Verb.DELETE, timeout=timedelta(minutes=1))
        world.work()
    assert nothing_is_left(world, cloud)


def test_who_was_not_told_what_is_left_does_not_leave_it(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [BALANCER]
    world.ask(uuid, Verb.DELETE, timeout=timedelta(seconds=1))
    world.time.passes(60)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, [fault["service"] for fault in bay.faults]) == (BayStatus.DELETE_FAILED, ["heat"])
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert [fault["resource"] for fault in world.bay(uuid).faults] == ["service default/web"]


def test_who_was_told_of_a_balancer_was_not_told_of_a_stack(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.sees_all = False
    world.running(uuid).leftovers = [BALANCER]
    world.ask(uuid, Verb.DELETE)
    world.work()
    lose_user(cloud, times=2)
    world.ask(uuid, Verb.DELETE)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, [fault["type"] for fault in bay.faults]) == (BayStatus.DELETE_FAILED, ["OS::Heat::Stack"])
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)


@pytest.fixture
def going(world: World, cloud: FakeCloud, ready_bay: Ready) -> str:
    """A bay that was well, and whose stack Heat deletes."""
    uuid = ready_bay()
    HealthWatch(world.tools, 30).look()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=5)
    return uuid


def test_a_deletion_after_one_that_failed_later_does_not_wait_for_the_bay(
    world: World, cloud: FakeCloud, going: str
) -> None:
    world.stack(going).fail("Port in use.")
    world.work()
    assert world.bay(going).status == BayStatus.DELETE_FAILED
    world.running(going).answers = False
    cloud.heat.at_once = True
    world.ask(going, Verb.DELETE)
    world.work(seconds=30)
    assert nothing_is_left(world, cloud)
    assert not any("may be left" in event.text for event in world.events(going))


def test_nor_does_the_third_of_three_at_once(world: World, cloud: FakeCloud, going: str) -> None:
    world.running(going).answers = False
    for _ in range(2):
        world.ask(going, Verb.DELETE)
    cloud.heat.at_once = True
    world.work(seconds=30)
    assert nothing_is_left(world, cloud)


def test_one_after_a_failure_before_heat_was_asked_looks_again(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    cloud.calls.fail("heat.delete", Permanent("Not now.", 400))
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert world.bay(uuid).status == BayStatus.DELETE_FAILED
    world.running(uuid).leftovers = [BALANCER]
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert [fault["service"] for fault in world.bay(uuid).faults] == ["kubernetes"]


def test_so_does_one_after_heat_did_not_delete_the_stack_at_all(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    with monkeypatch.context() as patch:
        patch.setattr(FakeStacks, "delete", lambda *_: None)
        world.ask(uuid, Verb.DELETE, timeout=timedelta(minutes=5))
        world.work()
    assert (world.bay(uuid).status, world.stack(uuid).action) == (BayStatus.DELETE_FAILED, "CREATE")
    world.running(uuid).leftovers = [BALANCER]
    world.running(uuid).answers = False
    HealthWatch(world.tools, 30).look()
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=1)
    world.running(uuid).answers = True
    world.work()
    assert [fault["service"] for fault in world.bay(uuid).faults] == ["kubernetes"]


def test_so_does_one_where_the_bay_answers_again(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.running(uuid).answers = False
    world.running(uuid).leftovers = [BALANCER]
    world.ask(uuid, Verb.DELETE)
    world.work(seconds=30)
    world.stack(uuid).fail("Port in use.")
    world.work()
    assert world.bay(uuid).status == BayStatus.DELETE_FAILED
    world.running(uuid).answers = True
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert [fault["service"] for fault in world.bay(uuid).faults] == ["kubernetes"]
