"""Pods, services and replication controllers of a tenant, and the nodes they run on.

Creating, changing and deleting ask the bay first and write the row afterwards. If the process dies in between, the next
listing heals the row. Nothing here keeps anything between two calls.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from oslo_config import cfg
from oslo_db import exception as db_exception

from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.workloads import WorkloadKind
from magnum.common import clock
from magnum.common.context import RequestContext
from magnum.common.exception import Invalid
from magnum.common.states import USABLE, BayStatus
from magnum.conductor import copies
from magnum.conductor.rounds import ask_all
from magnum.conductor.tools import BayApis
from magnum.db import models, resources
from magnum.db.session import Database


class Workloads:
    """The work behind the API's pods, services, rcs and nodes."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, door: BayApis) -> None:
        self._database = database
        self._door = door
        self._patience = conf.conductor.rpc_timeout * 2 / 3

    def create(self, context: RequestContext, kind: WorkloadKind, bay_uuid: str, manifest: dict[str, Any]) -> str:
        """Create an object in a bay; answers the uuid of its row, which is the one the bay gave it."""
        bay = self._bay(context, bay_uuid)
        with self._door.open(bay) as opened:
            made = opened.create(kind, manifest)
        return self._put(bay, kind, copies.workload_values(kind, made))

    def update(self, context: RequestContext, kind: WorkloadKind, uuid: str, manifest: dict[str, Any]) -> None:
        """Make an object what its manifest says.

        :raises Invalid: the manifest is another object's
        """
        row = self._row(context, kind, uuid)
        name = manifest["metadata"]["name"]
        if name != row.name:
            raise Invalid(f"The manifest is of {name!r}, but this is {row.name!r}. Give the manifest of {row.name!r}.")
        bay = self._bay(context, row.bay_uuid)
        with self._door.open(bay) as opened:
            changed = opened.replace(kind, row.name, manifest)
        self._put(bay, kind, copies.workload_values(kind, changed))

    def delete(self, context: RequestContext, kind: WorkloadKind, uuid: str) -> None:
        """Delete an object and its row. Of a bay that is being deleted only the row is left to go."""
        row = self._row(context, kind, uuid)
        bay = self._bay(context, row.bay_uuid)
        if bay.status != BayStatus.DELETE_IN_PROGRESS:
            with self._door.open(bay) as opened:
                opened.delete(kind, row.name)
        with self._database.writer() as session:
            resources.remove(session, context, type(row), uuid)

    def refresh(self, context: RequestContext, kind: str, bay_uuids: Sequence[str]) -> None:
        """Make the rows of a kind what the bays say, all bays at once.

        Where a bay fails to answer in time, or has no API yet or any more, its rows get status Unknown; it is no error
        and holds up no other.
        """
        with self._database.reader() as session:
            bays = resources.every(session, context, models.Bay, {"uuid": list(bay_uuids)})
        usable = [bay for bay in bays if bay.status in USABLE]
        silent = ask_all(usable, lambda bay: self._refresh_bay(bay, kind), self._patience)
        for bay in (*silent, *(bay for bay in bays if bay not in usable)):
            self._mark_unknown(bay, kind)

    def _refresh_bay(self, bay: models.Bay, kind: str) -> None:
        listed_at = clock.now()
        with self._door.open(bay) as opened:
            found = _list(opened, bay, kind)
        try:
            self._store(bay, kind, found, listed_at)
        except db_exception.DBDuplicateEntry:
            self._store(bay, kind, found, listed_at)  # another refresh of the same bay was first

    def _store(self, bay: models.Bay, kind: str, found: list[dict[str, Any]], listed_at: datetime) -> None:
        with self._database.writer() as session:
            copies.store(session, bay, kind, found, listed_at)

    def _put(self, bay: models.Bay, kind: str, values: dict[str, Any]) -> str:
        try:
            with self._database.writer() as session:
                return copies.put(session, bay, kind, values)
        except db_exception.DBDuplicateEntry:
            with self._database.writer() as session:
                return copies.put(session, bay, kind, values)  # a refresh stored it first

    def _mark_unknown(self, bay: models.Bay, kind: str) -> None:
        with self._database.writer() as session:
            copies.mark_unknown(session, bay.uuid, kind)

    def _bay(self, context: RequestContext, bay_uuid: str) -> models.Bay:
        with self._database.reader() as session:
            return resources.find(session, context, models.Bay, bay_uuid)

    def _row(
        self, context: RequestContext, kind: str, uuid: str
    ) -> models.Pod | models.Service | models.ReplicationController:
        with self._database.reader() as session:
            row = resources.find(session, context, copies.MODELS[kind], uuid)
        return cast(models.Pod | models.Service | models.ReplicationController, row)


def _list(opened: KubernetesBay, bay: models.Bay, kind: str) -> list[dict[str, Any]]:
    if kind == "node":
        return [copies.node_values(bay, node) for node in opened.list_nodes()]
    return [copies.workload_values(kind, item) for item in opened.list(cast(WorkloadKind, kind))]
