"""What becomes of a database's errors."""

from typing import Any

import psycopg2
import pymysql
import pytest
from oslo_config import cfg
from oslo_db import exception as db_exc
from sqlalchemy import event

from magnum.db.session import Database


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("postgresql+psycopg2:///m", psycopg2.OperationalError("failed: server closed the connection unexpectedly")),
        ("postgresql+psycopg2:///m", psycopg2.OperationalError("failed: FATAL:  the database system is starting up")),
        ("postgresql+psycopg2:///m", psycopg2.OperationalError("could not connect to server: No such file")),
        ("mysql+pymysql:///m", pymysql.err.OperationalError(2003, "Can't connect to MySQL server on 'localhost'")),
        ("mysql+pymysql:///m", pymysql.err.OperationalError(1053, "Server shutdown in progress")),
    ],
)
def test_whatever_keeps_it_from_connecting_says_that_it_is_away(
    conf: cfg.ConfigOpts, url: str, error: Exception
) -> None:
    conf.set_override("connection", url, "database")
    database = Database(conf)

    @event.listens_for(database.engine, "do_connect")
    def _connect(*_: Any) -> None:
        raise error

    with pytest.raises(db_exc.DBConnectionError), database.reader() as session:
        session.connection()
