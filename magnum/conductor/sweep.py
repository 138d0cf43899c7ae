"""Finding operations that are due and giving each to a worker.

One thread claims, a pool of threads works. The claiming thread wakes when it is told of a new operation, when a worker
is free again, when an operation it put back is due, and at every sweep interval for all that nobody told it: lost
messages, leases of conductors that died, deadlines.

A lease is renewed while its worker is at work, but not for ever: a worker that hangs is one that is dead.
"""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from oslo_log import log

from magnum.common import clock, metrics
from magnum.conductor.runner import Runner
from magnum.conductor.threads import Periodic
from magnum.conductor.tools import Tools
from magnum.db import operations
from magnum.db.operations import Claim, LeaseLost

LOG = log.getLogger(__name__)

_LONGEST_TURN = 300.0
_HAND_OVER_SECONDS = 3.0


class Sweep:
    """Works on the operations of all bays, together with the sweeps of other conductors."""

    def __init__(self, tools: Tools, owner: str) -> None:
        options = tools.conf.conductor
        self._tools = tools
        self._owner = owner
        self._lease = timedelta(seconds=options.lease)
        self._interval: float = options.sweep_interval
        self._runner = Runner(tools, self._lease, self._is_stopping)
        self._pool = ThreadPoolExecutor(options.workers, thread_name_prefix="operation")
        self._free = threading.Semaphore(options.workers)
        self._changed = threading.Condition()
        self._news = False
        self._stopping = False
        self._due: list[datetime] = []
        self._running: dict[Future[None], tuple[Claim, float]] = {}
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self._leases = Periodic("leases", options.lease / 3, self._renew)

    def start(self) -> None:
        self._thread.start()
        self._leases.start()

    def wake(self) -> None:
        """Look for due operations now."""
        with self._changed:
            self._news = True
            self._changed.notify()

    def stop(self, timeout: float) -> None:
        """Claim nothing more, and give the turns that run so many seconds to end; what is left is handed over.

        The process has to end then: a turn that still runs may repeat what its next owner does.
        """
        end = time.monotonic() + timeout
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)
        with self._changed:
            running = dict(self._running)
        _, left = wait(running, max(0.0, end - time.monotonic()))
        self._leases.stop(max(0.0, end - time.monotonic()))
        if left:
            LOG.warning("%d operations are handed over to other conductors.", len(left))
            # In a thread, as the database may be away; then others take over when the leases end.
            claims = [running[future][0] for future in left]
            handing = threading.Thread(target=self._hand_over, args=(claims,), name="hand over", daemon=True)
            handing.start()
            handing.join(_HAND_OVER_SECONDS)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _hand_over(self, claims: Sequence[Claim]) -> None:
        with self._tools.database.writer() as session:
            for claim in claims:
                operations.hand_over(session, claim)

    def _is_stopping(self) -> bool:
        return self._stopping

    def _run(self) -> None:
        while not self._stopping:
            try:
                with metrics.timed(metrics.SWEEPS):
                    self._claim_all()
            except Exception:  # the database may be away for a while; the thread must outlive that
                LOG.exception("The sweep failed and is tried again.")
            self._wait()

    def _claim_all(self) -> None:
        """Claim what is due, as long as workers are free."""
        while not self._stopping and self._free.acquire(blocking=False):
            claim = None
            try:
                with self._tools.database.writer() as session:
                    claim = operations.claim(session, self._owner, self._lease)
            finally:
                if claim is None:
                    self._free.release()
            if claim is None:
                return
            self._give(claim)

    def _give(self, claim: Claim) -> None:
        with self._changed:
            future = self._pool.submit(self._work, claim)
            self._running[future] = (claim, time.monotonic())
        future.add_done_callback(self._ended)

    def _work(self, claim: Claim) -> None:
        try:
            due_at = self._runner.run(claim)
        except Exception:  # for example no database to write to: the lease ends, and the operation is found again
            LOG.exception("A turn at operation %s broke off.", claim.uuid)
            return
        if due_at is not None:
            with self._changed:
                self._due.append(due_at)

    def _ended(self, future: Future[None]) -> None:
        with self._changed:
            self._running.pop(future, None)
            self._free.release()
            self._news = True
            self._changed.notify()

    def _wait(self) -> None:
        with self._changed:
            if not self._news and not self._stopping:
                self._changed.wait(self._seconds_to_next())
            self._news = False
            now = clock.now()
            self._due = [due_at for due_at in self._due if due_at > now]

    def _seconds_to_next(self) -> float:
        if not self._due:
            return self._interval
        seconds = (min(self._due) - clock.now()).total_seconds()
        return max(0.0, min(self._interval, seconds))

    def _renew(self) -> None:
        with self._changed:
            working = list(self._running.values())
        for claim, started in working:
            if time.monotonic() - started > _LONGEST_TURN:
                continue
            try:
                with self._tools.database.writer() as session:
                    operations.renew(session, claim, self._lease)
            except LeaseLost:
                LOG.debug("Operation %s is no longer ours or has just been put back.", claim.uuid)
