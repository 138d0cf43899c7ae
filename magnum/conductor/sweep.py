"""Finding operations that are due and giving each to a worker.

One thread claims, as many operations at once as workers are free; pools of threads work. The claiming thread wakes when
it is told of a new operation, when a worker is free again, when an operation it put back is due very soon, and at every
sweep interval for all that nobody told it: what has become due, lost messages, leases of conductors that died.

Operations past their deadlines have a lane of their own with its own workers, who have nothing else to do: a bay fails
in time, whatever hangs the workers of the other lane and however many operations wait for them.

No project has more than a part of the workers at once. A step may have to wait for a bay that says nothing, and a
tenant can have many of those: the workers that are left go on for all others.

A lease is renewed while its worker is at work, but neither for ever nor past the deadline: a worker that hangs is one
that is dead.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from oslo_log import log
from sqlalchemy.orm import Session

from magnum.common import clock, metrics
from magnum.conductor.runner import Runner
from magnum.conductor.threads import Periodic, tell_of_failure
from magnum.conductor.tools import Tools
from magnum.db import operations
from magnum.db.operations import Claim, LeaseLost

LOG = log.getLogger(__name__)

_LONGEST_TURN = 300.0
_OVERDUE_WORKERS = 2
_PART_OF_A_PROJECT = 4
"""One project has at most one of so many workers."""

Claiming = Callable[[Session, str, timedelta, int], list[Claim]]


class _Lane:
    """A kind of operations, and the workers that there are for it.

    :param pause: seconds to the next look after one that has left workers without work
    """

    def __init__(self, name: str, claim: Claiming, workers: int, pause: float = 0.0) -> None:
        self.claim = claim
        self.pause = pause
        self.rests_until = 0.0
        self.pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._free = workers
        self._lock = threading.Lock()

    def take_free(self) -> int:
        """Have all workers that are free; how many that are."""
        with self._lock:
            taken, self._free = self._free, 0
            return taken

    def give_back(self, workers: int) -> None:
        with self._lock:
            self._free += workers


class Sweep:
    """Works on the operations of all bays, together with the sweeps of other conductors."""

    def __init__(self, tools: Tools, owner: str) -> None:
        options = tools.conf.conductor
        self._tools = tools
        self._owner = owner
        self._lease = timedelta(seconds=options.lease)
        self._interval: float = options.sweep_interval
        self._most_of_a_project = max(1, options.workers // _PART_OF_A_PROJECT)
        self._runner = Runner(tools, self._lease, self._is_stopping)
        self._lanes = (
            _Lane("overdue", operations.claim_overdue, _OVERDUE_WORKERS, self._interval / 2),
            _Lane("operation", self._claim_shared, options.workers),
        )
        self._changed = threading.Condition()
        self._news = False
        self._stopping = False
        self._due: list[datetime] = []
        self._running: dict[Future[None], tuple[Claim, float]] = {}
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self._leases = Periodic("leases", options.lease / 3, self._renew)
        self._letting_go = Periodic("letting go", self._interval, self._runner.let_go_of_broken_off)

    def start(self) -> None:
        self._thread.start()
        self._leases.start()
        self._letting_go.start()

    def wake(self) -> None:
        """Look for due operations now."""
        with self._changed:
            self._news = True
            self._changed.notify()

    def end(self) -> None:
        """Claim nothing more."""
        self._letting_go.end()
        with self._changed:
            self._stopping = True
            self._changed.notify()

    def stop(self, timeout: float) -> list[Claim]:
        """Claim nothing more, and give the turns that run so many seconds to end.

        :return: what is left, for `leave`
        """
        end = time.monotonic() + timeout
        self.end()
        self._thread.join(timeout)
        with self._changed:
            running = dict(self._running)
        _, left = wait(running, max(0.0, end - time.monotonic()))
        self._leases.stop(max(0.0, end - time.monotonic()))
        for lane in self._lanes:
            lane.pool.shutdown(wait=False, cancel_futures=True)
        return [running[future][0] for future in left]

    def leave(self, claims: Sequence[Claim]) -> None:
        """Let other conductors go on at once, if the database is there.

        The process has to end then: a turn that still runs may repeat what its next owner does.
        """
        try:
            if claims:
                with self._tools.database.writer() as session:
                    for claim in claims:
                        operations.hand_over(session, claim)
                LOG.warning("%d operations were handed over to other conductors.", len(claims))
            self._runner.let_go_of_broken_off()
        except Exception:  # noqa: BLE001 - nobody waits for this thread; the database may be away
            tell_of_failure(LOG, "Of %d operations some are left to other conductors until leases end.", len(claims))

    def _is_stopping(self) -> bool:
        return self._stopping

    def _run(self) -> None:
        while not self._stopping:
            try:
                with metrics.timed(metrics.SWEEPS):
                    self._claim_all()
            except Exception:  # noqa: BLE001 - the database may be away for a while; the thread must outlive that
                tell_of_failure(LOG, "The sweep failed and is tried again.")
            self._wait()

    def _claim_all(self) -> None:
        """Claim what is due, as long as workers are free."""
        for lane in self._lanes:
            while not self._stopping and self._claim_for(lane):
                pass

    def _claim_for(self, lane: _Lane) -> bool:
        """Give work to the free workers of a lane; answers whether more may be due."""
        if time.monotonic() < lane.rests_until:
            return False
        free = lane.take_free()
        claims: list[Claim] = []
        try:
            if free:
                with self._tools.database.writer() as session:
                    claims = lane.claim(session, self._owner, self._lease, free)
        finally:
            lane.give_back(free - len(claims))
        for claim in claims:
            self._give(lane, claim)
        if len(claims) < free:
            lane.rests_until = time.monotonic() + lane.pause
        return bool(claims)

    def _claim_shared(self, session: Session, owner: str, lease: timedelta, most: int) -> list[Claim]:
        with self._changed:
            held = Counter(claim.project_id for claim, _ in self._running.values())
        share = operations.Share(self._most_of_a_project, held)
        return operations.claim_due(session, owner, lease, most, share=share)

    def _give(self, lane: _Lane, claim: Claim) -> None:
        with self._changed:
            future = lane.pool.submit(self._work, claim)
            self._running[future] = (claim, time.monotonic())
        future.add_done_callback(lambda ended: self._ended(lane, ended))

    def _work(self, claim: Claim) -> None:
        try:
            due_at = self._runner.run(claim)
        except Exception:  # noqa: BLE001 - for example no database to write to: the lease ends, and the operation is found again
            tell_of_failure(LOG, "A turn at operation %s broke off.", claim.uuid)
            return
        if due_at is not None and due_at < clock.now() + timedelta(seconds=self._interval):
            with self._changed:
                self._due.append(due_at)

    def _ended(self, lane: _Lane, future: Future[None]) -> None:
        lane.give_back(1)
        with self._changed:
            self._running.pop(future, None)
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
            if time.monotonic() - started > _LONGEST_TURN or _is_overdue(claim):
                continue
            try:
                with self._tools.database.writer() as session:
                    operations.renew(session, claim, self._lease)
            except LeaseLost:
                LOG.debug("Operation %s is no longer ours or has just been put back.", claim.uuid)


def _is_overdue(claim: Claim) -> bool:
    return claim.deadline is not None and clock.now() >= claim.deadline
