"""How bays are: whose turn it is to be looked at, and what was found."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, not_, or_, select, update
from sqlalchemy.orm import Session

from magnum.common import clock, states
from magnum.common.states import BayStatus, Health
from magnum.db import models

_MOST_REASONS = 200
_LONGEST_REASON = 500
_MOST_TOLD = 5


def take_turns(
    session: Session, statuses: Collection[BayStatus], interval: timedelta, most: int, *, silent: bool = False
) -> list[models.Bay]:
    """Bays in one of these states whose turn it is, for this caller alone; their next turn is an interval later.

    :param silent: whether those that did not answer last time are wanted, or the others
    """
    now = clock.now()
    due = or_(models.Bay.health_due_at.is_(None), models.Bay.health_due_at <= now)
    is_silent = func.coalesce(models.Bay.health_status, "") == Health.UNKNOWN
    lane = is_silent if silent else not_(is_silent)
    query = select(models.Bay).where(models.Bay.status.in_(statuses), due, lane).order_by(models.Bay.health_due_at)
    return [bay for bay in session.scalars(query.limit(most)) if _take(session, bay, now + interval)]


def _take(session: Session, bay: models.Bay, due_at: datetime) -> bool:
    statement = (
        update(models.Bay)
        .where(models.Bay.uuid == bay.uuid, models.Bay.health_due_at == bay.health_due_at)
        .values(health_due_at=due_at, updated_at=models.Bay.updated_at)
        .execution_options(synchronize_session=False)
    )
    return cast(CursorResult[Any], session.execute(statement)).rowcount > 0


def write(session: Session, bay: models.Bay, status: Health, reason: Mapping[str, str]) -> None:
    """Store what was found, unless the bay is being deleted since; where it is another verdict, its story tells.

    :param bay: as it was when its turn came
    """
    kept = {name: text[:_LONGEST_REASON] for name, text in list(reason.items())[:_MOST_REASONS]}
    statement = (
        update(models.Bay)
        .where(models.Bay.uuid == bay.uuid, models.Bay.status.in_(states.USABLE))
        .values(
            health_status=status,
            health_status_reason=kept,
            health_checked_at=clock.now(),
            updated_at=models.Bay.updated_at,  # the bay itself is as it was
        )
    )
    written = cast(CursorResult[Any], session.execute(statement)).rowcount > 0
    if written and status != bay.health_status:
        session.add(
            models.BayEvent(
                bay_uuid=bay.uuid,
                project_id=bay.project_id,
                level="info" if status is Health.HEALTHY else "warning",
                text=_told(status, kept),
            )
        )


def _told(status: Health, reason: Mapping[str, str]) -> str:
    wrong = [f"{name}: {text}" for name, text in reason.items() if text not in ("ok", "True")]
    listed = f": {', '.join(wrong[:_MOST_TOLD])}".removesuffix(".") if wrong else ""
    return f"The bay is {status}{listed}."
