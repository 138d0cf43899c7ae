"""Doing what a plan says to processes, to lines and to Heat, and undoing all of it."""

import threading
import time
from collections import Counter, defaultdict
from typing import Any

import requests
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from tests.chaos import plan
from tests.chaos.cloud import ChaosCloud, Process
from tests.chaos.plan import Action

_ORDER_TRIES = 10
_AT_WORK_SECONDS = 5.0


class Trouble:
    """Each action has a thread; those about one process or line come one after the other."""

    def __init__(self, cloud: ChaosCloud) -> None:
        self._cloud = cloud
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._threads: list[threading.Thread] = []
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self._engine = create_engine(cloud.database_url, pool_pre_ping=True)

    def make(self, action: Action) -> None:
        """Do it, without waiting for its end."""
        thread = threading.Thread(target=self._make, args=(action,), name=str(action), daemon=True)
        self._threads.append(thread)
        thread.start()

    def lift(self) -> None:
        """Let all end, and have everything run."""
        for thread in self._threads:
            thread.join()
        for line in self._cloud.lines.values():
            line.mend()
        for name in (*plan.APIS, *plan.CONDUCTORS):  # these outlive whatever others do
            if not self._cloud.processes[name].runs:
                self.problems.append(f"{name} has ended by itself")
        for name in (plan.CACHE, plan.DATABASE, plan.BUS, plan.KEYSTONE, plan.HEAT):
            self._cloud.processes[name].have()
        for process in self._cloud.processes.values():
            process.thaw()
            process.have()
        for path in ("/call-faults", "/stack-faults"):
            self._cloud.order("DELETE", path)

    def _make(self, action: Action) -> None:
        try:
            with self._locks[action.target if action.kind != "call-faults" else "orders"]:
                self._do(action)
                self.counts[action.kind] += 1
        except Exception as error:  # noqa: BLE001 - a run is told what went wrong with it, whatever it is
            self.problems.append(f"the run could not do {action}: {error}")

    def _do(self, action: Action) -> None:
        values = action.values
        if action.kind in ("call-faults", "stack-faults"):
            self._order(f"/{action.kind}", values)
        elif action.kind in ("cut", "hold"):
            line = self._cloud.lines[action.target]
            line.cut() if action.kind == "cut" else line.hold()
            time.sleep(values["seconds"])
            line.mend()
        else:
            process = self._cloud.processes[action.target]
            if action.kind == "kill":
                process.kill()
                time.sleep(values["away"])
                process.have()
            elif action.kind == "freeze":
                if action.target in plan.CONDUCTORS:
                    self._wait_until_at_work(process)
                process.freeze()
                time.sleep(values["seconds"])
                process.thaw()
            else:
                process.restart()

    def _wait_until_at_work(self, conductor: Process) -> None:
        """Until it owns an operation, if it soon does: only then it is a late owner when it goes on."""
        end = time.monotonic() + _AT_WORK_SECONDS
        query = text("SELECT 1 FROM operations WHERE state = 'running' AND owner LIKE :owner")
        while time.monotonic() < end:
            try:
                with self._engine.connect() as connection:
                    if connection.execute(query, {"owner": f"%:{conductor.pid}:%"}).first():
                        return
            except DBAPIError:  # the database is killed as well
                time.sleep(0.5)
            time.sleep(0.02)

    def _order(self, path: str, values: dict[str, Any]) -> None:
        for _ in range(_ORDER_TRIES):
            try:
                self._cloud.order("POST", path, values)
                return
            except requests.RequestException:  # this Heat is killed as well
                time.sleep(1.0)
        raise RuntimeError("Heat takes no orders")
