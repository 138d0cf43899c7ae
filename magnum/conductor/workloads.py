"""Pods, services and replication controllers of running bays, and our copy of them.

The bay's own API is the truth: it is asked first, and what it answers is stored. Whoever may see a bay's row may ask
that bay, and nobody else: every row is looked up with the tenant's predicate before anything is done.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, cast

from oslo_log import log
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from magnum.coe.kubernetes import KubernetesBay
from magnum.coe.manifests import Manifest
from magnum.coe.nodes import Node
from magnum.coe.workloads import Workload, WorkloadKind
from magnum.common import states
from magnum.common.context import RequestContext
from magnum.common.exception import Conflict, Invalid, MagnumError, NotFound
from magnum.conductor import rows
from magnum.conductor.tools import Tools
from magnum.db import models, resources

LOG = log.getLogger(__name__)

_BAYS_AT_ONCE = 16
_RESERVE = 5.0  # seconds of an RPC call left for the database and the way back
_SHORTEST_BUDGET = 2.0


class Workloads:
    """What the API asks of bays; any number of threads may use it at once."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._database = tools.database
        self._budget = max(_SHORTEST_BUDGET, tools.conf.conductor.rpc_timeout - _RESERVE)

    def create(self, context: RequestContext, kind: str, bay_uuid: str, manifest: Manifest) -> str:
        """Create an object in a bay and store its row; answers its uuid."""
        model = _model(kind)
        bay = self._usable(context, bay_uuid)
        with self._tools.bays.open(bay) as running:
            made = running.create(_workload(kind), manifest)
        with suppress(IntegrityError), self._database.writer() as session:  # a list may have stored it meanwhile
            session.add(rows.new(model, bay, made))
        return made.uid

    def update(self, context: RequestContext, kind: str, uuid: str, manifest: Manifest) -> None:
        """Make an object what the manifest says."""
        model = _model(kind)
        row = self._find(context, model, uuid)
        name = manifest["metadata"]["name"]
        if name != row.name:
            raise Invalid(f"metadata.name is {name}, but the object's name is {row.name} and cannot be changed.")
        bay = self._usable(context, row.bay_uuid)
        with self._tools.bays.open(bay) as running:
            changed = running.replace(_workload(kind), name, manifest)
        with self._database.writer() as session:
            self._store(session, model, row, rows.values(model, changed))

    def delete(self, context: RequestContext, kind: str, uuid: str) -> None:
        """Delete an object from its bay, and its row."""
        model = _model(kind)
        row = self._find(context, model, uuid)
        bay = self._usable(context, row.bay_uuid)
        with self._tools.bays.open(bay) as running:
            running.delete(_workload(kind), row.name)
        with suppress(NotFound), self._database.writer() as session:
            resources.remove(session, context, model, uuid)

    def refresh(self, context: RequestContext, kind: str, bay_uuids: Sequence[str]) -> None:
        """Bring the rows of these bays up to date; those of a bay that does not answer in time become Unknown."""
        model = rows.MODELS.get(kind)
        if model is None:
            raise Invalid(f"There are no objects of kind {kind!r} in a bay.")
        with self._database.reader() as session:
            bays = resources.every(session, context, models.Bay, {"uuid": list(bay_uuids)})
        end = time.monotonic() + self._budget
        # Threads of its own for each call: a tenant whose bays hang keeps nobody waiting but itself.
        pool = ThreadPoolExecutor(min(_BAYS_AT_ONCE, max(1, len(bays))), thread_name_prefix="refresh")
        try:
            futures = {pool.submit(self._refresh, model, kind, bay): bay for bay in bays}
            wait(futures, timeout=end - time.monotonic())
            late = [bay for future, bay in futures.items() if not (future.done() and future.result())]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if late:
            self._mark_unknown(model, late)

    def _refresh(self, model: type[rows.BayObject], kind: str, bay: models.Bay) -> bool:
        """Bring one bay's rows up to date; answers whether it could be asked."""
        if bay.status not in states.USABLE:
            return False
        with self._database.reader() as session:
            known = rows.known(session, model, bay.uuid)
        try:
            with self._tools.bays.open(bay) as running:
                found = _list(running, kind)
        except MagnumError as error:
            LOG.info("The %ss of bay %s are not known now: %s", kind, bay.uuid, error.message)
            return False
        try:
            self._heal(model, bay, known, found)
        except IntegrityError:  # one of them was stored by a creation at the same time
            self._heal(model, bay, known, found)
        return True

    def _heal(
        self, model: type[rows.BayObject], bay: models.Bay, known: set[str], found: list[Node] | list[Workload]
    ) -> None:
        with self._database.writer() as session:
            rows.heal(session, model, bay, known, found)

    def _mark_unknown(self, model: type[rows.BayObject], bays: Sequence[models.Bay]) -> None:
        uuids = [bay.uuid for bay in bays]
        with self._database.writer() as session:
            session.execute(update(model).where(model.bay_uuid.in_(uuids)).values(status=rows.UNKNOWN))

    def _usable(self, context: RequestContext, bay_uuid: str) -> models.Bay:
        with self._database.reader() as session:
            bay = resources.find(session, context, models.Bay, bay_uuid)
        if bay.status not in states.USABLE:
            raise Conflict(f"Bay {bay_uuid} cannot be used while its status is {bay.status}.")
        return bay

    def _find(self, context: RequestContext, model: type[models.Pod], uuid: str) -> models.Pod:
        with self._database.reader() as session:
            return resources.find(session, context, model, uuid)

    @staticmethod
    def _store(session: Session, model: type[models.Pod], row: models.Pod, values: dict[str, Any]) -> None:
        session.execute(update(model).where(model.id == row.id).values(**values))


def _model(kind: str) -> type[models.Pod]:
    """The table of a kind that is made and deleted; typed as one of them, as all three have what is used here."""
    if kind not in ("pod", "service", "rc"):
        raise Invalid(f"Objects of kind {kind!r} cannot be made or changed in a bay.")
    return cast(type[models.Pod], rows.MODELS[kind])


def _workload(kind: str) -> WorkloadKind:
    return cast(WorkloadKind, kind)


def _list(running: KubernetesBay, kind: str) -> list[Node] | list[Workload]:
    return running.list_nodes() if kind == "node" else running.list(_workload(kind))
