"""How bays are is found out, told when it changes, and never by two at once."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from magnum.coe.nodes import Node
from magnum.common import clock, states
from magnum.common.exception import BayBusy
from magnum.common.states import Health, Verb
from magnum.conductor.health import HealthWatch
from magnum.db import bay_health, models
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import PATIENCE, Ready, World

INTERVAL = 30


def look(world: World) -> None:
    for silent in (False, True):
        HealthWatch(world.tools, INTERVAL, silent=silent).look()


def told(world: World, uuid: str) -> list[tuple[str, str]]:
    return [(event.level, event.text) for event in world.events(uuid) if event.text.startswith("The bay is ")]


def node_states(world: World, uuid: str) -> list[str | None]:
    with world.database.reader() as session:
        return [row.status for row in session.query(models.Node).filter_by(bay_uuid=uuid)]


def test_a_bay_that_is_well(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    before = world.bay(uuid).updated_at
    look(world)
    bay = world.bay(uuid)
    assert bay.health_status == Health.HEALTHY
    assert bay.health_status_reason is not None
    assert bay.health_status_reason["api"] == "ok"
    assert sorted(bay.health_status_reason.values()) == ["True", "True", "True", "ok"]
    assert bay.updated_at == before
    assert told(world, uuid) == [("info", "The bay is HEALTHY.")]


def test_what_is_wrong_is_told_once_and_so_is_that_it_is_over(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    (worker,) = world.stack(uuid).nodes
    look(world)
    for not_ready in ({worker}, {worker}, set()):
        world.running(uuid).not_ready = not_ready
        world.time.passes(INTERVAL)
        look(world)
    assert told(world, uuid) == [
        ("info", "The bay is HEALTHY."),
        ("warning", f"The bay is UNHEALTHY: {worker}.Ready: False."),
        ("info", "The bay is HEALTHY."),
    ]


def test_nodes_that_vanished_are_missed_and_their_rows_go(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    look(world)
    world.running(uuid).forgotten.add(world.stack(uuid).nodes[0])
    world.time.passes(INTERVAL)
    look(world)
    bay = world.bay(uuid)
    assert bay.health_status == Health.UNHEALTHY
    assert (bay.health_status_reason or {})["nodes"] == "2 of 3 are there"
    assert len(world.nodes(uuid)) == 2


def test_nodes_that_vanish_from_a_bay_whose_change_failed_are_missed(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    stack = world.stack(uuid)
    stack.action, stack.status, stack.reason = "CHECK", "FAILED", "Resource CHECK failed: the server is gone"
    world.look_for_drift()
    assert world.bay(uuid).status == "UPDATE_FAILED"
    world.running(uuid).forgotten.add(stack.nodes[0])
    look(world)
    assert told(world, uuid)[-1] == ("warning", "The bay is UNHEALTHY: nodes: 2 of 3 are there.")


def test_an_api_that_is_not_ready_and_one_that_is_silent(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).ready = False
    look(world)
    assert world.bay(uuid).health_status == Health.UNHEALTHY
    world.running(uuid).answers = False
    world.time.passes(INTERVAL)
    look(world)
    bay = world.bay(uuid)
    assert bay.health_status == Health.UNKNOWN
    assert bay.health_status_reason == {"api": "The bay's API does not answer."}
    assert node_states(world, uuid) == ["Unknown", "Unknown"]
    assert told(world, uuid)[-1] == ("warning", "The bay is UNKNOWN: api: The bay's API does not answer.")
    world.running(uuid).answers = True
    world.time.passes(INTERVAL)
    world.running(uuid).ready = True
    look(world)
    assert node_states(world, uuid) == ["Ready", "Ready"]


@pytest.mark.parametrize("gone", [True, False])
def test_nothing_is_told_of_a_bay_that_is_deleted_meanwhile(world: World, ready_bay: Ready, gone: bool) -> None:
    uuid = ready_bay()
    seen = world.bay(uuid)
    world.ask(uuid, Verb.DELETE)
    if gone:
        world.work()
    with world.database.writer() as session:
        bay_health.write(session, seen, Health.UNKNOWN, {"api": "The bay's API does not answer."}, clock.now())
    assert told(world, uuid) == []


def test_those_that_do_not_answer_hold_up_no_other(world: World, ready_bay: Ready) -> None:
    silent, other = ready_bay(name="silent"), ready_bay(name="other")
    world.running(silent).answers = False
    look(world)
    world.time.passes(INTERVAL)
    world.running(silent).answers = True
    before = world.bay(other).health_checked_at
    HealthWatch(world.tools, INTERVAL).look()
    assert world.bay(silent).health_status == Health.UNKNOWN
    assert world.bay(other).health_checked_at != before
    HealthWatch(world.tools, INTERVAL, silent=True).look()
    assert world.bay(silent).health_status == Health.HEALTHY
    assert len(told(world, other)) == 1


def test_each_has_its_turn_and_only_one_takes_it(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    interval = timedelta(seconds=INTERVAL)
    with world.database.writer() as session:
        assert [bay.uuid for bay in bay_health.take_turns(session, states.USABLE, interval, 10)] == [uuid]
    with world.database.writer() as session:
        assert bay_health.take_turns(session, states.USABLE, interval, 10) == []
    world.time.passes(INTERVAL + 1)
    with world.database.writer() as session:
        assert len(bay_health.take_turns(session, states.USABLE, interval, 10)) == 1


def test_nobody_looks_at_bays_that_are_made_or_deleted(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    world.create()
    uuid = ready_bay(name="other")
    world.ask(uuid, Verb.DELETE)
    with world.database.reader() as session:
        statuses = [bay.status for bay in session.query(models.Bay)]
    assert "DELETE_IN_PROGRESS" in statuses
    look(world)
    assert world.bay(uuid).health_status is None


def test_a_look_that_comes_late_writes_nothing_over_a_newer_one(
    world: World, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    look(world)
    world.time.passes(INTERVAL + 1)
    healthy = world.running(uuid).healthy

    def paused() -> bool:
        monkeypatch.setattr(world.running(uuid), "healthy", healthy)
        world.time.passes(600)
        world.running(uuid).answers = False
        look(world)
        return True

    monkeypatch.setattr(world.running(uuid), "healthy", paused)
    look(world)
    assert world.bay(uuid).health_status == Health.UNKNOWN
    assert node_states(world, uuid) == ["Unknown", "Unknown"]


def test_a_look_that_comes_late_knows_nothing_of_a_bay_built_anew(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    running = world.running(uuid)
    list_nodes, listed = running.list_nodes, running.list_nodes()

    def paused() -> list[Node]:
        monkeypatch.setattr(running, "list_nodes", list_nodes)
        world.stack(uuid).action = "DELETE"
        world.look_for_drift()
        world.ask(uuid, Verb.RETRY)
        world.work()
        return listed

    monkeypatch.setattr(running, "list_nodes", paused)
    HealthWatch(world.tools, INTERVAL).look()
    bay = world.bay(uuid)
    assert (bay.status, bay.health_status) == ("CREATE_COMPLETE", None)


def test_a_look_that_comes_late_brings_no_node_back(
    world: World, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay(node_count=2)
    running = world.running(uuid)
    list_nodes, listed = running.list_nodes, running.list_nodes()

    def paused() -> list[Node]:
        monkeypatch.setattr(running, "list_nodes", list_nodes)
        world.scale(uuid, 1)
        world.work()
        return listed

    monkeypatch.setattr(running, "list_nodes", paused)
    HealthWatch(world.tools, INTERVAL).look()
    assert world.bay(uuid).status == "UPDATE_COMPLETE"
    assert len(world.nodes(uuid)) == 2


def test_what_is_wrong_is_named_however_much_is_well(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=250)
    last = sorted(world.stack(uuid).nodes)[-1]
    world.running(uuid).not_ready = {last}
    look(world)
    assert (world.bay(uuid).health_status_reason or {})[f"{last}.Ready"] == "False"
    assert f"{last}.Ready" in told(world, uuid)[0][1]


def test_each_thing_that_goes_wrong_is_told_once(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=3)
    first, second, _ = world.stack(uuid).nodes
    for gone in (set(), {first}, {first}, {first, second}, set()):
        world.running(uuid).not_ready = gone
        look(world)
        world.time.passes(INTERVAL + 1)
    assert [level for level, _ in told(world, uuid)] == ["info", "warning", "warning", "info"]


def test_each_node_that_vanishes_is_told_once(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=3)
    first, second, _ = world.stack(uuid).nodes
    for gone in (set(), {first}, {first}, {first, second}):
        world.running(uuid).forgotten = gone
        look(world)
        world.time.passes(INTERVAL + 1)
    assert [text for _, text in told(world, uuid)] == [
        "The bay is HEALTHY.",
        "The bay is UNHEALTHY: nodes: 3 of 4 are there.",
        "The bay is UNHEALTHY: nodes: 2 of 4 are there.",
    ]


def test_that_nodes_are_missing_is_named_however_many_are_not_ready(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=250)
    first, *others = world.stack(uuid).nodes
    world.running(uuid).forgotten = {first}
    world.running(uuid).not_ready = set(others)
    look(world)
    assert (world.bay(uuid).health_status_reason or {})["nodes"] == "250 of 251 are there"
    assert "nodes: 250 of 251 are there" in told(world, uuid)[0][1]


def test_a_slow_bay_holds_up_no_other(world: World, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, *others = [ready_bay() for _ in range(40)]
    seen: set[str] = set()
    all_seen = threading.Event()

    def look_at(bay: str) -> Callable[[], bool]:
        def healthy() -> bool:
            seen.add(bay)
            if seen.issuperset(others):
                all_seen.set()
            return bay != slow or all_seen.wait(PATIENCE)

        return healthy

    for bay in (slow, *others):
        monkeypatch.setattr(world.running(bay), "healthy", look_at(bay))
    HealthWatch(world.tools, INTERVAL).look()
    assert world.bay(slow).health_status == Health.HEALTHY, "it ended once all others were seen"


def test_of_a_bay_whose_deletion_failed_no_node_is_said_to_be_ready(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    look(world)
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.turn()
    world.stack(uuid).fail("Resource DELETE failed: the network is in use")
    world.work()
    assert world.bay(uuid).status == "DELETE_FAILED"
    assert node_states(world, uuid) == ["Unknown", "Unknown"]


def test_a_bay_that_its_tenant_keeps_busy_is_not_said_to_be_silent(
    world: World, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    look(world)
    before = world.bay(uuid)

    def busy() -> bool:
        raise BayBusy("4 calls have not been answered yet")

    monkeypatch.setattr(world.running(uuid), "healthy", busy)
    world.time.passes(INTERVAL + 1)
    look(world)
    after = world.bay(uuid)
    assert (after.health_status, after.health_checked_at) == (Health.HEALTHY, before.health_checked_at)
    assert node_states(world, uuid) == ["Ready", "Ready"]
