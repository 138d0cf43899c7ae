"""Whether the database is there and has what this code needs."""

import threading
import time

from oslo_db import exception as db_exc
from oslo_log import log
from sqlalchemy import exc, false, select, text

from magnum.db.models import Base
from magnum.db.session import Database

LOG = log.getLogger(__name__)

_FRESH_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
_AWAY = "The database cannot be reached."
_OTHER_SCHEMA = "The database has not the tables of this version."


class DatabaseHealth:
    """Looks at the database, at most once a second whoever asks; safe to share between threads.

    The tables are looked at until they are all there with all their columns; one of a newer version will do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._looked_at = float("-inf")
        self._problem: str | None = None
        self._has_tables = False

    def problem(self) -> str | None:
        """What is wrong, in a sentence; None where nothing is."""
        if not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            return _AWAY  # somebody else waits for it already
        try:
            if time.monotonic() - self._looked_at > _FRESH_SECONDS:
                self._tell(self._look())
                self._looked_at = time.monotonic()
            return self._problem
        finally:
            self._lock.release()

    def _look(self) -> str | None:
        try:
            with self._database.reader() as session:
                session.execute(text("SELECT 1"))
        except (db_exc.DBError, exc.SQLAlchemyError) as error:
            LOG.debug("Of the database: %s", error)
            return _AWAY
        return None if self._has_tables else self._look_at_tables()

    def _look_at_tables(self) -> str | None:
        try:
            with self._database.reader() as session:
                for table in Base.metadata.sorted_tables:
                    session.execute(select(*table.columns).where(false()))
        except db_exc.DBConnectionError:
            return _AWAY
        except (db_exc.DBError, exc.SQLAlchemyError) as error:
            LOG.debug("Of the database: %s", error)
            return _OTHER_SCHEMA
        self._has_tables = True
        return None

    def _tell(self, problem: str | None) -> None:
        if problem == _OTHER_SCHEMA != self._problem:
            LOG.error("%s Run: magnum-db-manage upgrade", problem)
        elif problem != self._problem:
            LOG.warning("%s", problem or "The database can be reached again.")
        self._problem = problem
