"""Two versions of Magnum at work at once, as while a cloud is upgraded: their messages, and operations of each other.

The two records beside this file are what versions that may still run say. They are added to and never changed: a
message may go only once no version that sends it can run beside this code, and so may a step.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from oslo_config import cfg

from magnum.coe.leftovers import Leftover
from magnum.common import rpc
from magnum.common.bus import messaging
from magnum.common.context import RequestContext
from magnum.common.exception import Conflict, Unavailable
from magnum.common.limits import CallLimits
from magnum.common.rpc import ConductorClient
from magnum.common.states import BayStatus, Verb
from magnum.conductor.endpoints import ConductorEndpoint
from magnum.conductor.operations import PLANS
from magnum.db import models
from tests.unit.conductor.conftest import Ready, World

_HERE = Path(__file__).parent
MESSAGES: list[dict[str, Any]] = json.loads((_HERE / "messages.json").read_text())
STEPS: dict[str, list[str]] = json.loads((_HERE / "operations.json").read_text())
# What an API puts around each message, with a key that only a newer one knows.
CONTEXT = {
    "project_id": "p", "user_id": "u", "roles": ["member"], "request_id": "req-1", "all_projects": False, "newer": 1,
}  # fmt: skip


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class Listener:
    """A conductor's end of a bus in memory, until it is stopped."""

    def __init__(self, conf: cfg.ConfigOpts, endpoint: object) -> None:
        self.bus = rpc.transport(conf, rpc.IN_MEMORY)
        self._server = rpc.server(conf, self.bus, [endpoint])
        self._server.start()

    def stop(self) -> None:
        self._server.stop()
        self._server.wait()
        self.bus.cleanup()


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: f"{message['method']}-{message['version']}")
def test_a_conductor_takes_what_older_apis_send(conf: cfg.ConfigOpts, message: dict[str, Any]) -> None:
    conf.set_override("rpc_timeout", 5, group="conductor")
    parts = [mock.Mock(**{f"{name}.return_value": "answer" for name in ("create", "logs", "execute")}) for _ in "123"]
    listener = Listener(conf, ConductorEndpoint(parts[0], parts[1], parts[2], threads=2))
    try:
        target = messaging.Target(topic=conf.conductor.topic, version=message["version"])
        client = messaging.get_rpc_client(listener.bus, target, timeout=5)
        client.call(CONTEXT, message["method"], **message["arguments"])
    finally:
        listener.stop()
    assert sum(len(part.method_calls) for part in parts) == 1


def test_all_that_an_api_sends_is_on_record(conf: cfg.ConfigOpts) -> None:
    sent: set[tuple[str, str, frozenset[str]]] = set()

    class Wire:
        def __init__(self, version: str) -> None:
            self._version = version

        def prepare(self, version: str) -> "Wire":
            return Wire(version)

        def call(self, _context: RequestContext, method: str, **arguments: Any) -> str:
            sent.add((self._version, method, frozenset(arguments)))
            return ""

    client = ConductorClient.__new__(ConductorClient)
    wire = Wire("1.0")
    vars(client).update(_client=wire, _door=mock.Mock(cast=wire.call), _limits=CallLimits(1))
    for message in MESSAGES:
        getattr(client, message["method"])(mock.Mock(), **message["arguments"])
    methods = {name for name, value in vars(ConductorClient).items() if callable(value) and not name.startswith("_")}
    assert {method for _, method, _ in sent} == methods
    recorded = {(message["version"], message["method"], frozenset(message["arguments"])) for message in MESSAGES}
    assert sent <= recorded, "a new message, or a new argument, needs a new version and a line in messages.json"


def test_a_conductor_says_which_version_it_understands() -> None:
    assert max(_number(message["version"]) for message in MESSAGES) == _number(rpc.NAMESPACE_VERSION)
    assert ConductorEndpoint.target.version == rpc.NAMESPACE_VERSION


def test_an_older_conductor_refuses_and_the_api_says_what_to_do(conf: cfg.ConfigOpts, context: RequestContext) -> None:
    class Older:
        target = messaging.Target(version="0.9")

    conf.set_override("rpc_timeout", 5, group="conductor")
    listener = Listener(conf, Older())
    try:
        with pytest.raises(Unavailable, match="of an older version"):
            ConductorClient(conf, listener.bus).workload_refresh(context, "pod", [])
    finally:
        listener.stop()


@pytest.mark.parametrize(("verb", "step"), [(verb, step) for verb, steps in STEPS.items() for step in steps])
def test_an_operation_that_an_older_conductor_began_can_go_on(verb: str, step: str) -> None:
    assert PLANS[Verb(verb)].knows(step)


def test_every_step_is_on_record() -> None:
    present = {str(verb): {step.name for step in plan.steps} for verb, plan in PLANS.items()}
    assert {verb: names - set(STEPS[verb]) for verb, names in present.items()} == {verb: set() for verb in present}


def _set(world: World, bay_uuid: str, **values: Any) -> None:
    row: dict[Any, Any] = dict(values)
    with world.database.writer() as session:
        session.query(models.Operation).filter_by(bay_uuid=bay_uuid).update(row)


def test_an_operation_at_a_step_of_a_newer_version_waits_for_that(world: World) -> None:
    uuid, other = world.create(), world.create()
    _set(world, uuid, step="polish")
    world.work(30)
    assert world.bay(other).status == BayStatus.CREATE_COMPLETE
    assert world.bay(uuid).status == BayStatus.CREATE_IN_PROGRESS
    waiting = [event for event in world.events(uuid) if event.level == "warning"]
    assert [event.text for event in waiting] == [
        "Waiting for a conductor that knows step 'polish' of a newer version of Magnum."
    ]
    _set(world, uuid, step=None)  # what the newer conductor makes of it
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_it_fails_in_its_time_where_none_comes(world: World) -> None:
    uuid = world.create(timeout=timedelta(minutes=1))
    _set(world, uuid, step="polish")
    world.work(70)
    bay = world.bay(uuid)
    assert bay.status == BayStatus.CREATE_FAILED
    assert "No conductor came in time that knows step 'polish'" in (bay.status_reason or "")


def test_an_operation_of_a_verb_of_a_newer_version_is_left_alone(world: World) -> None:
    uuid, other = world.create(), world.create()
    _set(world, uuid, verb="hibernate")
    assert world.turn()
    world.work(5)
    assert world.bay(other).status == BayStatus.CREATE_COMPLETE
    assert world.bay(uuid).status == BayStatus.CREATE_IN_PROGRESS
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)


@pytest.mark.parametrize("again", [False, True])
def test_a_deletion_that_an_api_of_the_version_before_has_accepted(world: World, ready_bay: Ready, again: bool) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [Leftover("load balancer", "service default/web")]
    world.ask(uuid, Verb.DELETE)
    _set(world, uuid, arguments={"again": again, "cleaned": False})
    world.work()
    assert world.is_there(uuid) is not again


def test_of_a_deletion_of_the_version_before_no_fault_counts_as_having_told(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.ask(uuid, Verb.DELETE, timeout=timedelta(seconds=1))
    _set(world, uuid, arguments={"again": False, "cleaned": False})
    world.time.passes(60)
    world.work()
    assert (world.bay(uuid).status, world.bay(uuid).faults) == (BayStatus.DELETE_FAILED, [])


def test_what_the_version_before_has_told_is_told(world: World, ready_bay: Ready) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [Leftover("load balancer", "service default/web")]
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert world.bay(uuid).faults
    _set(world, uuid, arguments={"again": False, "cleaned": False})
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)


def test_a_deletion_says_to_conductors_of_the_version_before_whether_the_tenant_was_told(
    world: World, ready_bay: Ready
) -> None:
    uuid = ready_bay()
    world.running(uuid).leftovers = [Leftover("load balancer", "service default/web")]
    said = []
    for _ in range(2):
        world.ask(uuid, Verb.DELETE)
        with world.database.reader() as session:
            last = session.query(models.Operation).order_by(models.Operation.id.desc()).first()
            said.append(last.arguments["again"] if last else None)
        world.work()
    assert said == [False, True]


def test_a_bay_in_a_state_of_a_newer_version_can_be_deleted_and_nothing_else(world: World) -> None:
    uuid = world.create()
    _set_status(world, uuid, "HIBERNATE_IN_PROGRESS")
    for verb in (Verb.UPDATE, Verb.RETRY, Verb.ROLLBACK):
        with pytest.raises(Conflict, match=r"HIBERNATE_IN_PROGRESS.*possible are: delete\."):
            world.ask(uuid, verb)
    world.ask(uuid, Verb.DELETE)
    world.work()
    assert not world.is_there(uuid)


def test_an_operation_ends_though_a_newer_version_gave_its_bay_a_state(world: World) -> None:
    uuid = world.create(timeout=timedelta(minutes=1))
    _set(world, uuid, step="polish")
    _set_status(world, uuid, "POLISH_IN_PROGRESS")
    world.work(70)
    assert world.bay(uuid).status == BayStatus.CREATE_FAILED


def test_arguments_of_a_newer_version_do_no_harm(world: World) -> None:
    uuid = world.create()
    _set(world, uuid, arguments={"colour": "blue"})
    world.work()
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def _set_status(world: World, bay_uuid: str, status: str) -> None:
    with world.database.writer() as session:
        session.query(models.Bay).filter_by(uuid=bay_uuid).update({"status": status})
