"""What one of all conductors does for all of them: whoever comes first has the duty, as long as it renews its lease.

Two may have it for a moment, when one was paused past its lease. A duty is only for what does no harm done twice.
"""

from datetime import timedelta
from typing import Any, cast

from oslo_db import exception as db_exc
from sqlalchemy import CursorResult, delete, or_, update

from magnum.common import clock
from magnum.db import models
from magnum.db.session import Database


def take(database: Database, name: str, owner: str, lease: timedelta) -> bool:
    """Have this duty for so long from now, if it is free or this owner's already."""
    now = clock.now()
    statement = (
        update(models.Duty)
        .where(models.Duty.name == name, or_(models.Duty.owner == owner, models.Duty.lease_until <= now))
        .values(owner=owner, lease_until=now + lease)
    )
    with database.writer() as session:
        if cast(CursorResult[Any], session.execute(statement)).rowcount:
            return True
        if session.get(models.Duty, name) is not None:
            return False
    return _first(database, models.Duty(name=name, owner=owner, lease_until=now + lease))


def give_up(database: Database, owner: str) -> None:
    """Let others have at once all that is this owner's."""
    with database.writer() as session:
        session.execute(delete(models.Duty).where(models.Duty.owner == owner))


def _first(database: Database, row: models.Duty) -> bool:
    try:
        with database.writer() as session:
            session.add(row)
    except db_exc.DBDuplicateEntry:
        return False
    return True
