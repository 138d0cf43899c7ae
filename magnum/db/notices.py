"""What is still to be told of operations to those who listen on the message bus.

The operations themselves say it: each row keeps what was told of it, so no way to begin or to end an operation can
forget to. Who tells takes the row first, for a short time, so that two conductors do not tell the same; what was taken
and never noted as told, by one that was killed, comes up again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import IntEnum

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from magnum.common import clock, states
from magnum.common.states import OperationState
from magnum.db import models

_ENDS = frozenset(OperationState) - states.OPEN


class Told(IntEnum):
    """How far the listeners know an operation."""

    NOTHING = 0
    BEGINNING = 1
    END = 2


def next_notice(operation: models.Operation) -> Told | None:
    """What is to be told next; None where nothing is new."""
    if operation.told == Told.NOTHING:
        return Told.BEGINNING
    return Told.END if operation.told == Told.BEGINNING and operation.state in _ENDS else None


def untold(session: Session, age: timedelta, limit: int) -> Sequence[models.Operation]:
    """Operations with news, oldest first.

    :param age: what last changed longer ago is no news any more
    """
    now = clock.now()
    changed_at = models.Operation.updated_at
    query = select(models.Operation).where(
        or_(
            models.Operation.told == Told.NOTHING,
            and_(models.Operation.told == Told.BEGINNING, models.Operation.state.in_(_ENDS)),
        ),
        or_(models.Operation.created_at > now - age, changed_at > now - age),
        or_(models.Operation.telling_until.is_(None), models.Operation.telling_until <= now),
    )
    return session.scalars(query.order_by(models.Operation.id).limit(limit)).all()


def take(session: Session, operation: models.Operation, until: datetime) -> bool:
    """Be the one who tells, if nobody else is and nothing was told meanwhile."""
    free = or_(models.Operation.telling_until.is_(None), models.Operation.telling_until <= clock.now())
    return _set(session, operation, operation.told, {"telling_until": until}, free)


def note(session: Session, operation: models.Operation, notice: Told) -> bool:
    """Keep that this was told; False where somebody else has said so."""
    return _set(session, operation, operation.told, {"told": notice, "telling_until": None})


def let_go(session: Session, operation: models.Operation) -> None:
    """Leave the telling to a later time, or to somebody else."""
    _set(session, operation, operation.told, {"telling_until": None})


def reason_of(session: Session, operation: models.Operation) -> str | None:
    """Why an operation did not do what it was to: the last that the bay's story says of it as a problem."""
    query = select(models.BayEvent.text).where(
        models.BayEvent.bay_uuid == operation.bay_uuid,
        models.BayEvent.request_id == operation.request_id,
        models.BayEvent.verb == operation.verb,
        models.BayEvent.level != "info",
    )
    return session.scalars(query.order_by(models.BayEvent.id.desc()).limit(1)).first()


def _set(session: Session, operation: models.Operation, told: int, values: dict[str, object], *more: object) -> bool:
    statement = (
        update(models.Operation)
        .where(models.Operation.id == operation.id, models.Operation.told == told, *more)  # type: ignore[arg-type]
        .values(updated_at=models.Operation.updated_at, **values)  # telling changes nothing of the operation
    )
    return bool(session.execute(statement).rowcount)  # type: ignore[attr-defined]
