"""Our rows of what is in a bay follow the bay, and never another tenant's."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import pytest
from oslo_config import cfg

from magnum.coe.nodes import Node
from magnum.coe.workloads import Workload
from magnum.common.context import RequestContext
from magnum.common.exception import BayUnreachable, Conflict, Invalid, NotFound
from magnum.conductor.access import BayDoor
from magnum.conductor.workloads import Workloads
from magnum.db import models, resources
from magnum.db.session import Database


class FakeBays:
    """Bays that hold what was put into them; one may be out of reach, one may hang, one may fail in a new way."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Workload]] = {}
        self.nodes: list[Node] = []
        self.unreachable: set[str] = set()
        self.broken: set[str] = set()
        self.hanging: set[str] = set()
        self.released = threading.Event()

    @contextmanager
    def open(self, bay: models.Bay) -> Iterator["FakeBay"]:
        if bay.uuid in self.unreachable:
            raise BayUnreachable("no answer")
        if bay.uuid in self.broken:
            raise RuntimeError("what nobody thought of")
        if bay.uuid in self.hanging:
            self.released.wait(10)
        yield FakeBay(self.held.setdefault(bay.uuid, {}), self.nodes)


class FakeBay:
    def __init__(self, held: dict[str, Workload], nodes: list[Node]) -> None:
        self._held = held
        self._nodes = nodes

    def list(self, kind: str) -> list[Workload]:
        return [*self._held.values()]

    def list_nodes(self) -> Sequence[Node]:
        return self._nodes

    def create(self, kind: str, manifest: dict[str, Any]) -> Workload:
        name = manifest["metadata"]["name"]
        self._held[name] = Workload(uid=str(uuid.uuid4()), name=name, status="Pending")
        return self._held[name]

    def replace(self, kind: str, name: str, manifest: dict[str, Any]) -> Workload:
        self._held[name] = Workload(uid=self._held[name].uid, name=name, status="Running")
        return self._held[name]

    def delete(self, kind: str, name: str) -> None:
        self._held.pop(name, None)


@pytest.fixture
def bays() -> FakeBays:
    return FakeBays()


@pytest.fixture
def workloads(conf: cfg.ConfigOpts, database: Database, bays: FakeBays) -> Workloads:
    return Workloads(conf, database, cast(BayDoor, bays))


def add_bay(database: Database, context: RequestContext, **values: Any) -> models.Bay:
    bay = models.Bay(name="b", baymodel_id="m", baymodel={"image_id": "i"}, status="CREATE_COMPLETE", **values)
    with database.writer() as session:
        return resources.add(session, context, bay)


def pods(database: Database, context: RequestContext) -> dict[str, str | None]:
    with database.reader() as session:
        return {pod.name: pod.status for pod in resources.every(session, context, models.Pod)}


def manifest(name: str) -> dict[str, Any]:
    return {"kind": "Pod", "metadata": {"name": name}}


def test_what_is_created_has_a_row_with_the_uuid_the_bay_gave(
    database: Database, context: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    bay = add_bay(database, context)
    made = workloads.create(context, "pod", bay.uuid, manifest("one"))
    assert made == bays.held[bay.uuid]["one"].uid
    assert pods(database, context) == {"one": "Pending"}


def test_a_refresh_adds_changes_and_removes(
    database: Database, context: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    bay = add_bay(database, context)
    workloads.create(context, "pod", bay.uuid, manifest("stays"))
    workloads.create(context, "pod", bay.uuid, manifest("vanishes"))
    held = bays.held[bay.uuid]
    held["stays"] = Workload(uid=held["stays"].uid, name="stays", status="Running")
    held["appears"] = Workload(uid=str(uuid.uuid4()), name="appears", status="Running")
    del held["vanishes"]
    workloads.refresh(context, "pod", [bay.uuid])
    assert pods(database, context) == {"stays": "Running", "appears": "Running"}


def test_a_bay_out_of_reach_leaves_its_rows_unknown_and_the_others_alone(
    conf: cfg.ConfigOpts, database: Database, context: RequestContext, bays: FakeBays
) -> None:
    conf.set_override("rpc_timeout", 1, group="conductor")
    workloads = Workloads(conf, database, cast(BayDoor, bays))
    good, dead, slow, broken = (add_bay(database, context) for _ in range(4))
    for bay, name in ((good, "good"), (dead, "dead"), (slow, "slow"), (broken, "broken")):
        workloads.create(context, "pod", bay.uuid, manifest(name))
    bays.unreachable.add(dead.uuid)
    bays.hanging.add(slow.uuid)
    bays.broken.add(broken.uuid)
    workloads.refresh(context, "pod", [good.uuid, dead.uuid, slow.uuid, broken.uuid])
    assert pods(database, context) == {"good": "Pending", "dead": "Unknown", "slow": "Unknown", "broken": "Unknown"}
    bays.released.set()


@pytest.mark.parametrize("status", ["CREATE_FAILED", "DELETE_IN_PROGRESS", "DELETE_FAILED"])
def test_a_bay_that_has_no_api_any_more_is_not_asked(
    database: Database, context: RequestContext, workloads: Workloads, bays: FakeBays, status: str
) -> None:
    bay = add_bay(database, context)
    workloads.create(context, "pod", bay.uuid, manifest("web"))
    with database.writer() as session:
        resources.change(session, context, models.Bay, bay.uuid, {"status": status})
    bays.held[bay.uuid] = {}
    workloads.refresh(context, "pod", [bay.uuid])
    assert pods(database, context) == {"web": "Unknown"}


def test_a_bay_being_deleted_gets_no_new_rows(
    database: Database, context: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    bay = add_bay(database, context)
    bays.held[bay.uuid] = {"x": Workload(uid=str(uuid.uuid4()), name="x")}
    with database.writer() as session:
        resources.change(session, context, models.Bay, bay.uuid, {"status": "DELETE_IN_PROGRESS"})
    workloads.refresh(context, "pod", [bay.uuid])
    with pytest.raises(Conflict, match="is being deleted"):
        workloads.create(context, "pod", bay.uuid, manifest("late"))
    assert pods(database, context) == {}


def test_two_bays_may_claim_the_same_uid(
    database: Database, context: RequestContext, stranger: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    mine, theirs = add_bay(database, context), add_bay(database, stranger)
    same = Workload(uid=str(uuid.uuid4()), name="x", status="Running")
    bays.held = {mine.uuid: {"x": same}, theirs.uuid: {"x": same}}
    workloads.refresh(stranger, "pod", [theirs.uuid])
    workloads.refresh(context, "pod", [mine.uuid])
    assert pods(database, context) == {"x": "Running"}
    assert pods(database, stranger) == {"x": "Running"}


def test_strangers_reach_nothing(
    database: Database, context: RequestContext, stranger: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    bay = add_bay(database, context)
    made = workloads.create(context, "pod", bay.uuid, manifest("mine"))
    with pytest.raises(NotFound):
        workloads.create(stranger, "pod", bay.uuid, manifest("theirs"))
    with pytest.raises(NotFound):
        workloads.update(stranger, "pod", made, manifest("mine"))
    with pytest.raises(NotFound):
        workloads.delete(stranger, "pod", made)
    bays.held[bay.uuid].clear()
    workloads.refresh(stranger, "pod", [bay.uuid])
    assert pods(database, context) == {"mine": "Pending"}


def test_an_update_takes_the_manifest_of_the_same_object(
    database: Database, context: RequestContext, workloads: Workloads
) -> None:
    bay = add_bay(database, context)
    made = workloads.create(context, "pod", bay.uuid, manifest("one"))
    with pytest.raises(Invalid, match="Give the manifest of 'one'"):
        workloads.update(context, "pod", made, manifest("other"))
    workloads.update(context, "pod", made, manifest("one"))
    assert pods(database, context) == {"one": "Running"}


def test_deleting_removes_object_and_row(
    database: Database, context: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    bay = add_bay(database, context)
    made = workloads.create(context, "pod", bay.uuid, manifest("one"))
    workloads.delete(context, "pod", made)
    assert pods(database, context) == {}
    assert bays.held[bay.uuid] == {}


def test_nodes_keep_their_uuid_while_their_state_changes(
    database: Database, context: RequestContext, workloads: Workloads, bays: FakeBays
) -> None:
    bay = add_bay(database, context)
    first = Node("u", "n-0", "node", ready=False, reason="starting", addresses=["10.0.0.5"], version="v1")
    bays.nodes = [first]
    workloads.refresh(context, "node", [bay.uuid])
    with database.reader() as session:
        (before,) = resources.every(session, context, models.Node)
    assert (before.status, before.status_reason, before.image_id) == ("NotReady", "starting", "i")
    bays.nodes = [Node("u", "n-0", "node", ready=True, reason=None, addresses=["10.0.0.5"], version="v1")]
    workloads.refresh(context, "node", [bay.uuid])
    with database.reader() as session:
        (after,) = resources.every(session, context, models.Node)
    assert (after.uuid, after.status, after.status_reason) == (before.uuid, "Ready", None)
