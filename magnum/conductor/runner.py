"""One turn at an operation: its steps in order, as far as they go now.

After each step what it did is written with the step's name, the story's line and the time it took, all behind the
fence. A turn ends when the operation ends, when a step has to be called again later, when something that may pass went
wrong (the next turn comes after a pause that doubles), when the process is to stop, or when the operation is lost.
"""

import random
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from oslo_log import log

from magnum.clients.errors import Permanent, ServiceError, Transient
from magnum.common import clock, metrics, states
from magnum.common.context import service_context
from magnum.common.exception import MagnumError, Unavailable
from magnum.common.states import OperationState
from magnum.conductor import faults
from magnum.conductor.job import Job, load_bay
from magnum.conductor.operations import PLANS
from magnum.conductor.steps import Again, Done, Step, StepFailed
from magnum.conductor.tools import Tools
from magnum.db import models, operations, resources
from magnum.db.operations import Claim, Event, LeaseLost, Progress
from magnum.db.session import PASSING

LOG = log.getLogger(__name__)

_LONGEST_PAUSE = 60.0
_GRACE = timedelta(seconds=60)
"""So long past its deadline what is left of an operation's bay is still asked for."""
_END = "end"
_WAITING_SINCE = "waiting_since"
_BROKEN_ANSWERS = "broken_answers"
_LEFT_TO_NEWER = "left_to_newer"
_NEWER_PAUSE = 5.0

Outcome = TypeVar("Outcome")


class Runner:
    """Takes turns at operations; any number of threads may use it at once."""

    def __init__(self, tools: Tools, lease: timedelta, stopping: Callable[[], bool]) -> None:
        self._tools = tools
        self._lease = lease
        self._stopping = stopping
        self._broken_off: deque[Claim] = deque()

    def run(self, claim: Claim) -> datetime | None:
        """Take a turn; answers when the next is due, None if the operation has ended or is another's.

        One that the database breaks off may have lost its operation as well: `let_go_of_broken_off` sees to that.
        """
        try:
            return _Turn(self._tools, self._lease, claim).go(self._stopping)
        except LeaseLost:
            metrics.count(metrics.LEASES_LOST, verb=claim.verb)
            LOG.info("Operation %s (%s of bay %s) has gone to another.", claim.uuid, claim.verb, claim.bay_uuid)
            self._let_go(claim)
            return None
        except PASSING:
            self._broken_off.append(claim)
            raise

    def let_go_of_broken_off(self) -> None:
        """Do what was left undone where a turn broke off; to be called again and again, as the database may be away."""
        for _ in range(len(self._broken_off)):
            self._let_go(self._broken_off.popleft())

    def _let_go(self, claim: Claim) -> None:
        """Leave a lost operation, and nothing behind it.

        Who was paused while a deletion ran to its end may have made the bay's user once more, and nobody would look
        for it again. Other things that it made, Keystone and Heat refuse or a transaction takes back.
        """
        try:
            with self._tools.database.writer() as session:
                operations.release(session, claim)
                is_there = resources.count(session, service_context(), models.Bay, {"uuid": claim.bay_uuid}) > 0
        except PASSING:
            self._broken_off.append(claim)
            raise
        if not is_there:
            try:
                self._tools.cloud.keystone.delete_user(claim.bay_uuid)
            except ServiceError as error:
                LOG.warning("A user of bay %s, which is gone, may be left: %s", claim.bay_uuid, error.message)


@dataclass
class _Turn:
    tools: Tools
    lease: timedelta
    claim: Claim

    def go(self, stopping: Callable[[], bool]) -> datetime | None:
        job = Job(self.tools, self.claim, load_bay(self.tools, self.claim.bay_uuid))
        plan = PLANS[self.claim.verb]
        if not plan.knows(self.claim.step):
            return self._leave_to_newer(job).due_at
        for step in plan.after(self.claim.step):
            if stopping():
                return self._put_back(job, clock.now(), Progress()).due_at
            pause = self._take(job, step)
            if pause is not None:
                return pause.due_at
        unfinished = self._attempt(job, _END, plan.end)
        if unfinished is not None:
            return unfinished.due_at
        LOG.info("Operation %s (%s of bay %s) is done.", self.claim.uuid, self.claim.verb, self.claim.bay_uuid)
        return None

    def _leave_to_newer(self, job: Job) -> "_Pause":
        """Let a conductor go on that knows the last finished step, for as long as there is time."""
        newer = f"step {self.claim.step!r} of a newer version of Magnum"
        if job.past_deadline:
            failed = StepFailed(f"No conductor came in time that knows {newer}. Delete the bay, or try again.")
            return self._fail(job, self.claim.step, failed)
        if not job.remembered(_LEFT_TO_NEWER):
            LOG.warning("Operation %s waits for a conductor that knows %s.", self.claim.uuid, newer)
            event = Event(f"Waiting for a conductor that knows {newer}.", "warning", self.claim.step)
            progress = Progress(events=[event], operation=job.remembering({_LEFT_TO_NEWER: True}))
        else:
            progress = Progress()
        return self._put_back(job, clock.now() + timedelta(seconds=_NEWER_PAUSE), progress)

    def _take(self, job: Job, step: Step) -> "_Pause | None":
        """Do a step; answers None when the next can follow at once."""
        started = time.monotonic()
        outcome = self._attempt(job, step.name, step.run)
        if isinstance(outcome, Again):
            return self._wait(job, outcome)
        if isinstance(outcome, Done):
            self._finish_step(job, step, outcome, time.monotonic() - started)
            return None
        return outcome

    def _attempt(self, job: Job, name: str, do: Callable[[Job], Outcome]) -> "Outcome | _Pause":
        """Do what may fail, if there is time left for it; whatever becomes of it, the operation goes on or ends."""
        if job.past_deadline:
            return self._fail(job, name, _too_late(job, name))
        try:
            return do(job)
        except (Transient, Unavailable) as error:
            return self._retry(job, name, error)
        except StepFailed as error:
            return self._fail(job, name, error)
        except Permanent as error:
            return self._fail(job, name, StepFailed(faults.plain(error.message)))
        except MagnumError as error:
            return self._fail(job, name, StepFailed(error.message))
        except (LeaseLost, *PASSING):
            raise  # no fault of the step: it is done again when the lease has ended
        except Exception:  # whatever it is, the tenant gets an end and the operator its cause
            LOG.exception("Step %s of operation %s failed.", name, self.claim.uuid)
            return self._fail(job, name, StepFailed(_internal(self.claim)))

    def _finish_step(self, job: Job, step: Step, done: Done, seconds: float) -> None:
        since = job.remembered(_WAITING_SINCE)
        if since is not None:
            seconds = (clock.now() - datetime.fromisoformat(since)).total_seconds()
        operation: dict[str, Any] = {"step": step.name, "attempts": 0, "lease_until": clock.now() + self.lease}
        operation |= _forgetting(job, _WAITING_SINCE, _BROKEN_ANSWERS)
        bay = dict(done.bay)
        if job.attempts:
            bay["status_reason"] = None
        level = "warning" if done.warning else "info"
        events = [Event(done.text, level, step.name, round(seconds, 3))] if done.text else []
        job.write(Progress(bay=bay, events=events, operation=operation))
        job.attempts = 0
        job.finished = step.name

    def _wait(self, job: Job, again: Again) -> "_Pause":
        operation: dict[str, Any] = {"attempts": 0, **_forgetting(job, _BROKEN_ANSWERS)}
        if job.remembered(_WAITING_SINCE) is None:
            operation |= job.remembering({_WAITING_SINCE: clock.now().isoformat()})
        bay = {"status_reason": None} if job.attempts else {}
        due_at = clock.now() + timedelta(seconds=again.seconds)
        return self._put_back(job, due_at, Progress(bay=bay, operation=operation))

    def _retry(self, job: Job, name: str, error: ServiceError | MagnumError) -> "_Pause":
        attempts = job.attempts + 1
        operation: dict[str, Any] = {"attempts": attempts}
        if isinstance(error, Transient) and error.tries is not None:
            # Counted apart: a service that was away for long and now answers once with an error may do better next.
            broken = int(job.remembered(_BROKEN_ANSWERS) or 0) + 1
            if broken >= error.tries:
                return self._fail(job, name, StepFailed(f"{error.message} It was tried {broken} times."))
            operation |= job.remembering({_BROKEN_ANSWERS: broken})
        metrics.count(metrics.RETRIES, verb=self.claim.verb)
        pause = _pause(attempts)
        LOG.warning("Step %s of operation %s: %s Again in %.1f s.", name, self.claim.uuid, error.message, pause)
        text = f"{error.message} Trying again."
        events = [Event(text, "warning", name)] if attempts == 1 or error.message not in _reason(job) else []
        progress = Progress(bay={"status_reason": text}, events=events, operation=operation)
        return self._put_back(job, clock.now() + timedelta(seconds=pause), progress)

    def _put_back(self, job: Job, due_at: datetime, progress: Progress) -> "_Pause":
        due_at = job.not_after_deadline(due_at)
        with self.tools.database.writer() as session:
            operations.put_back(session, self.claim, due_at, progress)
        return _Pause(due_at)

    def _fail(self, job: Job, step: str | None, failed: StepFailed) -> "_Pause":
        verb = self.claim.verb
        failed = PLANS[verb].completed(job, failed)
        LOG.warning("Operation %s (%s of bay %s) failed: %s", self.claim.uuid, verb, self.claim.bay_uuid, failed.reason)
        values = {
            "status_reason": failed.reason,
            "faults": failed.faults,
            **self._truth(job, failed),
            "status": states.ends(job.bay.status, verb).badly,
        }
        event = Event(values["status_reason"], "error", step)
        told = job.arguments.get(operations.TOLD, ())
        operation = job.keeping(operations.TOLD, [*told, failed.tells]) if failed.tells else {}
        with self.tools.database.writer() as session:
            progress = Progress(bay=values, events=[event], operation=operation)
            operations.finish(session, self.claim, OperationState.FAILED, progress)
        job.observe_end(OperationState.FAILED)
        return _Pause(None)

    def _truth(self, job: Job, failed: StepFailed) -> dict[str, Any]:
        if self.claim.deadline is not None and clock.now() > self.claim.deadline + _GRACE:
            return {}  # whoever would be asked may be what has kept the operation from ending
        try:
            return dict(PLANS[self.claim.verb].on_failure(job, failed))
        except (LeaseLost, *PASSING):
            raise
        except Exception:  # a failure is told, whatever else is broken
            LOG.exception("What is left of bay %s after a failed %s is not known.", job.bay.uuid, self.claim.verb)
            return {}


@dataclass(frozen=True)
class _Pause:
    """The turn is over; the next is due then, if there is one."""

    due_at: datetime | None


def _pause(attempts: int) -> float:
    return min(2.0 ** (attempts - 1), _LONGEST_PAUSE) * random.uniform(0.75, 1.25)  # noqa: S311


def _reason(job: Job) -> str:
    return job.bay.status_reason or ""


def _forgetting(job: Job, *names: str) -> dict[str, Any]:
    """The change of the operation's row that forgets these, if any of them is remembered."""
    known = [name for name in names if job.remembered(name) is not None]
    return job.remembering(dict.fromkeys(known)) if known else {}


def _too_late(job: Job, step: str) -> StepFailed:
    minutes = round((clock.now() - job.claim.created_at).total_seconds() / 60)
    last = f" The last problem was: {_reason(job)}" if _reason(job) else ""
    what = job.bay.status.partition("_")[0].capitalize()
    return StepFailed(f"{what} did not end in its time, and was given up after {minutes} minutes at {step}.{last}")


def _internal(claim: Claim) -> str:
    return f"Internal error. The operator finds its cause under the request id {claim.request_id}."
