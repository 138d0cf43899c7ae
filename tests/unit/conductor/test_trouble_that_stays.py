"""Operations that fail: what is told of it, and that every bay has a way out."""

from datetime import timedelta

import pytest
from oslo_db import exception as db_exc
from sqlalchemy import exc

from magnum.certificates.storage import KeyProblem
from magnum.clients.errors import NotAccepted, Permanent, ServiceError, Transient, from_status
from magnum.common.exception import RemoteRefusal
from magnum.common.states import BayStatus, Verb
from magnum.conductor import copies
from magnum.db.session import DatabaseBusy
from tests.fakes.cloud import FakeCloud, FakeStacks
from tests.unit.conductor.conftest import LEASE, Ready, World
from tests.unit.conductor.trouble import AWAY, kill_before_recording, leaf, lose_user, nothing_is_left, run_until_killed


def test_a_refusal_is_told_at_once_and_without_noise(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    cloud.calls.fail("heat.create", Permanent("resources.nodes: You have reached the quota for stacks.", 403))
    world.turn()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_FAILED
    assert bay.status_reason == "You have reached the quota for stacks."
    assert world.claim() is None


def test_a_failed_stack_is_explained_by_the_resource_that_failed(world: World, cloud: FakeCloud) -> None:
    cloud.heat.at_once = False
    uuid = world.create()
    world.turn()
    cloud.heat.only().fail(
        "Resource CREATE failed: NotFound: resources.nodes.resources[1].resources.server: Image x could not be found.",
        [
            leaf(("nodes",), "OS::Heat::ResourceGroup", "NotFound: resources.nodes…", nested=True),
            leaf(("nodes", "1"), "file:///server.yaml", "NotFound: resources[1]…", nested=True),
            leaf(
                ("nodes", "1", "server"), "OS::Nova::Server", "NotFound: resources.server: Image x could not be found."
            ),
            leaf(("masters",), "OS::Heat::ResourceGroup", "CREATE aborted (user triggered cancel)"),
        ],
    )
    world.work()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_FAILED
    assert bay.status_reason == "node 1: Image x could not be found."
    assert bay.faults == [
        {
            "service": "nova",
            "resource": "nodes.1.server",
            "name": "node 1",
            "type": "OS::Nova::Server",
            "message": "Image x could not be found.",
            "code": None,
        }
    ]
    assert world.events(uuid)[-1].level == "error"


def test_a_failed_bay_can_be_deleted(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    cloud.calls.fail("heat.create", Permanent("No."))
    world.work()
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_bay_that_never_got_a_user_is_deleted_without_making_one(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)
    assert cloud.calls.count["keystone.ensure_user"] == 0


@pytest.mark.parametrize("answers", [True, False])
def test_a_failed_update_leaves_a_true_node_count(
    world: World, cloud: FakeCloud, ready_bay: Ready, answers: bool
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.scale(uuid, 3)
    world.turn()
    stack = world.stack(uuid)
    stack.nodes.append("late-node")
    stack.fail("Timed out")
    world.running(uuid).answers = answers
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, bay.node_count) == (BayStatus.UPDATE_FAILED, 2)
    assert bay.status_reason == "Timed out"
    world.running(uuid).answers = True
    cloud.heat.at_once = True
    world.scale(uuid, 3)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).node_count) == (BayStatus.UPDATE_COMPLETE, 3)


def test_a_stack_deleted_behind_our_back_ends_the_creation(world: World, cloud: FakeCloud) -> None:
    cloud.heat.at_once = False
    uuid = world.create()
    world.turn()
    cloud.heat.stacks.clear()
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    assert "deleted by somebody else" in (world.bay(uuid).status_reason or "")


@pytest.mark.parametrize(("seconds", "status"), [(10, BayStatus.CREATE_COMPLETE), (30, BayStatus.CREATE_FAILED)])
def test_a_stack_that_heat_does_not_know_for_a_moment(
    world: World, cloud: FakeCloud, seconds: int, status: BayStatus
) -> None:
    cloud.heat.at_once = False
    uuid = world.create()
    world.turn()
    for _ in range(2):
        with cloud.heat.unseen():
            world.work(seconds=seconds)
        world.work(seconds=30)
    cloud.heat.at_once = True
    world.work()
    assert world.bay(uuid).status == status


def test_a_deletion_does_not_end_because_heat_does_not_know_the_stack_for_a_moment(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.turn()
    with cloud.heat.unseen():
        world.work(seconds=10)
    world.work(seconds=60)
    assert world.bay(uuid).status == BayStatus.DELETE_IN_PROGRESS
    cloud.heat.at_once = True
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_deletion_that_heat_denied_is_asked_for_again(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()
    with monkeypatch.context() as patch:
        patch.setattr(FakeStacks, "delete", lambda *_: None)  # as after a 404, which counts as gone
        world.ask(uuid, Verb.DELETE)
        world.turn()
    assert world.stack(uuid).action == "CREATE"
    world.work(seconds=120)
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize("status", ["IN_PROGRESS", "COMPLETE"])
def test_a_bay_whose_stack_somebody_deletes_keeps_its_number_of_nodes(
    world: World, cloud: FakeCloud, ready_bay: Ready, status: str
) -> None:
    uuid = ready_bay(node_count=2)
    cloud.heat.at_once = False
    world.scale(uuid, 4)
    stack = world.stack(uuid)
    stack.action, stack.status, stack.nodes = "DELETE", status, []
    world.work(seconds=60)
    bay = world.bay(uuid)
    assert (bay.status, bay.node_count) == (BayStatus.UPDATE_FAILED, 2)
    assert "deleted by somebody else" in (bay.status_reason or "")
    stack.status, cloud.heat.at_once = "COMPLETE", True
    world.look_for_drift()
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    world.ask(uuid, Verb.RETRY)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, bay.node_count, len(world.nodes(uuid))) == (BayStatus.CREATE_COMPLETE, 2, 3)


def test_addresses_are_not_read_of_a_stack_that_is_not_shown(
    world: World, cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = world.create()
    kill_before_recording(monkeypatch, "outputs")
    run_until_killed(world)
    with cloud.heat.unseen():
        world.work(seconds=5)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, bool(bay.api_address)) == (BayStatus.CREATE_COMPLETE, True)


def test_nodes_that_go_are_chosen_and_drained_though_heat_does_not_know_the_stack_for_a_moment(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay(node_count=3)
    running, names = world.running(uuid), world.stack(uuid).nodes[1:]
    with cloud.heat.unseen():
        world.scale(uuid, 1)
        world.work(seconds=5)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE
    assert sorted(running.drained) == sorted(names)


@pytest.mark.parametrize(("times", "status"), [(2, BayStatus.CREATE_COMPLETE), (9, BayStatus.CREATE_FAILED)])
def test_a_user_that_is_not_known_yet(world: World, cloud: FakeCloud, times: int, status: BayStatus) -> None:
    uuid = world.create()
    refusal = NotAccepted("The orchestration service does not accept the bay's user.", tries=4)
    cloud.calls.fail("heat.create", refusal, times=times)
    world.work()
    assert world.bay(uuid).status == status


@pytest.mark.parametrize("action", ["UPDATE", "SUSPEND"])
def test_somebody_who_changes_the_stack_meanwhile_is_told_of(world: World, cloud: FakeCloud, action: str) -> None:
    cloud.heat.at_once = False
    uuid = world.create()
    world.turn()
    stack = world.stack(uuid)
    stack.settle()
    stack.action = action
    if action == "UPDATE":
        stack.tag = ""
    world.work(seconds=50)
    assert world.bay(uuid).status == BayStatus.CREATE_IN_PROGRESS
    world.work(seconds=60)
    bay = world.bay(uuid)
    told = f"Somebody else changed the bay's stack in Heat meanwhile ({action.lower()})."
    assert (bay.status, bay.status_reason) == (BayStatus.CREATE_FAILED, told)


def test_a_failed_deletion_says_why_and_the_next_goes_on_from_there(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.turn()
    port = leaf(("masters", "0", "port"), "OS::Neutron::Port", "Conflict: resources.port: Port is in use.")
    world.stack(uuid).fail("Resource DELETE failed", [port])
    world.work()
    assert world.bay(uuid).status == BayStatus.DELETE_FAILED
    assert world.bay(uuid).status_reason == "master 0: Port is in use."
    cloud.heat.at_once = True
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize(
    ("call", "kind", "left"),
    [("heat.delete", "OS::Heat::Stack", "the stack"), ("keystone.delete_user", "user", "the bay's own user")],
)
def test_a_deletion_that_is_given_up_says_what_is_left(
    world: World, cloud: FakeCloud, ready_bay: Ready, call: str, kind: str, left: str
) -> None:
    uuid = ready_bay()
    cloud.calls.fail(call, Transient("It has an error.", tries=2), times=2)
    world.ask(uuid, Verb.DELETE)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, [fault["type"] for fault in bay.faults]) == (BayStatus.DELETE_FAILED, [kind])
    reason = f"It has an error. It was tried 2 times. Not removed is {left}"
    assert (bay.status_reason or "").startswith(reason)
    assert world.events(uuid)[-1].text == bay.status_reason
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize("late", [0, 600])
def test_a_deletion_that_has_no_time_left_says_what_is_left(
    world: World, cloud: FakeCloud, ready_bay: Ready, late: int
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE, timeout=timedelta(minutes=2))
    world.turn()
    world.time.passes(late)
    world.work()
    assert [(fault["service"], fault["type"]) for fault in world.bay(uuid).faults] == [("heat", "OS::Heat::Stack")]


@pytest.mark.parametrize("refused", [("heat.get", "heat.find"), ("heat.delete",)])
def test_a_stack_that_magnum_itself_may_not_delete_is_told_of_and_then_left(
    world: World, cloud: FakeCloud, ready_bay: Ready, refused: tuple[str, ...]
) -> None:
    uuid = ready_bay()
    lose_user(cloud, times=2)
    for call in refused:
        cloud.calls.fail(call, Permanent("Access was denied to this resource.", 403), times=1000)
    world.ask(uuid, Verb.DELETE)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, [fault["type"] for fault in bay.faults]) == (BayStatus.DELETE_FAILED, ["OS::Heat::Stack"])
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)
    assert "The stack is gone." not in [event.text for event in world.events(uuid)]


def test_a_stack_that_magnum_itself_may_not_delete_can_be_deleted_by_others(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    lose_user(cloud, times=1)
    cloud.calls.fail("heat.delete", Permanent("Access was denied to this resource.", 403), times=1000)
    stack = world.stack(uuid)
    stack.action, stack.status = "DELETE", "COMPLETE"
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)


def test_a_lost_user_is_made_again_for_the_deletion(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.keystone.users.clear()
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_without_any_user_magnum_itself_deletes_the_stack(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    lose_user(cloud, times=5)
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_stack_that_magnum_itself_is_not_shown_may_be_left(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    cloud.heat.sees_all = False
    lose_user(cloud, times=5)
    world.ask(uuid, Verb.DELETE)
    world.work()
    bay = world.bay(uuid)
    assert bay.status == BayStatus.DELETE_FAILED
    assert (bay.stack_id or "none") in (bay.status_reason or ""), "who reads it can look for the stack"
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)
    assert any("Heat shows Magnum no stack" in event.text for event in world.events(uuid) if event.level == "warning")


def test_a_user_that_others_have_changed_is_made_good(world: World, cloud: FakeCloud, ready_bay: Ready) -> None:
    uuid = ready_bay()
    user_id, _, project = cloud.keystone.users[uuid]
    cloud.keystone.users[uuid] = user_id, "another password", project
    world.scale(uuid, 2)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE


def test_a_service_that_was_away_for_long_may_answer_once_with_an_error(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    for code in (*[503] * 6, 500):
        cloud.calls.fail("heat.create", from_status("orchestration", code, ""))
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_a_service_that_answers_only_with_errors_is_given_up(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    for code in (500, 503) * 6:
        cloud.calls.fail("heat.create", from_status("orchestration", code, ""))
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    assert (world.bay(uuid).status_reason or "").endswith("It was tried 6 times.")


def test_where_the_bays_user_is_not_let_in_magnum_itself_deletes_the_stack(
    world: World, cloud: FakeCloud, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    cloud.calls.fail("heat.delete", Permanent("The account is disabled.", 401))
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


def test_a_mistake_of_ours_is_an_internal_error_with_the_request_id(
    world: World, cloud: FakeCloud, caplog: pytest.LogCaptureFixture
) -> None:
    uuid = world.create()
    cloud.calls.fail("heat.create", ZeroDivisionError("secret detail"))
    world.work()
    reason = world.bay(uuid).status_reason or ""
    assert reason.startswith("Internal error.")
    assert world.context.request_id in reason
    assert "secret" not in reason
    assert "secret detail" in caplog.text


def test_a_database_that_was_busy_when_a_failure_was_to_be_written_changes_nothing_of_it(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()

    def deadlock(*_: object) -> None:
        raise db_exc.DBDeadlock

    cloud.calls.fail("heat.delete", Permanent("No.", 400), times=2)
    world.ask(uuid, Verb.DELETE)
    with monkeypatch.context() as patch:
        patch.setattr(copies, "mark_unknown", deadlock)
        with pytest.raises(db_exc.DBDeadlock):
            world.work()
    world.time.passes(LEASE.total_seconds() + 1)
    world.work()
    bay = world.bay(uuid)
    assert (bay.status, [fault["type"] for fault in bay.faults]) == (BayStatus.DELETE_FAILED, ["OS::Heat::Stack"])


@pytest.mark.parametrize(
    "trouble",
    [
        db_exc.DBConnectionError(),
        db_exc.DBDeadlock(),
        DatabaseBusy(Exception("database is locked")),
        exc.TimeoutError("QueuePool limit reached"),
    ],
)
def test_a_database_that_was_away_for_a_moment_fails_no_bay(world: World, cloud: FakeCloud, trouble: Exception) -> None:
    uuid = world.create()
    cloud.calls.fail("heat.create", trouble)
    with pytest.raises(type(trouble)):
        world.work()
    world.time.passes(LEASE.total_seconds() + 1)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_what_a_bay_refuses_keeps_no_change_from_its_end(
    world: World, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay(node_count=2)

    def refuse(*_: object) -> None:
        raise RemoteRefusal(403, "A webhook says no.")

    for name in ("drain", "delete_node", "pods_per_node"):
        monkeypatch.setattr(world.running(uuid), name, refuse)
    world.scale(uuid, 1)
    world.work()
    assert world.bay(uuid).status == BayStatus.UPDATE_COMPLETE
    warnings = [event.step for event in world.events(uuid) if event.level == "warning"]
    assert warnings == ["drain", "forget_nodes"]


@pytest.mark.parametrize("trouble", [AWAY, Permanent("Access was denied to this resource.", 403)])
def test_a_failure_that_cannot_be_explained_is_told_all_the_same(
    world: World, cloud: FakeCloud, trouble: ServiceError
) -> None:
    cloud.heat.at_once = False
    uuid = world.create(timeout=None)
    world.turn()
    cloud.heat.only().fail("Resource CREATE failed: No valid host was found.")
    cloud.calls.fail("heat.resources", trouble, times=1000)
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED
    assert world.bay(uuid).status_reason == "No valid host was found."


def test_a_stack_whose_id_nobody_knows_is_not_forgotten_either(world: World, cloud: FakeCloud) -> None:
    uuid = world.create()
    cloud.calls.fail("heat.create", Permanent("No."), after=True)
    world.work()
    lose_user(cloud, times=2)
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert world.bay(uuid).status == BayStatus.DELETE_FAILED
    assert [fault["type"] for fault in world.bay(uuid).faults] == ["OS::Heat::Stack"]


def test_a_bay_whose_secrets_cannot_be_read_any_more_can_be_deleted(
    world: World, cloud: FakeCloud, ready_bay: Ready, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = ready_bay()

    def lost(_: str) -> str:
        raise KeyProblem("no key")

    monkeypatch.setattr(world.tools.secrets, "decrypt", lost)
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert nothing_is_left(world, cloud)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_deletion_that_heat_broke_off_to_begin_it_anew(
    world: World, cloud: FakeCloud, ready_bay: Ready, goes_on: bool
) -> None:
    uuid = ready_bay()
    cloud.heat.at_once = False
    world.ask(uuid, Verb.DELETE)
    world.turn()
    stack = world.stack(uuid)
    stack.fail("Stack DELETE cancelled: magnum")
    world.work(seconds=10)
    assert world.bay(uuid).status == BayStatus.DELETE_IN_PROGRESS
    if goes_on:
        stack.status, cloud.heat.at_once = "IN_PROGRESS", True
        world.work()
        assert nothing_is_left(world, cloud)
    else:
        world.work()
        assert world.bay(uuid).status == BayStatus.DELETE_FAILED
