"""Engine and sessions.

`reader` and `writer` are the only way to a session. On SQLite a writer takes the database's write lock when it begins
(``BEGIN IMMEDIATE``): a transaction that reads first and writes later would otherwise fail at once, without waiting
its turn, when another wrote in between.
"""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from oslo_config import cfg
from oslo_db.sqlalchemy import engines
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_SQLITE_LOCK_SECONDS = 30


class Database:
    """A database and its connections; safe to share between threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._engine: Engine | None = None
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The engine, made at first use so that a forked worker has its own."""
        with self._lock:
            if self._engine is None:
                self._engine = _make_engine(self._conf)
            return self._engine

    @contextlib.contextmanager
    def reader(self) -> Iterator[Session]:
        """A session to read with; what it gives stays usable after its end."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writer(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on any exception."""
        with (
            self.engine.connect() as connection,
            Session(connection, expire_on_commit=False, join_transaction_mode="control_fully") as session,
        ):
            if connection.dialect.name == "sqlite":
                connection.info["in_transaction"] = True  # tells oslo.db's own listener to begin nothing
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            with session.begin():
                yield session

    def dispose(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None


def _make_engine(conf: cfg.ConfigOpts) -> Engine:
    url = conf.database.connection
    engine: Engine = engines.create_engine(
        url,
        sqlite_fk=True,
        max_pool_size=conf.database.max_pool_size,
        max_overflow=conf.database.max_overflow,
        connection_recycle_time=conf.database.connection_recycle_time,
        max_retries=0,  # a database that is away is an error at once: the API says so, the conductor comes back
    )
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine)
    if engine.dialect.name in ("mysql", "mariadb"):
        # Its default locks gaps between rows too, and so makes transactions of unrelated bays wait for each other.
        return engine.execution_options(isolation_level="READ COMMITTED")
    return engine


def _tune_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {_SQLITE_LOCK_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
