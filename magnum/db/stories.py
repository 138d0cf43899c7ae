"""What was told of bays: read while they are there and after, and forgotten when its time is over."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from magnum.common.context import RequestContext
from magnum.db import models


def events(
    session: Session, context: RequestContext, bay_uuid: str, after: int, limit: int
) -> Sequence[models.BayEvent]:
    """The story of a bay, oldest first, also of one that is gone, as far as it is this tenant's.

    :param after: id of the last event already known; 0 for the beginning
    """
    query = select(models.BayEvent).where(models.BayEvent.bay_uuid == bay_uuid, models.BayEvent.id > after)
    if not context.all_projects:
        query = query.where(models.BayEvent.project_id == context.project_id)
    return session.scalars(query.order_by(models.BayEvent.id).limit(limit)).all()


def long_gone(session: Session, before: datetime, most: int) -> Sequence[str]:
    """So many bays that are gone and of which nothing was told since then."""
    last = func.max(models.BayEvent.created_at)
    alive = select(models.Bay.uuid)
    query = select(models.BayEvent.bay_uuid).where(models.BayEvent.bay_uuid.not_in(alive))
    return session.scalars(query.group_by(models.BayEvent.bay_uuid).having(last < before).limit(most)).all()


def forget(session: Session, bay_uuids: Sequence[str]) -> None:
    """Remove the stories of bays that are gone."""
    for model in (models.BayEvent, models.Operation):
        session.execute(delete(model).where(model.bay_uuid.in_(bay_uuids)))
