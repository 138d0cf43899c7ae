"""How many bays a project may have, counted so that no two requests get the same last place.

Whoever adds a bay first takes the lock of the project, a row of its own, and holds it to the end of the transaction
that stores the bay: the next one counts what this one stored, in whichever process and on whichever database. Nothing
but the bays themselves is counted, so there is no second number that could come to differ. A project without a limit
takes no lock.
"""

from typing import Any

from oslo_config import cfg
from sqlalchemy import func, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Session

from magnum.common.exception import Forbidden
from magnum.db import models

BAY = "Bay"
_UNLIMITED = -1


def take_bay(session: Session, conf: cfg.ConfigOpts, project_id: str) -> None:
    """Let this transaction, and until its end no other, add a bay to the project.

    :raises Forbidden: the project has as many as it may
    """
    most = _limit(session, project_id, conf.quotas.max_bays_per_project)
    if most == _UNLIMITED:
        return
    session.execute(_lock(session, project_id))
    count = session.scalar(select(func.count()).select_from(models.Bay).where(models.Bay.project_id == project_id)) or 0
    if count >= most:
        raise Forbidden(
            f"This project may have {most} bay{'' if most == 1 else 's'} and has {count}. Delete a bay that is not "
            "needed and wait until it is gone, or ask the operator of this cloud for a higher quota."
        )


def _limit(session: Session, project_id: str, default: int) -> int:
    query = select(models.Quota.hard_limit).where(models.Quota.project_id == project_id, models.Quota.resource == BAY)
    found = session.scalar(query)
    return default if found is None else found


def _lock(session: Session, project_id: str) -> Any:
    """Insert the row or else touch it, in one statement: whoever comes second waits in it, and none has to give way."""
    values = {"project_id": project_id}
    name = session.get_bind().dialect.name
    if name in ("mysql", "mariadb"):
        return mysql.insert(models.ProjectLock).values(values).on_duplicate_key_update(values)
    if name == "postgresql":
        of_postgresql = postgresql.insert(models.ProjectLock).values(values)
        return of_postgresql.on_conflict_do_update(index_elements=["project_id"], set_=values)
    of_sqlite = sqlite.insert(models.ProjectLock).values(values)
    return of_sqlite.on_conflict_do_update(index_elements=["project_id"], set_=values)
