"""How long a bay took to be made, and how much of that was Magnum's own: read where the services keep it.

The API tells whole seconds. Magnum's own events and Heat's log are finer, and here both are at hand.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import NullPool, create_engine, select

from magnum.db.models import BayEvent

_LOG_TIME = "%Y-%m-%d %H:%M:%S.%f"


@dataclass(frozen=True)
class BayTimes:
    """Seconds from the request until the bay was complete, and those of them in which Heat was not at work on it."""

    total: float
    added: float


def of_bay(connection: str, heat_log: Path, uuid: str, stack: str) -> BayTimes | None:
    """The times of a bay whose stack has this name; None where they are no longer told.

    :param connection: where Magnum's rows are, as SQLAlchemy writes it
    """
    query = (
        select(BayEvent.created_at, BayEvent.step)
        .where(BayEvent.bay_uuid == uuid, BayEvent.verb == "create")
        .order_by(BayEvent.id)
    )
    engine = create_engine(connection, poolclass=NullPool)
    with engine.connect() as database:
        rows = database.execute(query).all()
    # The step after the certificates is the call that makes the stack: from then on it is Heat's time.
    handed_over = next((created_at for created_at, step in rows if step == "certificates"), None)
    handed_back = _completed(heat_log, stack)
    if handed_over is None or handed_back is None:
        return None
    accepted, complete = rows[0][0], rows[-1][0]
    in_heat = (handed_back - handed_over).total_seconds()
    total = (complete - accepted).total_seconds()
    return BayTimes(total=total, added=total - in_heat)


def _completed(heat_log: Path, stack: str) -> datetime | None:
    wanted = re.compile(r"(\S+ \S+) .* Stack CREATE COMPLETE \(" + re.escape(stack) + r"\):")
    with heat_log.open(encoding="utf-8", errors="replace") as lines:
        found = [match.group(1) for match in map(wanted.match, lines) if match]
    # Logs tell local time, the database UTC.
    return datetime.strptime(found[-1], _LOG_TIME).astimezone(UTC) if found else None
