"""What a database says that has too much to do is told from mistakes, whichever database it is."""

from collections.abc import Callable, Mapping

import pytest
from oslo_db import exception as db_exc
from sqlalchemy import event, exc, text

from magnum.db.session import PASSING, Database, DatabaseBusy


def _wait_for_a_lock(database: Database) -> None:
    event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 10"))
    database.engine.dispose()
    with database.writer(), database.writer():
        pass


def _wait_for_a_statement(database: Database) -> None:
    with database.writer() as session:
        session.execute(text("SET LOCAL statement_timeout = 50"))
        session.execute(text("SELECT pg_sleep(10)"))


def _wait_for_a_sleep(database: Database) -> None:
    with database.writer() as session:
        session.execute(text("SET STATEMENT max_statement_time = 0.05 FOR SELECT SLEEP(10)"))


TOO_LONG: Mapping[str, Callable[[Database], None]] = {
    "sqlite": _wait_for_a_lock,
    "postgresql": _wait_for_a_statement,
    "mysql": _wait_for_a_sleep,
}


def test_what_is_waited_for_too_long_may_pass(database: Database) -> None:
    with pytest.raises(DatabaseBusy):
        TOO_LONG[database.engine.dialect.name](database)


def test_a_mistake_is_told_as_what_it_is_and_without_its_parameters(database: Database) -> None:
    with database.reader() as session, pytest.raises((exc.DBAPIError, db_exc.DBError)) as raised:
        session.execute(text("SELECT nothing FROM bays WHERE name = :name"), {"name": "secret"})
    assert not isinstance(raised.value, PASSING)
    assert "parameters hidden" in str(raised.value)
