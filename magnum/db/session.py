"""Engine and sessions.

`reader` and `writer` are the only way to a session. On SQLite a writer takes the database's write lock when it begins
(``BEGIN IMMEDIATE``): a transaction that reads first and writes later would otherwise fail at once, without waiting
its turn, when another wrote in between. A reader sees what is committed when each of its statements begins, as on the
other databases.

oslo.db opens an SQLite file anew for each session and settles each time how the connection works, which takes longer
than to read a row. So the engine for SQLite is made here: a plain pool, whose connections go from thread to thread and
are each in one thread at a time. What oslo.db makes of a database's errors holds for it too.
"""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from oslo_db import exception as db_exc
from oslo_db.sqlalchemy import engines, exc_filters
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, make_url
from sqlalchemy.orm import Session

from magnum.common import metrics

_SQLITE_LOCK_SECONDS = 30
_POSTGRESQL_IS_BUSY = ("55P03", "57014", "53200", "53300")  # a lock, a statement's time, memory, connections
_MARIADB_IS_BUSY = (1969,)  # a statement's time; oslo.db knows of locks
_BEGIN = "magnum_sqlite_begin"
"""Option of an execution: the statement that begins a transaction on SQLite; none where it is empty."""


class DatabaseBusy(db_exc.DBError):
    """What was asked for was waited for too long; the same may do later."""


PASSING = (db_exc.DBConnectionError, db_exc.DBDeadlock, DatabaseBusy, exc.TimeoutError)
"""Errors of a database that is away or has too much to do; the last: all connections of this process are in use."""


def trouble(error: BaseException) -> str:
    """What one of these means, as a sentence without its end."""
    away = isinstance(error, db_exc.DBConnectionError)
    return "The database cannot be reached" if away else "The database has too much to do"


def first_line(error: BaseException) -> str:
    """What a database said, without the statement and its values, which come after it."""
    return str(error).partition("\n")[0]


class Database:
    """A database and its connections; safe to share between threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf = conf
        self._made: _Engines | None = None
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine:
        """The engine, made at first use so that a forked worker has its own."""
        return self._engines.any

    @contextlib.contextmanager
    def reader(self) -> Iterator[Session]:
        """A session to read with; what it gives stays usable after its end."""
        with Session(self._engines.reading, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writer(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on any exception."""
        with Session(self._engines.writing, expire_on_commit=False) as session, session.begin():
            session.connection()  # begins now, and on SQLite waits its turn
            yield session

    def dispose(self) -> None:
        """Close all connections."""
        with self._lock:
            if self._made is not None:
                self._made.any.dispose()
                self._made = None

    @property
    def _engines(self) -> "_Engines":
        with self._lock:
            if self._made is None:
                self._made = _Engines.of(_make_engine(self._conf))
            return self._made


@dataclass(frozen=True)
class _Engines:
    """One engine and its pool, as seen by those who read and by those who write."""

    any: Engine
    reading: Engine
    writing: Engine

    @classmethod
    def of(cls, engine: Engine) -> "_Engines":
        reading, writing = (engine.execution_options(**{_BEGIN: how}) for how in ("", "BEGIN IMMEDIATE"))
        return cls(engine, reading, writing)


def _make_engine(conf: cfg.ConfigOpts) -> Engine:
    url = conf.database.connection
    if make_url(url).get_backend_name() == "sqlite":
        engine = _make_sqlite_engine(url)
    else:
        engine = _make_server_engine(conf, url)
    event.listen(engine, "handle_error", _count_error, insert=True)  # before oslo.db's own, which raises
    return engine


def _count_error(failure: ExceptionContext) -> None:
    kind = "Disconnect" if failure.is_disconnect else type(failure.original_exception).__name__
    metrics.count(metrics.DATABASE_ERRORS, kind=kind)


def _make_server_engine(conf: cfg.ConfigOpts, url: str) -> Engine:
    engine: Engine = engines.create_engine(
        url,
        max_pool_size=conf.database.max_pool_size,
        max_overflow=conf.database.max_overflow,
        connection_recycle_time=conf.database.connection_recycle_time,
        max_retries=0,  # a database that is away is an error at once: the API says so, the conductor comes back
        thread_checkin=False,  # lets greenlets take turns, of which there are none
    )
    engine.hide_parameters = True  # what tenants and secrets are made of stays out of logs
    if engine.dialect.name in ("mysql", "mariadb"):
        # Its default locks gaps between rows too, and so makes transactions of unrelated bays wait for each other.
        return engine.execution_options(isolation_level="READ COMMITTED")
    return engine


@exc_filters.filters("postgresql", exc.OperationalError, ".*")
@exc_filters.filters("mysql", exc.OperationalError, ".*")
def _tell_what_passes(error: exc.OperationalError, *_: Any) -> None:
    """oslo.db goes by sentences, and does not know all with which a server that stops or starts refuses a connection.

    :raises DBConnectionError: this is no answer to a statement
    :raises DatabaseBusy: the answer is that something was waited for too long
    """
    if error.statement is None:
        raise db_exc.DBConnectionError(error)
    code = getattr(error.orig, "pgcode", None) or next(iter(getattr(error.orig, "args", ())), None)
    if code in (*_POSTGRESQL_IS_BUSY, *_MARIADB_IS_BUSY):
        raise DatabaseBusy(error)


@exc_filters.filters("sqlite", exc.OperationalError, r".*\bdatabase (?:table )?is (?:locked|busy)\b")
def _tell_that_it_is_locked(error: exc.OperationalError, *_: Any) -> None:
    raise DatabaseBusy(error)


def _make_sqlite_engine(url: str) -> Engine:
    # A pool of size 0 has as many connections as there are threads that ask at once.
    engine = create_engine(url, pool_size=0, hide_parameters=True)
    exc_filters.register_engine(engine)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, not where the sqlite3 module would have them
        connection.execute(f"PRAGMA busy_timeout = {_SQLITE_LOCK_SECONDS * 1000}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begins(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
        if statement:
            connection.exec_driver_sql(statement)

    return engine
