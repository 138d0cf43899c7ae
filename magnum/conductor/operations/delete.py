"""Deleting a bay: what its Kubernetes made in the cloud, its stack, its user, and last its rows.

What Kubernetes does not remove in its time ends the deletion, as nobody would find it once the bay is gone; the tenant
is told what it is. Who asks again has read that: the next deletion waits once more, and then goes on without it. The
same holds for a stack that Heat does not show; each is told of by itself, whatever else a deletion has failed at.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from oslo_log import log

from magnum.certificates.storage import KeyProblem
from magnum.clients.errors import NotAccepted, Permanent
from magnum.coe.leftovers import Leftover
from magnum.common import clock
from magnum.common.exception import BayUnreachable, RemoteRefusal
from magnum.common.states import Health, Verb
from magnum.conductor import copies
from magnum.conductor.job import AS_SERVICE, Job
from magnum.conductor.operations import common
from magnum.conductor.steps import Again, Done, Plan, Step, StepFailed
from magnum.db import operations
from magnum.db.operations import Progress

LOG = log.getLogger(__name__)

_NOT_LET_IN = (401, 403)
_CLEANUP_UNTIL = "cleanup_until"
_CLEANUP_PAUSE = 2.0
_COE = "kubernetes"
_LEFT = "left"  # remembered of a stack that Magnum cannot delete, and that the tenant was told of
_LEFTOVERS = "leftovers"
_UNSEEN_STACK = "unseen_stack"
_USER = "user"


def find_authority(job: Job) -> Done:
    """Somebody can delete the stack: the bay's user, made again if need be, or Magnum itself."""
    if not job.bay.trustee_secret:
        return Done("The bay has no stack and no user yet.")  # the password is stored before either is made
    try:
        return common.ensure_user(job)
    except Permanent as error:
        reason = error.message
    except KeyProblem as error:
        LOG.error("The password of the user of bay %s cannot be read: %s", job.bay.uuid, error)
        reason = "its password cannot be read. The operator finds why in the log."
    job.remember(AS_SERVICE, True)
    return Done(f"Magnum deletes the stack itself, as the bay's user cannot be had: {reason}", warning=True)


def remove_leftovers(job: Job) -> Done | Again:
    """Load balancers and volumes that the bay made are gone."""
    if not job.bay.api_address or job.bay.baymodel["coe"] != _COE:
        return Done("")
    try:
        with job.tools.bays.open(job.bay) as running:
            left = running.remove_leftovers()
    except (BayUnreachable, RemoteRefusal) as error:
        if job.arguments.get(operations.CLEANED):
            return Done("")
        if isinstance(error, BayUnreachable) and _may_answer_yet(job):
            raise
        text = f"Load balancers and volumes that Kubernetes made may be left in the project: {error.message}"
        return Done(text, warning=True)
    if not left:
        return Done("Nothing is left of what Kubernetes made." if job.remembered(_CLEANUP_UNTIL) else "")
    if clock.now() < _cleanup_until(job):
        return Again(_CLEANUP_PAUSE)
    listed = ", ".join(map(str, left))
    if _was_told(job, _LEFTOVERS):
        return Done(f"Left in the project, to be removed by hand: {listed}.", warning=True)
    raise StepFailed(
        f"Kubernetes did not remove in time: {listed}. Remove them, or delete the bay again to leave them.",
        _as_faults(left),
        tells=_LEFTOVERS,
    )


def _was_told(job: Job, what: str) -> bool:
    """Whether the tenant had read of this when the deletion was asked for."""
    told = job.arguments.get(operations.TOLD)
    # The version before says, or has left, only whether the tenant had read of anything.
    return what in told if told else bool(job.arguments.get(operations.AGAIN))


def _may_answer_yet(job: Job) -> bool:
    """A bay that was seen to answer is waited for as long as for what it removes: it may only start anew."""
    if job.bay.health_status in (Health.HEALTHY, Health.UNHEALTHY):
        return clock.now() < _cleanup_until(job)
    return job.attempts + 1 < common.TRIES_OF_A_QUIET_BAY


def _cleanup_until(job: Job) -> datetime:
    known = job.remembered(_CLEANUP_UNTIL)
    if known is None:
        # The rest of the time is for the stack: a deletion that ends here each time would never be one.
        seconds = min(timedelta(seconds=job.tools.conf.bay.cleanup_timeout), job.time_left / 2)
        until = clock.now() + seconds
        job.remember(_CLEANUP_UNTIL, until.isoformat())
        return until
    return datetime.fromisoformat(known)


def _as_faults(left: Sequence[Leftover]) -> list[dict[str, str | None]]:
    return [_fault(_COE, item.owner, item.what, f"The {item.what} is still there.") for item in left]


def delete_stack(job: Job) -> Done:
    """Heat has been asked to delete the stack, if there is one."""
    if not job.bay.trustee_secret:
        return Done("There is no stack to delete.")
    if not job.remembered(AS_SERVICE):
        try:
            return _delete_as_user(job)
        except NotAccepted as error:  # it may have been made anew just now
            if job.attempts + 1 < (error.tries or 0):
                raise
        except Permanent as error:  # the bay's user is there, but Heat does not let it
            if error.code not in _NOT_LET_IN:
                raise
        job.remember(AS_SERVICE, True)
    return _delete_as_service(job)


def _delete_as_user(job: Job) -> Done:
    stack_id = job.bay.stack_id
    if stack_id is None:
        stack = job.stacks.find(job.stack_name)  # made by a creation that did not live to say so
        if stack is None:
            return Done("There is no stack to delete.")
        stack_id = stack.id
    job.stacks_to_change().delete(job.stack_name, stack_id)
    return Done(f"Heat deletes the stack {job.stack_name}.", bay={"stack_id": stack_id})


def _delete_as_service(job: Job) -> Done:
    """The same with Magnum's own rights; what Heat does not show to Magnum may be gone or not."""
    stack_id = job.bay.stack_id
    named = f"{job.stack_name} ({stack_id})" if stack_id else job.stack_name
    text = f"Heat shows Magnum no stack {named}: it is gone, or Magnum may not see it."
    try:
        stack = job.stacks.get(job.stack_name, stack_id) if stack_id else None
        if stack is not None and (stack.action, stack.status) == ("DELETE", "COMPLETE"):
            return Done("")
        if stack is not None:
            job.stacks_to_change().delete(stack.name, stack.id)
            return Done(f"Heat deletes the stack {job.stack_name}, as Magnum's user asks.")
    except Permanent as error:
        if error.code not in _NOT_LET_IN:
            raise
        text = f"Heat does not let Magnum delete the stack {named}: {error.message}"
    if _was_told(job, _UNSEEN_STACK):
        job.remember(_LEFT, True)
        return Done(text, warning=True)
    told = _stack_fault(job, "It may still be there.")
    raise StepFailed(f"{text} See that it is gone, then delete the bay again.", [told], tells=_UNSEEN_STACK)


def wait_gone(job: Job) -> Done | Again:
    """The stack is no more, but for one that is left."""
    if job.remembered(_LEFT) or job.bay.stack_id is None:
        return Done("")
    stack = job.read_stack()
    if stack is not None and stack.action == "DELETE" and not job.arguments.get(operations.CLEANED):
        job.write(Progress(operation=job.keeping(operations.CLEANED, True)))
    return common.look_if_gone(job, stack)


def delete_user(job: Job) -> Done:
    """The bay's user is no more, and with it all it was allowed to do."""
    if job.bay.trustee_secret:
        job.tools.cloud.keystone.delete_user(job.bay.uuid, job.bay.trustee_user_id)
    return Done("The bay's own user was removed.")


def _end(job: Job) -> None:
    job.finish_deleted(f"Bay {job.bay.name or job.bay.uuid} is deleted.")
    job.tools.bays.forget(job.bay.uuid)


def _on_failure(job: Job, _failed: StepFailed) -> dict[str, Any]:
    """Nobody looks at the nodes any more, whatever is left of them."""
    with job.tools.database.writer() as session:
        copies.mark_unknown(session, job.bay.uuid, "node")
        job.hold(session)
    return {}


def _completed(job: Job, failed: StepFailed) -> StepFailed:
    """With what there still is, where the failure itself does not say so."""
    known = failed.faults or job.finished == _USER or not job.bay.trustee_secret
    if known or operations.TOLD not in job.arguments:  # an API of the version before takes any fault for having told
        return failed
    if job.finished == common.WAIT_FOR_STACK:
        left, fault = "the bay's own user", _fault("keystone", f"bay-{job.bay.uuid}", "user", "It was not removed.")
    else:
        left, fault = f"the stack {job.stack_name}", _stack_fault(job, "It was not removed.")
    reason = failed.reason if failed.reason.endswith((".", "!", "?")) else f"{failed.reason}."
    return StepFailed(f"{reason} Not removed is {left}.", [fault])


def _stack_fault(job: Job, message: str) -> dict[str, str | None]:
    return _fault("heat", job.stack_name, "OS::Heat::Stack", message)


def _fault(service: str, name: str, kind: str, message: str) -> dict[str, str | None]:
    return {"service": service, "resource": name, "name": name, "type": kind, "message": message, "code": None}


PLAN = Plan(
    verb=Verb.DELETE,
    steps=(
        Step(_LEFTOVERS, remove_leftovers),
        Step("trustee", find_authority),
        Step(common.STACK, delete_stack),
        Step(common.WAIT_FOR_STACK, wait_gone),
        Step(_USER, delete_user),
    ),
    end=_end,
    on_failure=_on_failure,
    completed=_completed,
)
