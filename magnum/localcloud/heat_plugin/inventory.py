"""What exists in the local cloud, as Neutron's or Octavia's database would know it.

Docker holds the containers and bridges but has no word for a port, a pool member or a network without a subnet. Those
are rows of one small SQLite file. A row is written before the thing it describes is made and removed after that thing
is gone, so whatever dies between leaves a name by which it can be found and removed. Every change is made inside one
exclusive transaction, which makes the choice of a free range or address safe between the threads and processes of
Heat.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import errors

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT, project TEXT NOT NULL, stack TEXT NOT NULL,
    name TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_parent ON records (kind, parent);
"""
_LOCK_TIMEOUT = 30.0


@dataclass(frozen=True)
class Owner:
    """Whose a thing is: the project, and the outermost stack that made it."""

    project: str
    stack: str


@dataclass
class Record:
    """One thing. Its parent is what it lives in: a port's network, a member's pool."""

    id: str
    kind: str
    owner: Owner
    name: str
    parent: str | None = None
    data: dict[str, Any] = field(default_factory=dict)


class Records:
    """The rows, inside one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def put(self, record: Record) -> None:
        """Write a row, new or changed."""
        self._connection.execute(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET parent = excluded.parent, name = excluded.name, data = excluded.data",
            (
                record.id,
                record.kind,
                record.parent,
                record.owner.project,
                record.owner.stack,
                record.name,
                json.dumps(record.data),
            ),
        )

    def remove(self, record_id: str) -> None:
        """Remove a row, if it is there."""
        self._connection.execute("DELETE FROM records WHERE id = ?", (record_id,))

    def find(self, kind: str, record_id: str) -> Record | None:
        """The row of that id."""
        rows = self._select("kind = ? AND id = ?", kind, record_id)
        return rows[0] if rows else None

    def get(self, kind: str, record_id: str) -> Record:
        """The row of that id, which must exist."""
        found = self.find(kind, record_id)
        if found is None:
            raise errors.NotFound(f"{_label(kind)} {record_id} could not be found.")
        return found

    def resolve(self, kind: str, project: str, name_or_id: str) -> Record:
        """The row of a project by its id or its name, as the OpenStack services allow both."""
        found = self._select("kind = ? AND project = ? AND (id = ? OR name = ?)", kind, project, name_or_id, name_or_id)
        exact = [record for record in found if record.id == name_or_id] or found
        if not exact:
            raise errors.NotFound(f"{_label(kind)} {name_or_id} could not be found.")
        if len(exact) > 1:
            raise errors.Conflict(f"More than one {_label(kind).lower()} is named {name_or_id}; use its id.")
        return exact[0]

    def children(self, kind: str, parent: str) -> list[Record]:
        """The rows that live in another, oldest first."""
        return self._select("kind = ? AND parent = ?", kind, parent)

    def all(self, kind: str) -> list[Record]:
        """Every row of a kind, oldest first."""
        return self._select("kind = ?", kind)

    def _select(self, where: str, *values: str) -> list[Record]:
        rows = self._connection.execute(
            f"SELECT id, kind, project, stack, name, parent, data FROM records WHERE {where} ORDER BY rowid",  # noqa: S608 - the conditions above, values bound
            values,
        )
        return [
            Record(row[0], row[1], Owner(row[2], row[3]), row[4], row[5], json.loads(row[6])) for row in rows.fetchall()
        ]


class Inventory:
    """The file of rows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(_SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[Records]:
        """Rows to read and change; all changes are kept, or none when an exception leaves the block."""
        with closing(self._connect()) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Records(connection)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT, isolation_level=None)


def _label(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
