"""Containers of a tenant, and the engines in their bays that run them.

Unlike a pod's, a container's uuid is ours and its row holds what the tenant asked for. So the row is stored first and
the bay is asked then: whatever happens in between, the tenant sees the container and can delete it. Which engine a bay
has follows from its COE.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from oslo_config import cfg
from sqlalchemy.orm import Session

from magnum.coe.containers import ContainerAction, ContainerEngine, ContainerSpec, ContainerStatus
from magnum.common.context import RequestContext
from magnum.common.exception import Conflict, Invalid, NotFound
from magnum.common.states import USABLE
from magnum.conductor import copies
from magnum.conductor.rounds import ask_all
from magnum.db import models, resources
from magnum.db.session import Database

Engines = Mapping[str, Callable[[models.Bay], AbstractContextManager[ContainerEngine]]]
"""By the COE of a bay, how to speak to its engine."""


class Containers:
    """The work behind the API's containers."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, engines: Engines) -> None:
        self._database = database
        self._engines = engines
        self._patience = conf.conductor.rpc_timeout * 2 / 3

    def create(self, context: RequestContext, values: Mapping[str, Any]) -> str:
        """Make a container in a bay, not started; answers its uuid.

        :param values: columns of its row
        :raises Conflict: it is being deleted already, or its bay is; or another has its uuid
        """
        bay = self._bay(context, values["bay_uuid"])
        opened = self._open(bay)
        row = self._add(context, bay, values)
        try:
            with opened as engine:
                engine.create(_spec(row))
                self._settle(context, row.uuid, engine)
        except Exception:
            self._forget(context, row.uuid)
            raise
        return row.uuid

    def delete(self, context: RequestContext, uuid: str) -> None:
        """Remove a container and its row. Where its bay cannot be asked any more, only the row is left to go."""
        row = self._row(context, uuid)
        with self._database.reader() as session:
            bays = resources.every(session, context, models.Bay, {"uuid": row.bay_uuid, "status": list(USABLE)})
        for bay in bays:
            if bay.baymodel["coe"] in self._engines:
                with self._open(bay) as engine:
                    engine.delete(uuid)
        self._forget(context, uuid)

    def act(self, context: RequestContext, uuid: str, action: str) -> None:
        """Start, stop, reboot, pause or unpause a container."""
        with self._engine_of(context, uuid) as engine:
            engine.act(uuid, ContainerAction(action))

    def logs(self, context: RequestContext, uuid: str) -> str:
        """What a container has written so far."""
        with self._engine_of(context, uuid) as engine:
            return engine.logs(uuid)

    def execute(self, context: RequestContext, uuid: str, command: str) -> str:
        """Run a command in a container; answers what it wrote."""
        with self._engine_of(context, uuid) as engine:
            return engine.execute(uuid, command)

    def refresh(self, context: RequestContext, bay_uuids: Sequence[str]) -> None:
        """Give the rows in these bays the status that the bays say, all bays at once; Unknown where none is said."""
        with self._database.reader() as session:
            bays = resources.every(session, context, models.Bay, {"uuid": list(bay_uuids)})
        usable = [bay for bay in bays if bay.status in USABLE]
        silent = ask_all(usable, self._refresh_bay, self._patience)
        for bay in (*silent, *(bay for bay in bays if bay not in usable)):
            self._store(bay, {})

    def _refresh_bay(self, bay: models.Bay) -> None:
        with self._open(bay) as engine:
            statuses = engine.statuses()
        self._store(bay, statuses)

    def _store(self, bay: models.Bay, statuses: Mapping[str, ContainerStatus]) -> None:
        with self._database.writer() as session:
            for row in session.query(models.Container).filter_by(bay_uuid=bay.uuid):
                status = statuses.get(row.uuid, ContainerStatus.UNKNOWN)
                if row.status != status:
                    row.status = status

    def _open(self, bay: models.Bay) -> AbstractContextManager[ContainerEngine]:
        coe = bay.baymodel["coe"]
        engine = self._engines.get(coe)
        if engine is None:
            raise Invalid(f"Cannot fulfill request with a {coe} bay: Magnum runs no containers in these.")
        return engine(bay)

    def _engine_of(self, context: RequestContext, uuid: str) -> AbstractContextManager[ContainerEngine]:
        return self._open(self._bay(context, self._row(context, uuid).bay_uuid))

    def _add(self, context: RequestContext, bay: models.Bay, values: Mapping[str, Any]) -> models.Container:
        def check(session: Session) -> None:
            if not copies.is_there(session, bay.uuid):
                raise Conflict(f"Bay {bay.name or bay.uuid} is being deleted.")

        row = {**values, "status": ContainerStatus.UNKNOWN}
        return resources.create(self._database, context, models.Container, row, check)

    def _settle(self, context: RequestContext, uuid: str, engine: ContainerEngine) -> None:
        """Say that the container is there, unless it was deleted while the engine made it."""
        try:
            with self._database.writer() as session:
                resources.change(session, context, models.Container, uuid, {"status": ContainerStatus.STOPPED})
        except NotFound as error:
            engine.delete(uuid)
            raise Conflict(f"Container {uuid} was deleted while it was made.") from error

    def _forget(self, context: RequestContext, uuid: str) -> None:
        with self._database.writer() as session, contextlib.suppress(NotFound):
            resources.remove(session, context, models.Container, uuid)

    def _bay(self, context: RequestContext, uuid: str) -> models.Bay:
        with self._database.reader() as session:
            return resources.find(session, context, models.Bay, uuid)

    def _row(self, context: RequestContext, uuid: str) -> models.Container:
        with self._database.reader() as session:
            return resources.find(session, context, models.Container, uuid)


def _spec(row: models.Container) -> ContainerSpec:
    return ContainerSpec(
        uuid=row.uuid,
        name=row.name,
        image=row.image,
        command=row.command,
        memory=row.memory,
        environment=row.environment,
    )
