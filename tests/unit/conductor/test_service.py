"""A whole conductor in its threads: what wakes it, and how it stops."""

import threading
import time as real_time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from oslo_config import cfg

from magnum.common import bus_door, rpc
from magnum.common.bus import messaging
from magnum.common.context import RequestContext
from magnum.common.exception import Invalid, NotFound, Unavailable
from magnum.common.idents import new_uuid
from magnum.common.rpc import ConductorClient
from magnum.common.states import BayStatus
from magnum.conductor.drift import DriftWatch
from magnum.conductor.endpoints import ConductorEndpoint
from magnum.conductor.service import Conductor
from magnum.conductor.tools import Tools
from magnum.db import duties, models
from magnum.db.session import Database
from tests.fakes.cloud import FakeCloud
from tests.unit.conductor.conftest import PATIENCE, World, eventually


@pytest.fixture
def bus(conf: cfg.ConfigOpts) -> Iterator[object]:
    conf.set_override("rpc_timeout", 3, group="conductor")
    transport = rpc.transport(conf, rpc.IN_MEMORY)
    yield transport
    transport.cleanup()


@pytest.fixture
def conductor(conf: cfg.ConfigOpts, database: Database, bus: object, tools: Tools) -> Iterator[Conductor]:
    conductor = Conductor(conf, database, bus, tools)
    conductor.start()
    yield conductor
    conductor.stop()


@pytest.fixture
def client(conf: cfg.ConfigOpts, bus: object) -> ConductorClient:
    return ConductorClient(conf, bus)


def test_a_message_wakes_it(
    conf: cfg.ConfigOpts, bus: object, database: Database, tools: Tools, world: World, client: ConductorClient
) -> None:
    conf.set_override("sweep_interval", 3600.0, group="conductor")
    conductor = Conductor(conf, database, bus, tools)
    conductor.start()
    try:
        real_time.sleep(0.2)
        uuid = world.create()
        client.operation_queued(world.context, uuid)
        assert eventually(lambda: world.bay(uuid).status == BayStatus.CREATE_COMPLETE)
    finally:
        conductor.stop()


def test_it_is_heard_though_the_bus_was_not_ready_for_it(
    conf: cfg.ConfigOpts,
    database: Database,
    bus: Any,
    tools: Tools,
    context: RequestContext,
    client: ConductorClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures = [KeyError("no such virtual host"), messaging.MessageDeliveryFailure("away")]

    def listen_at_last(*arguments: Any) -> object:
        if failures:
            raise failures.pop()
        return listen(*arguments)

    listen = bus._listen
    monkeypatch.setattr(bus, "_listen", listen_at_last)
    monkeypatch.setattr(bus_door, "_PAUSE_SECONDS", 0.01)
    conductor = Conductor(conf, database, bus, tools)
    conductor.start()
    try:
        client.workload_refresh(context, "pod", [])
    finally:
        conductor.stop()
    assert not failures


def test_a_lost_message_costs_a_sweep_interval_only(conf: cfg.ConfigOpts, world: World, conductor: Conductor) -> None:
    uuid = world.create()
    assert eventually(lambda: world.bay(uuid).status == BayStatus.CREATE_COMPLETE)


def test_many_bays_at_once(world: World, cloud: FakeCloud, conductor: Conductor, client: ConductorClient) -> None:
    bays = [world.create(name=f"b{number}") for number in range(20)]
    client.operation_queued(world.context, bays[0])
    assert eventually(lambda: all(world.bay(uuid).status == BayStatus.CREATE_COMPLETE for uuid in bays))
    assert len(cloud.heat.stacks) == 20


def test_a_heartbeat_is_left(database: Database, conductor: Conductor) -> None:
    def beats() -> int:
        with database.reader() as session:
            row = session.query(models.MagnumService).one_or_none()
            return row.report_count if row else 0

    assert eventually(lambda: beats() == 1)


def test_the_apis_calls_reach_the_bay(
    world: World, conductor: Conductor, client: ConductorClient, stranger: RequestContext
) -> None:
    uuid = world.create()
    assert eventually(lambda: world.bay(uuid).status == BayStatus.CREATE_COMPLETE)
    pod = {"metadata": {"name": "web"}}
    made = client.workload_create(world.context, "pod", uuid, pod)
    client.workload_refresh(world.context, "pod", [uuid])
    client.workload_update(world.context, "pod", made, pod)
    with pytest.raises(NotFound):
        client.workload_delete(stranger, "pod", made)
    client.workload_delete(world.context, "pod", made)
    assert world.running(uuid).objects["pod"] == {}
    with pytest.raises(NotFound):
        client.workload_delete(world.context, "pod", new_uuid())


def test_no_bay_of_ours_runs_containers(
    world: World, conductor: Conductor, client: ConductorClient, ready_bay: Callable[..., str]
) -> None:
    bay = ready_bay()
    with pytest.raises(Invalid, match="Magnum runs no containers in these"):
        client.container_create(world.context, {"bay_uuid": bay, "image": "nginx"})
    client.container_refresh(world.context, [bay])
    nothing = new_uuid()
    for ask in (
        lambda: client.container_act(world.context, nothing, "start"),
        lambda: client.container_logs(world.context, nothing),
        lambda: client.container_execute(world.context, nothing, "ls"),
        lambda: client.container_delete(world.context, nothing),
    ):
        with pytest.raises(NotFound):
            ask()


def test_without_a_conductor_the_api_is_told_so(
    conf: cfg.ConfigOpts, client: ConductorClient, context: RequestContext
) -> None:
    with pytest.raises(Unavailable):
        client.workload_refresh(context, "pod", [])


def test_a_duty_that_is_taken_while_it_stops_is_given_up_too(
    conf: cfg.ConfigOpts,
    database: Database,
    bus: object,
    tools: Tools,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taking = threading.Event()

    def take_slowly(*arguments: Any) -> bool:
        taking.set()
        real_time.sleep(1)
        return take(*arguments)

    take = duties.take
    monkeypatch.setattr(duties, "take", take_slowly)
    conductor = Conductor(conf, database, bus, tools)
    conductor.start()
    assert taking.wait(PATIENCE)
    conductor.stop()
    with world.database.reader() as session:
        assert session.query(models.Duty).count() == 0


def test_it_stops_quickly_and_hands_over(
    conf: cfg.ConfigOpts,
    database: Database,
    bus: object,
    tools: Tools,
    world: World,
    cloud: FakeCloud,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud.heat.at_once = False
    looking, over = threading.Event(), threading.Event()

    def look(_watch: DriftWatch) -> None:
        looking.set()
        over.wait(PATIENCE)

    def give_up_slowly(*arguments: Any) -> None:
        if not over.is_set():
            real_time.sleep(0.5)
        give_up(*arguments)

    give_up = duties.give_up
    monkeypatch.setattr(duties, "give_up", give_up_slowly)
    monkeypatch.setattr(DriftWatch, "look", look)
    conductor = Conductor(conf, database, bus, tools)
    conductor.start()
    uuid = world.create()
    assert eventually(lambda: world.bay(uuid).stack_id is not None)
    assert looking.wait(PATIENCE)
    started = real_time.monotonic()
    conductor.stop()
    assert real_time.monotonic() - started < 10
    with world.database.reader() as session:
        assert session.query(models.Duty).count() == 0, "though one look is not over"
    over.set()
    for thread in threading.enumerate():
        if thread.name == "give up duties":
            thread.join(PATIENCE)
    cloud.heat.at_once = True
    world.work(owner="two")
    assert world.bay(uuid).status == BayStatus.CREATE_COMPLETE


def test_a_project_whose_bays_hang_leaves_threads_to_others(conf: cfg.ConfigOpts, context: RequestContext) -> None:
    over, inside = threading.Event(), threading.Event()
    workloads = mock.Mock()

    def hang(*_: object) -> None:
        inside.set()
        over.wait(PATIENCE)

    workloads.refresh.side_effect = hang
    endpoint = ConductorEndpoint(mock.Mock(), workloads, mock.Mock(), threads=2)
    first = threading.Thread(target=endpoint.workload_refresh, args=(context, "pod", []))
    first.start()
    try:
        assert inside.wait(PATIENCE)
        with pytest.raises(messaging.ExpectedException):
            endpoint.workload_refresh(context, "pod", [])
        workloads.refresh.side_effect = None
        endpoint.workload_refresh(RequestContext(project_id="another", overwrite=False), "pod", [])
    finally:
        over.set()
        first.join(PATIENCE)
    assert workloads.refresh.call_count == 2
