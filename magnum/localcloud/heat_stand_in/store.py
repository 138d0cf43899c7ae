"""Stacks in memory, and on disk for when the process is killed."""

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from magnum.localcloud.heat_stand_in.stacks import Stack

_SCHEMA = """
CREATE TABLE IF NOT EXISTS stacks (id TEXT PRIMARY KEY, data TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, data TEXT NOT NULL);
"""
_GONE_SECONDS = 300.0
_LOOK_EVERY = 200


class Store:
    """All stacks; whoever reads or changes one holds the lock."""

    def __init__(self, path: Path | None) -> None:
        """
        :param path: of a SQLite file; None keeps everything in memory alone
        """
        self.lock = threading.RLock()
        self._connection = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        # What a process has written outlives it; a power cut is none of our business.
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=OFF")
        self._connection.executescript(_SCHEMA)
        self._stacks: dict[str, Stack] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._made = 0
        for (data,) in self._connection.execute("SELECT data FROM stacks"):
            self._remember(Stack.of_data(json.loads(data)))

    def save(self, stack: Stack) -> None:
        """Keep a stack as it is now."""
        with self.lock:
            self._remember(stack)
            values = (stack.id, json.dumps(stack.as_data()))
            self._connection.execute("INSERT OR REPLACE INTO stacks VALUES (?, ?)", values)
            self._made += 1
            if self._made % _LOOK_EVERY == 0:
                self._forget_gone()

    def of_id(self, stack_id: str) -> Stack | None:
        return self._stacks.get(stack_id)

    def of_name(self, project_id: str, name: str) -> Stack | None:
        """The stack of a project that has this name and is not gone."""
        stack = self._stacks.get(self._names.get((project_id, name), ""))
        return None if stack is None or stack.now(time.time()).is_gone else stack

    def all(self) -> list[Stack]:
        """Every stack, those that are gone since a short time too."""
        with self.lock:
            return list(self._stacks.values())

    def orders(self) -> dict[str, Any] | None:
        """What was ordered when it was last kept."""
        row = self._connection.execute("SELECT data FROM orders").fetchone()
        return json.loads(row[0]) if row else None

    def keep_orders(self, orders: dict[str, Any]) -> None:
        with self.lock:
            self._connection.execute("INSERT OR REPLACE INTO orders VALUES (1, ?)", (json.dumps(orders),))

    def _remember(self, stack: Stack) -> None:
        self._stacks[stack.id] = stack
        known = self._stacks.get(self._names.get((stack.project_id, stack.name), ""))
        if known is None or known.created_at <= stack.created_at:
            self._names[stack.project_id, stack.name] = stack.id

    def _forget_gone(self) -> None:
        now = time.time()
        for stack in list(self._stacks.values()):
            phase = stack.now(now)
            if phase.is_gone and phase.at + _GONE_SECONDS < now:
                del self._stacks[stack.id]
                if self._names.get((stack.project_id, stack.name)) == stack.id:
                    del self._names[stack.project_id, stack.name]
                self._connection.execute("DELETE FROM stacks WHERE id = ?", (stack.id,))
