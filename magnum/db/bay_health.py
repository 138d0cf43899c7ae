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
_WELL = ("ok", "True")
NEVER_LOOKED_AT: Mapping[str, None] = {"health_status": None, "health_status_reason": None, "health_checked_at": None}
"""Columns of a bay of which nothing is known; what was found of another cluster in its place is no news of it."""
NODES = "nodes"
"""Where a reason says how many nodes are missing, if some are."""


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


def write(session: Session, bay: models.Bay, status: Health, reason: Mapping[str, str], looked_at: datetime) -> bool:
    """Store what a look found, and let the bay's story tell of what is new; answers whether it counts.

    It does not if the bay is no more to be looked at, if another look began later and was faster, or if the bay was
    changed meanwhile: what was seen may be gone since.

    :param bay: as it was when its turn came
    :param looked_at: when the look began
    """
    wrong_first = sorted(reason.items(), key=lambda item: item[1] in _WELL)
    kept = {name: text[:_LONGEST_REASON] for name, text in wrong_first[:_MOST_REASONS]}
    checked_at = models.Bay.health_checked_at
    is_newest = or_(checked_at.is_(None), checked_at < looked_at)
    is_same = (
        models.Bay.status == bay.status,
        models.Bay.stack_id.is_not_distinct_from(bay.stack_id),
        models.Bay.stack_changed_at.is_not_distinct_from(bay.stack_changed_at),  # a change may be over already
    )
    statement = (
        update(models.Bay)
        .where(models.Bay.uuid == bay.uuid, models.Bay.status.in_(states.USABLE), is_newest, *is_same)
        .values(
            health_status=status,
            health_status_reason=kept,
            health_checked_at=looked_at,
            updated_at=models.Bay.updated_at,  # the bay itself is as it was
        )
    )
    written = cast(CursorResult[Any], session.execute(statement)).rowcount > 0
    if written and (status != bay.health_status or _what_is_wrong(kept) != _what_is_wrong(bay.health_status_reason)):
        session.add(
            models.BayEvent(
                bay_uuid=bay.uuid,
                project_id=bay.project_id,
                level="info" if status is Health.HEALTHY else "warning",
                text=_told(status, kept),
            )
        )
    return written


def _wrong(reason: Mapping[str, str] | None) -> dict[str, str]:
    return {name: text for name, text in (reason or {}).items() if text not in _WELL}


def _what_is_wrong(reason: Mapping[str, str] | None) -> set[str | None]:
    """Names, not words, which a silent bay has many of; only how many nodes are missing is news by itself."""
    wrong = _wrong(reason)
    return {*wrong, wrong.get(NODES)}


def _told(status: Health, reason: Mapping[str, str]) -> str:
    wrong = [f"{name}: {text}" for name, text in _wrong(reason).items()]
    listed = f": {', '.join(wrong[:_MOST_TOLD])}".removesuffix(".") if wrong else ""
    return f"The bay is {status}{listed}."
