"""A bay's life through the conductor: each verb, each step interrupted, and trouble that passes."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from magnum.certificates.bootstrap import BootstrapIdentity
from magnum.clients.errors import Transient
from magnum.common.exception import BayUnreachable
from magnum.common.idents import new_uuid
from magnum.common.states import BayStatus, Verb
from magnum.conductor.job import Job
from magnum.conductor.operations import PLANS
from magnum.conductor.operations import common as common_steps
from magnum.conductor.runner import Runner
from magnum.conductor.steps import Done, Step
from magnum.db import operations
from magnum.db.operations import LeaseLost
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import LEASE, Ready, World
from tests.unit.conductor.trouble import AWAY, kill_before_recording, nothing_is_left, run_until_killed

CREATE_STEPS = [step.name for step in PLANS[Verb.CREATE].steps if "clear" not in step.name]
UPDATE_STEPS = [step.name for step in PLANS[Verb.UPDATE].steps]
DELETE_STEPS = [step.name for step in PLANS[Verb.DELETE].steps if step.name != "leftovers"]


# All goes well


def test_a_bay_is_built(world: World, cloud: FakeCloud) -> None:
    uuid = world.create(node_count=2)
    world.work()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_COMPLETE
    assert (bay.api_address, bay.coe_version) == ("https://10.0.0.1:6443", "v1.20.2")
    assert len(world.nodes(uuid)) == 3
    assert world.steps(uuid, Verb.CREATE) == CREATE_STEPS
    assert cloud.heat.only().name == f"my-bay-{uuid.replace('-', '')[:12]}"
    assert cloud.heat.only().project_id == world.context.project_id
    assert all(event.duration is not None for event in world.events(uuid) if event.step)


def test_what_is_written_holds_no_password_or_token(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    world.work()
    password = cloud.keystone.users[uuid][1]
    bay = world.bay(uuid)
    assert password not in (bay.trustee_secret or "")
    token = cloud.heat.only().wanted["bootstrap_token_master"]
    assert world.tools.tokens.verify(token).bay_uuid == uuid
    said = [*[event.text for event in world.events(uuid)], bay.status_reason or ""]
    assert not [text for text in said if password in text or token in text]


def test_a_nodes_time_ends_before_the_bays(world: World, cloud: FakeCloud) -> None:
    world.create(timeout=timedelta(minutes=10))
    world.work()
    assert 500 <= cloud.heat.only().wanted["timeout"] <= 560


def test_nodes_reach_the_api_at_its_root(world: World, cloud: FakeCloud) -> None:
    world.create()
    world.work()
    assert cloud.heat.only().wanted["magnum_url"] == "http://magnum.test"


def test_a_bay_grows(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.scale(uuid, 3)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, bay.node_count) == (BayStatus.UPDATE_COMPLETE, 3)
    assert len(world.nodes(uuid)) == 4
    assert len(bay.node_addresses) == 3


def test_tokens_are_bound_to_their_operation_and_masters_get_none_later(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    def given(role: str) -> BootstrapIdentity:
        return world.tools.tokens.verify(cloud.heat.only().wanted[f"bootstrap_token_{role}"])

    uuid = ready_bay()
    assert given("master").operation_uuid == given("node").operation_uuid
    first = given("node").operation_uuid
    world.scale(uuid, 3)
    world.work()
    assert given("node").operation_uuid != first
    assert cloud.heat.only().wanted["bootstrap_token_master"] == ""


def test_a_shrinking_bay_gives_up_its_emptiest_nodes_after_draining_them(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=3)
    running = world.running(uuid)
    kept, *emptier = world.stack(uuid).nodes
    running.pods = {kept: 5, emptier[0]: 1, emptier[1]: 0}
    world.scale(uuid, 1)
    world.work()
    assert world.stack(uuid).nodes == [kept]
    assert sorted(set(running.drained)) == sorted(emptier)
    assert running.forgotten == set(emptier)
    assert len(world.nodes(uuid)) == 2
    assert world.bay(uuid).node_count == 1


def test_a_node_that_never_joined_is_replaced(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.scale(uuid, 2)
    world.turn()
    stack = world.stack(uuid)
    stack.nodes.append("never-joined")
    world.running(uuid).forgotten.add("never-joined")
    stack.fail("Timed out")
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_FAILED, 1)
    cloud.heat.at_once = True
    world.scale(uuid, 2)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE
    assert len(world.stack(uuid).nodes) == 2
    assert "never-joined" not in world.stack(uuid).nodes


def test_draining_ends_in_its_time_and_says_what_was_left(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    world.running(uuid).stubborn = ["default/db: a budget forbids it"]
    world.scale(uuid, 1)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE
    warnings = [event.text for event in world.events(uuid) if event.level == "warning"]
    assert any("default/db: a budget forbids it" in text for text in warnings)
    assert 2 <= len(world.running(uuid).drained) <= world.tools.conf.bay.drain_timeout + 2


def test_a_deleted_bay_leaves_nothing_but_its_story(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)
    assert world.steps(uuid, Verb.DELETE) == DELETE_STEPS


# Killed between any two steps


@pytest.mark.parametrize("step", CREATE_STEPS)
def test_another_conductor_finishes_a_creation(
    world: World, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    uuid = world.create()
    kill_before_recording(monkeypatch, step)
    run_until_killed(world)
    world.work(owner="two")
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
    assert len(cloud.heat.stacks) == len(cloud.keystone.users) == 1
    assert len(world.nodes(uuid)) == 2


@pytest.mark.parametrize("step", UPDATE_STEPS)
@pytest.mark.parametrize("node_count", [1, 4])
def test_another_conductor_finishes_an_update(
    world: World, monkeypatch: pytest.MonkeyPatch, ready_bay: Ready, step: str, node_count: int
) -> None:
    uuid = ready_bay(node_count=3)
    world.scale(uuid, node_count)
    kill_before_recording(monkeypatch, step)
    run_until_killed(world)
    world.work(owner="two")
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, node_count)
    assert len(world.stack(uuid).nodes) == node_count
    assert len(world.nodes(uuid)) == node_count + 1


@pytest.mark.parametrize("step", DELETE_STEPS)
def test_another_conductor_finishes_a_deletion(
    world: World, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, ready_bay: Ready, step: str
) -> None:
    uuid = ready_bay()
    world.ask(uuid, Verb.DELETE)
    kill_before_recording(monkeypatch, step)
    run_until_killed(world)
    world.work(owner="two")
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize("step", CREATE_STEPS)
def test_a_delete_supersedes_a_creation_at_any_step(
    world: World, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    uuid = world.create()
    kill_before_recording(monkeypatch, step)
    run_until_killed(world)
    world.ask(uuid, Verb.DELETE)
    world.work(owner="two")
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize("name", ["keystone.ensure_user", "heat.create", "heat.get"])
def test_a_delete_during_a_step_ends_the_creation_there(world: World, cloud: FakeCloud, name: str) -> None:
    uuid = world.create()

    def delete(called: str) -> None:
        if called == name and world.bay(uuid).status == BayStatus.CREATE_IN_PROGRESS:
            world.ask(uuid, Verb.DELETE)

    cloud.calls.listeners.append(delete)
    world.work()
    assert nothing_is_left(world, cloud)
    assert not [event for event in world.events(uuid) if event.level == "error"]
    assert [event.text for event in world.events(uuid) if "broken off" in event.text] == [
        "The create under way is broken off."
    ]


def test_a_delete_during_a_drain_ends_the_update(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    world.running(uuid).stubborn = ["default/db"]
    world.scale(uuid, 1)
    world.turn()
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_one_who_was_paused_past_its_lease_writes_nothing(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()

    def pause(called: str) -> None:
        if called == "heat.create":
            cloud.calls.listeners.clear()
            world.time.passes(LEASE.total_seconds() + 1)
            world.work(owner="two")

    cloud.calls.listeners.append(pause)
    world.turn("one")
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
    assert [event.step for event in world.events(uuid)].count(common_steps.STACK) == 1
    assert len(cloud.heat.stacks) == 1


@pytest.mark.parametrize("verb", list(PLANS))
def test_one_who_was_paused_right_before_a_change_of_the_stack_asks_for_none(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch, verb: Verb
) -> None:
    uuid = world.create() if verb is Verb.CREATE else ready_bay()
    if verb is Verb.UPDATE:
        world.scale(uuid, 2)
    elif verb is Verb.DELETE:
        world.ask(uuid, verb)
    cloud.calls.count.clear()
    stacks_to_change = Job.stacks_to_change

    def paused(job: Job) -> Any:
        monkeypatch.setattr(Job, "stacks_to_change", stacks_to_change)
        world.time.passes(LEASE.total_seconds() + 1)
        world.work(owner="two")
        return stacks_to_change(job)

    monkeypatch.setattr(Job, "stacks_to_change", paused)
    world.turn("one")
    assert cloud.calls.count[f"heat.{verb}"] == 1, "by the second owner"
    assert world.turn("one") is False


@pytest.mark.parametrize("killed", [True, False])
def test_a_stack_that_heat_made_twice_is_one_in_the_end(
    world: World, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    cloud.heat.at_once = False
    uuid = world.create()
    if killed:
        kill_before_recording(monkeypatch, common_steps.STACK)
        run_until_killed(world)
    else:
        cloud.calls.fail("heat.create", AWAY, after=True)
    world.work(seconds=LEASE.total_seconds() + 5, owner="two")
    ours = world.stack(uuid)
    twin = replace(ours, id=new_uuid())
    cloud.heat.stacks[twin.id] = twin
    for stack in (ours, twin):
        stack.settle()
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, bay.stack_id) == (BayStatus.CREATE_COMPLETE, ours.id)
    assert (twin.action, ours.action) == ("DELETE", "CREATE")
    warning = next(event.text for event in reversed(world.events(uuid)) if event.level == "warning")
    assert warning.endswith("it is up. Heat had made another of the name, which it deletes.")


# Trouble that passes


@pytest.mark.parametrize(
    ("call", "after"),
    [("keystone.ensure_user", False), ("keystone.ensure_user", True), ("heat.create", False), ("heat.create", True)],
)
def test_what_passes_is_tried_again_and_leaves_one_of_each(
    world: World, cloud: FakeCloud, call: str, after: bool
) -> None:
    uuid = world.create()
    cloud.calls.fail(call, AWAY, times=3, after=after)
    world.turn()
    assert world.bay(uuid).status_reason == f"{AWAY.message} Trying again."
    world.work()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_COMPLETE
    assert "Trying" not in (bay.status_reason or "")
    assert len(cloud.heat.stacks) == len(cloud.keystone.users) == 1
    assert [event.text for event in world.events(uuid) if event.level == "warning"] == [f"{AWAY.message} Trying again."]


@pytest.mark.parametrize("after", [False, True])
def test_an_update_is_not_asked_for_twice(world: World, cloud: FakeCloud, ready_bay: Ready, after: bool) -> None:
    uuid = ready_bay()
    world.scale(uuid, 2)
    cloud.calls.fail("heat.update", AWAY, after=after)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE
    assert cloud.calls.count["heat.update"] == (1 if after else 2)


def test_the_pauses_between_tries_grow(world: World, cloud: FakeCloud) -> None:
    world.create(timeout=None)
    cloud.calls.fail("heat.create", AWAY, times=50)
    world.work(seconds=300)
    assert 7 <= cloud.calls.count["heat.create"] <= 14


def test_a_service_that_answers_with_an_error_again_and_again_is_given_up(world: World, cloud: FakeCloud) -> None:
    uuid = world.create(timeout=None)
    cloud.calls.fail("heat.create", Transient("It had an internal error.", tries=3), times=50)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    assert world.bay(uuid).status_reason == "It had an internal error. It was tried 3 times."


def test_heat_being_away_at_the_end_of_a_deletion_loses_nothing(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    world.ask(uuid, Verb.DELETE)
    for call in ("heat.delete", "heat.states", "heat.get", "keystone.delete_user"):
        cloud.calls.fail(call, AWAY, times=4)
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_bay_whose_api_magnum_cannot_reach_is_a_bay_all_the_same(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    world.running(uuid).answers = False
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
    assert world.events(uuid)[-2].level == "warning"


def test_a_bay_that_does_not_answer_can_shrink(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay(node_count=2)
    world.running(uuid).answers = False
    world.scale(uuid, 1)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, 1)


def test_nodes_that_went_while_the_bay_was_silent_are_forgotten_by_the_next_change(
    world: World, ready_bay: Ready
) -> None:
    uuid = ready_bay(node_count=2)
    running = world.running(uuid)
    before = {node.name for node in running.list_nodes()}
    running.answers = False
    world.scale(uuid, 1)
    world.work()
    assert {node.name for node in running.list_nodes()} == before
    running.answers = True
    running.seen.append("joined-by-hand")
    world.scale(uuid, 2)
    world.work()
    names = {node.name for node in running.list_nodes()}
    assert "joined-by-hand" in names
    assert len([name for name in names if "-node-" in name]) == 2
    assert world.events(uuid)[-2].text == "4 of 4 nodes are ready."


# Time


def test_a_bay_past_its_deadline_has_failed_whatever_else_is_broken(world: World, cloud: FakeCloud) -> None:
    cloud.heat.at_once = False
    uuid = world.create(timeout=timedelta(minutes=5))
    world.turn()
    for call in ("heat.states", "heat.get", "heat.resources", "heat.find"):
        cloud.calls.fail(call, ZeroDivisionError() if call == "heat.resources" else AWAY, times=10_000)
    world.work(seconds=310)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_FAILED
    assert "wait_stack" in (bay.status_reason or "")
    assert "5 minutes" in (bay.status_reason or "")


def test_an_operation_nobody_works_on_fails_at_its_deadline(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.scale(uuid, 2)
    world.time.passes(3601)
    world.running(uuid).answers = False
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_FAILED
    assert world.bay(uuid).node_count == 1


def test_no_deadline_means_waiting(world: World, cloud: FakeCloud) -> None:
    cloud.heat.at_once = False
    uuid = world.create(timeout=None)
    world.turn()
    world.time.passes(7 * 86400)
    world.work(seconds=3)
    assert world.bay(uuid).status == BayStatus.CREATE_IN_PROGRESS


def test_a_node_is_waited_for_no_longer_than_heat_allows(world: World, cloud: FakeCloud) -> None:
    world.create(timeout=None)
    world.work()
    assert cloud.heat.only().wanted["timeout"] == 43200


def test_a_stopping_conductor_hands_over_between_steps(world: World) -> None:
    uuid = world.create()
    world.stopping = True
    claimed = world.claim()
    assert claimed is not None
    due_at = Runner(world.tools, LEASE, lambda: True).run(claimed)
    assert due_at is not None
    world.stopping = False
    world.work(owner="two")
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_a_late_renewal_does_not_hold_what_was_put_back(world: World, cloud: FakeCloud) -> None:
    cloud.heat.at_once = False
    world.create()
    claimed = world.claim()
    assert claimed is not None
    Runner(world.tools, LEASE, lambda: False).run(claimed)
    with pytest.raises(LeaseLost), world.database.writer() as session:
        operations.renew(session, claimed, LEASE)


def test_steps_of_a_verb_have_names_of_their_own() -> None:
    for plan in PLANS.values():
        names = [step.name for step in plan.steps]
        assert len(set(names)) == len(names)
        assert plan.after(names[-1]) == ()


def test_an_unreachable_bay_inside_a_step_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = []

    def flaky(_job: object) -> Done:
        tries.append(1)
        if len(tries) < 3:
            raise BayUnreachable("The bay's API does not answer.")
        return Done("It answered.")

    plan = PLANS[Verb.CREATE]
    steps = (Step("flaky", flaky), *plan.steps)
    monkeypatch.setitem(PLANS, Verb.CREATE, type(plan)(plan.verb, steps, plan.end, plan.on_failure))
    uuid = world.create()
    world.work()
    assert len(tries) == 3
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE
