"""Containers follow what their bay's engine says; whatever happens, a tenant can see them and be rid of them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
from oslo_config import cfg

from magnum.coe.containers import ContainerAction, ContainerSpec, ContainerStatus
from magnum.common.context import RequestContext
from magnum.common.exception import BayUnreachable, Conflict, Invalid, NotFound, RemoteRefusal
from magnum.conductor.containers import Containers
from magnum.db import models, resources
from magnum.db.session import Database

_AFTER = {
    ContainerAction.START: ContainerStatus.RUNNING,
    ContainerAction.STOP: ContainerStatus.STOPPED,
    ContainerAction.REBOOT: ContainerStatus.RUNNING,
    ContainerAction.PAUSE: ContainerStatus.PAUSED,
    ContainerAction.UNPAUSE: ContainerStatus.RUNNING,
}


class FakeEngine:
    """The engines of all bays, in memory. One may refuse, be out of reach or hang."""

    def __init__(self) -> None:
        self.held: dict[str, ContainerStatus] = {}
        self.specs: list[ContainerSpec] = []
        self.refusal: Exception | None = None
        self.unreachable: set[str] = set()
        self.hanging: set[str] = set()
        self.released = threading.Event()
        self.while_creating: Callable[[str], None] = lambda _uuid: None

    @contextmanager
    def open(self, bay: models.Bay) -> Iterator["FakeEngine"]:
        if bay.uuid in self.unreachable:
            raise BayUnreachable("no answer")
        if bay.uuid in self.hanging:
            self.released.wait(10)
        yield self

    def create(self, wanted: ContainerSpec) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.specs.append(wanted)
        self.held[wanted.uuid] = ContainerStatus.STOPPED
        self.while_creating(wanted.uuid)

    def delete(self, uuid: str) -> None:
        self.held.pop(uuid, None)

    def statuses(self) -> Mapping[str, ContainerStatus]:
        return dict(self.held)

    def act(self, uuid: str, action: ContainerAction) -> None:
        self.held[uuid] = _AFTER[action]

    def logs(self, uuid: str) -> str:
        return f"lines of {uuid}"

    def execute(self, uuid: str, command: str) -> str:
        return f"{command} in {uuid}"


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def containers(conf: cfg.ConfigOpts, database: Database, engine: FakeEngine) -> Containers:
    conf.set_override("rpc_timeout", 1, group="conductor")
    return Containers(conf, database, {"swarm": engine.open})


@pytest.fixture
def bay(database: Database, context: RequestContext) -> models.Bay:
    return add_bay(database, context)


def add_bay(database: Database, context: RequestContext, coe: str = "swarm") -> models.Bay:
    bay = models.Bay(name="b", baymodel_id="m", baymodel={"coe": coe}, status="CREATE_COMPLETE")
    with database.writer() as session:
        return resources.add(session, context, bay)


def set_status(database: Database, context: RequestContext, bay: models.Bay, status: str) -> None:
    with database.writer() as session:
        resources.change(session, context, models.Bay, bay.uuid, {"status": status})


def values(bay: models.Bay) -> dict[str, str]:
    return {"bay_uuid": bay.uuid, "name": "web", "image": "nginx", "memory": "512m"}


def rows(database: Database, context: RequestContext) -> dict[str, str | None]:
    with database.reader() as session:
        return {row.uuid: row.status for row in resources.every(session, context, models.Container)}


def test_what_is_created_is_there_and_stopped(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    made = containers.create(context, values(bay))
    assert rows(database, context) == {made: "Stopped"}
    assert engine.specs == [ContainerSpec(uuid=made, name="web", image="nginx", memory="512m")]


def test_what_the_engine_refuses_leaves_nothing(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    engine.refusal = RemoteRefusal(404, "no such image")
    with pytest.raises(RemoteRefusal, match="no such image"):
        containers.create(context, values(bay))
    engine.refusal = RuntimeError("what nobody thought of")
    with pytest.raises(RuntimeError):
        containers.create(context, values(bay))
    assert rows(database, context) == {}


def test_what_is_deleted_while_it_is_made_is_gone(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    def deleted(uuid: str) -> None:
        with database.writer() as session:
            resources.remove(session, context, models.Container, uuid)

    engine.while_creating = deleted
    with pytest.raises(Conflict, match="was deleted"):
        containers.create(context, values(bay))
    assert (rows(database, context), engine.held) == ({}, {})


def test_a_uuid_can_be_asked_for(
    database: Database, context: RequestContext, stranger: RequestContext, containers: Containers, bay: models.Bay
) -> None:
    uuid = "9b0c4a43-0000-4000-8000-3d9ad3a5e0b7"
    assert containers.create(context, {**values(bay), "uuid": uuid}) == uuid
    with pytest.raises(Conflict, match="same uuid already exists"):
        containers.create(context, {**values(bay), "uuid": uuid})
    theirs = add_bay(database, stranger)
    assert containers.create(stranger, {**values(theirs), "uuid": uuid}) != uuid


def test_a_bay_without_an_engine_is_refused(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine
) -> None:
    kubernetes = add_bay(database, context, "kubernetes")
    with pytest.raises(Invalid, match="kubernetes bay"):
        containers.create(context, values(kubernetes))
    assert rows(database, context) == {}


def test_a_bay_that_is_being_deleted_gets_no_more(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    set_status(database, context, bay, "DELETE_IN_PROGRESS")
    with pytest.raises(Conflict, match="is being deleted"):
        containers.create(context, values(bay))
    assert (rows(database, context), engine.held) == ({}, {})


def test_actions_and_words(
    context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    made = containers.create(context, values(bay))
    for action, status in _AFTER.items():
        containers.act(context, made, action.value)
        assert engine.held[made] == status
    assert containers.logs(context, made) == f"lines of {made}"
    assert containers.execute(context, made, "ls") == f"ls in {made}"


def test_strangers_reach_nothing(
    database: Database, context: RequestContext, stranger: RequestContext, containers: Containers, bay: models.Bay
) -> None:
    made = containers.create(context, values(bay))
    for reach in (
        lambda: containers.create(stranger, values(bay)),
        lambda: containers.act(stranger, made, "stop"),
        lambda: containers.logs(stranger, made),
        lambda: containers.execute(stranger, made, "ls"),
        lambda: containers.delete(stranger, made),
    ):
        with pytest.raises(NotFound):
            reach()
    containers.refresh(stranger, [bay.uuid])
    assert rows(database, context) == {made: "Stopped"}


def test_a_refresh_says_what_each_bay_says(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    dead, slow = add_bay(database, context), add_bay(database, context)
    good, gone, lost, late = (containers.create(context, values(each)) for each in (bay, bay, dead, slow))
    engine.held[good] = ContainerStatus.RUNNING
    del engine.held[gone]
    engine.unreachable.add(dead.uuid)
    engine.hanging.add(slow.uuid)
    containers.refresh(context, [bay.uuid, dead.uuid, slow.uuid])
    assert rows(database, context) == {good: "Running", gone: "Unknown", lost: "Unknown", late: "Unknown"}
    engine.released.set()


def test_a_bay_that_is_being_deleted_is_not_asked(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    made = containers.create(context, values(bay))
    engine.held[made] = ContainerStatus.RUNNING
    with database.writer() as session:
        resources.change(session, context, models.Bay, bay.uuid, {"status": "DELETE_IN_PROGRESS"})
    containers.refresh(context, [bay.uuid])
    assert rows(database, context) == {made: "Unknown"}


def test_deleting_removes_container_and_row(
    database: Database, context: RequestContext, containers: Containers, engine: FakeEngine, bay: models.Bay
) -> None:
    made = containers.create(context, values(bay))
    engine.unreachable.add(bay.uuid)
    with pytest.raises(BayUnreachable):
        containers.delete(context, made)
    engine.unreachable.clear()
    containers.delete(context, made)
    assert (rows(database, context), engine.held) == ({}, {})


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETE_FAILED"])
def test_of_a_bay_that_cannot_be_asked_the_row_goes(
    database: Database,
    context: RequestContext,
    containers: Containers,
    engine: FakeEngine,
    bay: models.Bay,
    status: str,
) -> None:
    made = containers.create(context, values(bay))
    engine.unreachable.add(bay.uuid)
    set_status(database, context, bay, status)
    containers.delete(context, made)
    assert rows(database, context) == {}


def test_without_the_engine_the_row_goes(
    conf: cfg.ConfigOpts, database: Database, context: RequestContext, containers: Containers, bay: models.Bay
) -> None:
    made = containers.create(context, values(bay))
    Containers(conf, database, {}).delete(context, made)
    assert rows(database, context) == {}
