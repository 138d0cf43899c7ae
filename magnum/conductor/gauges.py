"""What the database says of bays and operations whenever Prometheus fetches it; it is the same from each conductor."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

from oslo_db import exception as db_exc
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import exc, func, select
from sqlalchemy.orm import Session

from magnum.common import clock, states
from magnum.common.states import OperationState, Verb
from magnum.db import models
from magnum.db.session import Database

_PATIENCE_SECONDS = 2.0


class Gauges:
    """A collector of prometheus_client."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Any]:
        """Nothing, so that the database is not asked before somebody wants to know."""
        return ()

    def collect(self) -> Iterator[Any]:
        """What there is now."""
        found = self._read()
        yield GaugeMetricFamily("magnum_database_up", "Whether the database answers.", value=int(bool(found)))
        yield from found

    def _read(self) -> list[Any]:
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            return []  # another fetch waits for the database already
        try:
            with self._database.reader() as session:
                return [*_operations(session), _bays(session)]
        except (db_exc.DBError, exc.SQLAlchemyError):
            return []
        finally:
            self._lock.release()


def _operations(session: Session) -> Iterator[Any]:
    operation = models.Operation
    by_state = GaugeMetricFamily(
        "magnum_operations", "Operations that are kept, by verb and state.", labels=["verb", "state"]
    )
    rows = session.execute(
        select(operation.verb, operation.state, func.count()).group_by(operation.verb, operation.state)
    )
    counts = {(verb, state): number for verb, state, number in rows}
    for verb in (Verb.CREATE, Verb.UPDATE, Verb.DELETE):
        for state in OperationState:
            by_state.add_metric([verb, state], counts.get((verb, state), 0))
    yield by_state
    is_open = operation.state.in_(states.OPEN)
    now = clock.now()
    oldest = session.scalar(select(func.min(operation.created_at)).where(is_open))
    yield GaugeMetricFamily(
        "magnum_oldest_operation_age_seconds",
        "Since the oldest operation that is open was accepted; 0 where none is.",
        value=max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
    )
    yield GaugeMetricFamily(
        "magnum_operations_overdue",
        "Open operations past their deadline.",
        value=session.scalar(select(func.count()).where(is_open, operation.deadline < now)) or 0,
    )


def _bays(session: Session) -> Any:
    by_status = GaugeMetricFamily("magnum_bays", "Bays, by status.", labels=["status"])
    rows = session.execute(select(models.Bay.status, func.count()).group_by(models.Bay.status))
    counts = {row[0]: row[1] for row in rows}
    for status in states.BayStatus:
        by_status.add_metric([status], counts.get(status, 0))
    return by_status
